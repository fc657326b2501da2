"""VALUE: class windows: scheduled hours in which a cohort's labs do not use up personal allowances. Pure; no I/O.

A lease keeps the windows that were scheduled when it was opened. Time in them is charged and shared out like any other;
it is only not taken from the learner's allowance.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hub.compute.chain import canonical
from hub.compute.lease import DAY_US, MAX_TIME_US, refuse_bad_int, refuse_bad_name

if TYPE_CHECKING:
    from collections.abc import Iterable

Spans = tuple[tuple[int, int], ...]
"""Spans of time that do not touch, in their order, each from a moment until another, that one not included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassWindow:
    """When a cohort of a course has class, at most a day long, and who scheduled it."""

    course: str
    cohort: str
    from_us: int
    until_us: int
    by: str

    def __post_init__(self) -> None:
        for name in ("course", "cohort", "by"):
            refuse_bad_name(name, getattr(self, name))
        refuse_bad_int("from_us", self.from_us, most=MAX_TIME_US)
        refuse_bad_int("until_us", self.until_us, least=self.from_us + 1, most=self.from_us + DAY_US)

    @property
    def subject(self) -> str:
        """What makes it one that can be scheduled once."""
        said = [self.course, self.cohort, self.from_us, self.until_us]
        return hashlib.sha256(canonical(said).encode()).hexdigest()

    def as_body(self) -> dict[str, Any]:
        """As an entry of the chain keeps it."""
        return asdict(self)


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same time as spans that do not touch."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)


def inside_us(spans: Spans, from_us: int, until_us: int) -> int:
    """How much of a span of time lies in the spans."""
    return sum(max(0, min(until_us, end) - max(from_us, begin)) for begin, end in spans)
