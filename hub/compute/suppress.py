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
    from collections.abc import Collection, Iterable, Iterator, Mapping

FEWEST_LEARNERS = 5

Cell = tuple[str, ...]


def hidden_rows(learners: Mapping[tuple[str, Cell], frozenset[str]]) -> tuple[set[Cell], bool]:
    """The rows that are not shown, and whether the total of all is; ``learners`` stand behind a month of a row."""
    months: dict[str, dict[Cell, frozenset[str]]] = defaultdict(dict)
    for (month, cell), who in learners.items():
        months[month][cell] = who
    hidden = {cell for cells in months.values() for cell in hidden_cells(cells)}
    return hidden, all(_covers(cells.values()) for cells in months.values())


def hidden_cells(cells: Mapping[Cell, frozenset[str]], besides: Collection[Cell] = ()) -> set[Cell]:
    """The cells of one month that are not shown; those ``besides`` are hidden for another reason."""
    hidden = {cell for cell, who in cells.items() if len(who) < FEWEST_LEARNERS or cell in besides}
    while more := set(_needed_beside(hidden, cells)):
        hidden |= more
    return hidden


def _needed_beside(hidden: set[Cell], cells: Mapping[Cell, frozenset[str]]) -> Iterator[Cell]:
    """For every sum whose hidden cells cover too few, its smallest shown cell, if there is one."""
    width = len(next(iter(cells), ()))
    for kept in itertools.chain.from_iterable(itertools.combinations(range(width), size) for size in range(width)):
        for key in {tuple(cell[place] for place in kept) for cell in hidden}:
            inside = [cell for cell in cells if tuple(cell[place] for place in kept) == key]
            shown = [cell for cell in inside if cell not in hidden]
            if shown and not _covers(cells[cell] for cell in inside if cell in hidden):
                yield min(shown, key=lambda cell: (len(cells[cell]), cell))
                return  # what is hidden now may cover the other sums too


def _covers(groups: Iterable[frozenset[str]]) -> bool:
    return len(frozenset().union(*groups)) >= FEWEST_LEARNERS
