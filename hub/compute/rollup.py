"""VALUE: charge lines rolled up by day and by month, which is what reports read. Pure.

A report over a year would otherwise read millions of lines to print a few dozen rows. Sums and the learners behind them
are kept apart, so that a sum has one row however many people it is about.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from hub.compute.chain import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.compute.settle import ChargeLine

DAY = "day"
MONTH = "month"
_PERIOD_LETTERS = {DAY: 10, MONTH: 7}


class Place(NamedTuple):
    """Where sessions were: all that a report breaks down by, but for programme and day."""

    course: str
    lab: str
    cohort: str
    site: str
    profile: str

    @property
    def id(self) -> int:
        """The number it is kept under: the first 63 bits of its digest, so that nobody has to look it up."""
        return int.from_bytes(hashlib.sha256(canonical(self).encode()).digest()[:8], "big") >> 1


class UsageKey(NamedTuple):
    """What charge lines are summed by; ``period`` is a day or a month, as ``grain`` says."""

    grain: str
    period: str
    programme: str
    payer: str
    place: int


class LearnerKey(NamedTuple):
    """One learner behind the sums of a programme at a place in a day or a month."""

    grain: str
    period: str
    programme: str
    place: int
    learner: str


Measures = tuple[int, int, int, int, int, int, int]
"""Lines, amount in micro-yuan, sessions, estimated sessions, charged us, GPU us, list price in micro-yuan."""


class Span(NamedTuple):
    """Periods of one grain, the last one not included."""

    grain: str
    first: str
    until: str


def place_of(line: ChargeLine) -> Place:
    """Where a line's session was."""
    return Place(line.course, line.lab, line.cohort, line.site, line.profile)


def sums_of(lines: Iterable[ChargeLine]) -> dict[UsageKey, Measures]:
    """Lines of one settlement summed by day and by month."""
    sums: dict[UsageKey, Measures] = {}
    for line in lines:
        place = _id_of(line)
        guessed = line.sessions if line.estimated else 0
        counted = (1, line.amount_uy, line.sessions, guessed, line.billed_us, line.gpu_us, line.total_uy)
        for grain, letters in _PERIOD_LETTERS.items():
            key = UsageKey(grain, line.day[:letters], line.programme, line.payer, place)
            have = sums.get(key, (0, 0, 0, 0, 0, 0, 0))
            sums[key] = tuple(map(sum, zip(have, counted, strict=True)))  # type: ignore[assignment]
    return sums


def learners_of(lines: Iterable[ChargeLine]) -> dict[LearnerKey, tuple[int, int]]:
    """Who stands behind those sums: how many lines they have, and what these come to."""
    found: dict[LearnerKey, tuple[int, int]] = {}
    for line in lines:
        place = _id_of(line)
        for grain, letters in _PERIOD_LETTERS.items():
            key = LearnerKey(grain, line.day[:letters], line.programme, place, line.learner)
            count, amount = found.get(key, (0, 0))
            found[key] = count + 1, amount + line.amount_uy
    return found


def spans(from_day: str, until_day: str) -> tuple[Span, ...]:
    """Days (``YYYY-MM-DD``), the last one not included, as whole months and the days before and after them."""
    first = from_day[:7] if from_day.endswith("-01") else _month_after(from_day)
    until = until_day[:7]
    if first >= until:
        found = [Span(DAY, from_day, until_day)]
    else:
        found = [
            Span(DAY, from_day, f"{first}-01"),
            Span(MONTH, first, until),
            Span(DAY, f"{until}-01", until_day),
        ]
    return tuple(span for span in found if span.first < span.until)


def _id_of(line: ChargeLine) -> int:
    return _number(place_of(line))


@lru_cache(maxsize=1024)
def _number(place: Place) -> int:
    return place.id


def _month_after(day: str) -> str:
    months = int(day[:4]) * 12 + int(day[5:7])
    return f"{months // 12:04d}-{months % 12 + 1:02d}"
