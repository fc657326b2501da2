"""VALUE: a notebook's fingerprints: hashes of short runs of tokens, thinned out by winnowing. No I/O.

Winnowing (S. Schleimer, D. Wilkerson, A. Aiken, SIGMOD 2003): of every ``WINDOW`` consecutive hashes the least is kept,
so that two texts which share ``RUN + WINDOW - 1`` tokens in a row share a fingerprint, wherever it stands in either.
Cells are fingerprinted one by one: their order plays no part.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from grader.answers import notebook_cells, source_of
from grader.similarity.tokens import code_tokens, prose_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from grader.similarity.tokens import Token

RUN = 10
WINDOW = 4
MOST_BYTES = 8_000_000
"""A larger notebook is not looked at: no honest one is."""
MOST_CHARS = 60_000
"""Of one notebook; what goes beyond is left out."""


class Place(NamedTuple):
    """Where a run stands: the cell's number from 0, and the characters it covers there."""

    cell: int
    start: int
    end: int


@dataclass(frozen=True)
class Prints:
    """A notebook's fingerprints with the places of each; ``cells`` are the texts that the places count in."""

    cells: tuple[str, ...]
    places: dict[int, tuple[Place, ...]]

    def without(self, common: frozenset[int]) -> Prints:
        """These fingerprints less those in ``common``."""
        return Prints(self.cells, {one: where for one, where in self.places.items() if one not in common})


def fingerprints(notebook: bytes) -> Prints:
    """The winnowed fingerprints of a notebook; of bytes that are none, or too many, there are none."""
    cells = _texts(notebook)
    places: dict[int, list[Place]] = {}
    for number, cell in enumerate(cells):
        for value, place in _winnow(_runs(number, _tokens(*cell))):
            places.setdefault(value, []).append(place)
    return Prints(tuple(text for _, text in cells), {value: tuple(found) for value, found in places.items()})


def every_run(notebook: bytes) -> frozenset[int]:
    """The hashes of all runs of a notebook, none thinned out: what a skeleton lets everybody share."""
    cells = _texts(notebook)
    return frozenset(value for n, cell in enumerate(cells) for value, _ in _runs(n, _tokens(*cell)))


def _texts(notebook: bytes) -> list[tuple[str, str]]:
    if len(notebook) > MOST_BYTES:
        return []
    try:
        entries: Iterable[dict[str, Any]] = notebook_cells(notebook)
    except RecursionError:
        return []
    room, texts = MOST_CHARS, []
    for entry in entries:
        text = source_of(entry)[:room]
        room -= len(text)
        texts.append((str(entry.get("cell_type")), text))
    return texts


def _tokens(kind: str, text: str) -> tuple[Token, ...]:
    return code_tokens(text) if kind == "code" else prose_tokens(text)


def _runs(cell: int, tokens: Sequence[Token]) -> Iterator[tuple[int, Place]]:
    texts = [token.text for token in tokens]
    for first in range(len(tokens) - RUN + 1):
        content = "\x00".join(texts[first : first + RUN]).encode("utf-8", "replace")
        value = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")
        yield value, Place(cell, tokens[first].start, tokens[first + RUN - 1].end)


def _winnow(runs: Iterable[tuple[int, Place]]) -> Iterator[tuple[int, Place]]:
    """The least hash of every window, the rightmost of equals, each once."""
    held = list(runs)
    last = -1
    values = [value for value, _ in held]
    for first in range(max(1, len(held) - WINDOW + 1) if held else 0):
        window = values[first : first + WINDOW]
        least = first + len(window) - 1 - window[::-1].index(min(window))
        if least != last:
            yield held[least]
            last = least
