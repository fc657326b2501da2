"""Which cells of a report may be shown, so that none about fewer than five learners can be had, nor worked out. Pure.

A table is made of cells by programme, dimensions and month. In each month:

1. A cell about fewer than five learners is hidden.
2. For every sum that another report may show (over any of programme and dimensions, up to the whole month), the hidden
   cells in it cover five learners together; where they do not, the smallest shown ones are hidden with them. So a sum
   less its shown parts never leaves fewer than five.

A row over several months is shown if all of its months are: whatever two periods are compared, the difference is a sum
of months that may be shown by themselves.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

FEWEST_LEARNERS = 5

Cell = tuple[str, ...]


def hidden_rows(
    learners: Mapping[tuple[str, Cell], AbstractSet[str]], besides: Collection[Cell] = ()
) -> tuple[set[Cell], bool]:
    """The rows that are not shown, and whether the total of all is; ``learners`` stand behind a month of a row.

    Those ``besides`` are hidden for another reason.
    """
    months: dict[str, dict[Cell, AbstractSet[str]]] = defaultdict(dict)
    for (month, cell), who in learners.items():
        months[month][cell] = who
    hidden = {cell for cells in months.values() for cell in hidden_cells(cells, besides)}
    return hidden, all(_cover(cells.values()) for cells in months.values())


def hidden_cells(cells: Mapping[Cell, AbstractSet[str]], besides: Collection[Cell] = ()) -> set[Cell]:
    """The cells of one month that are not shown; those ``besides`` are hidden for another reason."""
    hidden = {cell for cell, who in cells.items() if len(who) < FEWEST_LEARNERS or cell in besides}
    if not 0 < len(hidden) < len(cells):
        return hidden
    sums = list(_sums(len(next(iter(cells)))))
    inside: dict[tuple[int, Cell], list[Cell]] = defaultdict(list)
    for cell in sorted(cells):
        for place, kept in enumerate(sums):
            inside[place, kept(cell)].append(cell)
    # Worked off in a fixed order: a choice that changed from one showing to the next would tell what both hide.
    waiting = dict.fromkeys(key for key, there in inside.items() if not hidden.isdisjoint(there))
    while waiting:
        key = next(iter(waiting))
        del waiting[key]
        if (more := _needed_beside(hidden, cells, inside[key])) is not None:
            hidden.add(more)
            waiting |= dict.fromkeys((place, kept(more)) for place, kept in enumerate(sums))
    return hidden


def _sums(width: int) -> Iterator[Callable[[Cell], Cell]]:
    """For every sum that a report may show, what of a cell says which one it is in; the widest sums come first."""
    for size in range(width):
        for kept in itertools.combinations(range(width), size):
            yield lambda cell, kept=kept: tuple([cell[place] for place in kept])  # type: ignore[misc]


def _needed_beside(hidden: set[Cell], cells: Mapping[Cell, AbstractSet[str]], inside: list[Cell]) -> Cell | None:
    """The smallest shown cell of a sum whose hidden ones cover too few, if there is one."""
    if _cover(cells[cell] for cell in inside if cell in hidden):
        return None
    shown = [cell for cell in inside if cell not in hidden]
    return min(shown, key=lambda cell: (len(cells[cell]), cell), default=None)


def _cover(groups: Iterable[AbstractSet[str]]) -> bool:
    """Whether groups are about five learners together, as soon as it is sure."""
    found = set[str]()
    return any(len(found := found | who) >= FEWEST_LEARNERS for who in groups)
