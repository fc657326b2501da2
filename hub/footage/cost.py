"""VALUE: what a second of generated film cost: list price of the labs that make film, over the seconds they made."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hub.compute.suppress import hidden_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hub.compute.rollup import Place
    from hub.compute.suppress import Cell


class Film(NamedTuple):
    """One learner's film, in the month in which it was graded, where most of their time in its lab was charged."""

    month: str
    place: Place
    learner: str
    length_us: int


@dataclass(frozen=True)
class FilmCosts:
    """The films of some months, and what the labs that make film cost in them, in micro-yuan."""

    films: tuple[Film, ...]
    spent_uy: Mapping[Place, int]

    def rate(self, dimensions: tuple[str, ...], besides: Collection[Cell] = ()) -> dict[Cell, float]:
        """Yuan for a second of film by the values of dimensions.

        What the rule for reports hides by the makers of a month's films is left out; those ``besides`` are hidden too.
        """
        spent: Counter[Cell] = Counter()
        length: Counter[Cell] = Counter()
        makers: dict[tuple[str, Cell], set[str]] = defaultdict(set)
        for place, uy in self.spent_uy.items():
            spent[_cell(place, dimensions)] += uy
        for film in self.films:
            cell = _cell(film.place, dimensions)
            length[cell] += film.length_us
            makers[film.month, cell].add(film.learner)
        hidden, _ = hidden_rows(makers, besides)
        return {cell: spent[cell] / total for cell, total in length.items() if cell not in hidden}


def _cell(place: Place, dimensions: tuple[str, ...]) -> Cell:
    return tuple(getattr(place, name) for name in dimensions)
