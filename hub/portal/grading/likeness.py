"""VALUE: two answers side by side, with what they share marked in both."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.similarity.compare import matches
from grader.similarity.fingerprint import every_run, fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from grader.similarity.compare import Match
    from grader.similarity.fingerprint import Place
    from grader.store.likenesses import Likenesses


@dataclass(frozen=True)
class Piece:
    """A stretch of a cell's text; ``is_shared`` when the other answer has it too."""

    text: str
    is_shared: bool


@dataclass(frozen=True)
class SideBySide:
    """A cell of one answer beside the cell of the other that shares most with it; cells are counted from 1."""

    left_number: int
    left: tuple[Piece, ...]
    right_number: int
    right: tuple[Piece, ...]


def side_by_side(store: Likenesses, course: str, lab: str, left: str, right: str) -> tuple[SideBySide, ...]:
    """The cells of two submissions that share something, in the order of the left one."""
    given = frozenset(run for release in store.releases(course, lab) for run in every_run(release))
    ours = fingerprints(store.notebook_of(left)).without(given)
    theirs = fingerprints(store.notebook_of(right)).without(given)
    by_cell: dict[int, list[Match]] = defaultdict(list)
    for match in matches(ours, theirs):
        by_cell[match.left.cell].append(match)
    found = []
    for cell, here in by_cell.items():
        partner, _count = Counter(match.right.cell for match in here).most_common(1)[0]
        both = [match for match in here if match.right.cell == partner]
        left_pieces = pieces(ours.cells[cell], [match.left for match in both])
        right_pieces = pieces(theirs.cells[partner], [match.right for match in both])
        found.append(SideBySide(cell + 1, left_pieces, partner + 1, right_pieces))
    return tuple(found)


def pieces(text: str, shared: Iterable[Place]) -> tuple[Piece, ...]:
    """``text`` cut where a shared stretch begins or ends."""
    return tuple(piece for piece in _pieces(text, shared) if piece.text)


def _pieces(text: str, shared: Iterable[Place]) -> Iterator[Piece]:
    at = 0
    for start, end in _joined(shared):
        yield Piece(text[at:start], is_shared=False)
        yield Piece(text[start:end], is_shared=True)
        at = end
    yield Piece(text[at:], is_shared=False)


def _joined(shared: Iterable[Place]) -> list[tuple[int, int]]:
    """The stretches without overlaps, in order."""
    joined: list[tuple[int, int]] = []
    for place in sorted(shared, key=lambda one: one.start):
        if joined and place.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], place.end))
        else:
            joined.append((place.start, place.end))
    return joined
