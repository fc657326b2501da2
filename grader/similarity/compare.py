"""VALUE: which two notebooks of a cohort share too much to have been written apart. No I/O.

What the lab gave to everybody is taken out, and so is what many learners have: the one natural way to write a thing
says nothing. The likeness of two notebooks is the share of the smaller one's remaining fingerprints that the other has
too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from grader.similarity.fingerprint import fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from grader.similarity.fingerprint import Place, Prints

THRESHOLD = 0.4
"""From this likeness on a pair is worth a look; docs/grading.md says how it was measured."""
FEWEST = 12
"""With fewer fingerprints of its own a notebook says too little to compare."""
COMMON_SHARE, COMMON_LEAST = 0.2, 3
"""What more than this share of the learners have, and at least this many besides the first two, is common."""


@dataclass(frozen=True)
class Pair:
    """Two learners' notebooks, how much of the smaller is in the other (0 to 1), and in how many fingerprints."""

    left: str
    right: str
    likeness: float
    shared: int


@dataclass(frozen=True)
class Match:
    """A stretch of one notebook that the other has too, on both sides."""

    left: Place
    right: Place


def common_runs(prints: Iterable[Prints]) -> frozenset[int]:
    """The fingerprints that too many learners have to say anything about two of them."""
    every = list(prints)
    counts = Counter(value for one in every for value in one.places)
    most = max(2 + COMMON_LEAST, COMMON_SHARE * len(every))
    return frozenset(value for value, count in counts.items() if count > most)


def alike(notebooks: Mapping[str, bytes], given: frozenset[int], threshold: float = THRESHOLD) -> tuple[Pair, ...]:
    """The pairs of learners whose notebooks reach ``threshold``, the likest first; ``given`` is the lab's own."""
    prints = {learner: fingerprints(content).without(given) for learner, content in notebooks.items()}
    common = common_runs(prints.values())
    own = {learner: one.places.keys() - common for learner, one in prints.items()}
    pairs = [_pair(left, right, own, shared) for (left, right), shared in _shared(own).items()]
    return tuple(sorted((p for p in pairs if p.likeness >= threshold), key=lambda p: (-p.likeness, p.left, p.right)))


def _shared(own: Mapping[str, set[int]]) -> Counter[tuple[str, str]]:
    """How many fingerprints each two learners share, of those who have enough; only pairs that share any."""
    holders: dict[int, list[str]] = defaultdict(list)
    for learner in sorted(own):
        if len(own[learner]) >= FEWEST:
            for value in own[learner]:
                holders[value].append(learner)
    return Counter(pair for learners in holders.values() for pair in combinations(learners, 2))


def _pair(left: str, right: str, own: Mapping[str, set[int]], shared: int) -> Pair:
    return Pair(left, right, shared / min(len(own[left]), len(own[right])), shared)


def matches(left: Prints, right: Prints) -> tuple[Match, ...]:
    """Where two notebooks share a fingerprint, in the order of the left one."""
    both = left.places.keys() & right.places.keys()
    found = [Match(a, b) for value in both for a, b in zip(left.places[value], right.places[value], strict=False)]
    return tuple(sorted(found, key=lambda one: (one.left.cell, one.left.start)))
