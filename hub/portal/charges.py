"""VALUE: the charge lines behind a row of the funder's report, with the learner under a pseudonym."""

from __future__ import annotations

import base64
import hmac
import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hub.compute.lease import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hub.compute.ledger import Ledger
    from hub.compute.report import ReportRow
    from hub.compute.settle import ChargeLine

PSEUDONYM_LETTERS = 6


@dataclass(frozen=True)
class AnonymousLine:
    """One charge line without lease, lab, class and time of day, which would tell who it is about.

    Times are in seconds, amounts in micro-yuan; times and list price stand on the first line of a stretch only.
    """

    day: str
    trainee: str
    course: str
    site: str
    profile: str
    payer: str
    seconds: int
    gpu_seconds: int
    total_uy: int
    amount_uy: int
    estimated: bool


def pseudonym(key: bytes, learner: str) -> str:
    """A short name for ``learner``: the same in every report, and nobody's without ``key``."""
    digest = hmac.digest(key, b"a learner in the funder's report\0" + learner.encode(), "sha256")
    return base64.b32encode(digest).decode()[:PSEUDONYM_LETTERS]


def chosen_row(rows: Iterable[ReportRow], asked: Callable[[str], str | None]) -> ReportRow | None:
    """The row whose programme and dimensions are those that ``asked`` answers by name; None without one."""
    for row in rows:
        if asked("programme") == row.programme and all(asked(name) == value for name, value in row.where.items()):
            return row
    return None


def anonymous(lines: Iterable[ChargeLine], key: bytes) -> tuple[AnonymousLine, ...]:
    """The lines by day, then pseudonym: their order within a day must not tell when somebody worked."""
    return tuple(sorted((_anonymous(line, key) for line in lines), key=lambda line: (line.day, line.trainee)))


@dataclass(frozen=True)
class LinePage:
    """Some of the lines behind a row, with the count and the sum of all of them."""

    lines: tuple[AnonymousLine, ...]
    count: int
    amount_uy: int
    page: int
    last_page: int


def page_of_lines(
    ledger: Ledger, where: Mapping[str, str], period: tuple[str, str], key: bytes, *, page: int, size: int
) -> LinePage:
    """One page of the lines behind a report's row (its ``drill()``); a page that there is not is the last one.

    Only the days that the page shows are read, however many lines the row has.
    """
    days = ledger.line_days(where, *period)
    count = sum(lines for _, lines, _ in days)
    last_page = max(1, -(-count // size))
    page = min(page, last_page)
    first, until = (page - 1) * size, page * size
    ends = list(itertools.accumulate(lines for _, lines, _ in days))
    shown = [place for place, end in enumerate(ends) if end > first and end - days[place][1] < until]
    found: tuple[AnonymousLine, ...] = ()
    if shown:
        after = date.fromisoformat(days[shown[-1]][0]) + timedelta(days=1)
        first -= ends[shown[0]] - days[shown[0]][1]
        lines = ledger.lines(where, days[shown[0]][0], after.isoformat())
        found = anonymous(lines, key)[first : first + size]
    return LinePage(found, count, sum(amount for *_, amount in days), page, last_page)


def _anonymous(line: ChargeLine, key: bytes) -> AnonymousLine:
    return AnonymousLine(
        day=line.day,
        trainee=pseudonym(key, line.learner),
        course=line.course,
        site=line.site,
        profile=line.profile,
        payer=line.payer,
        seconds=line.billed_us // SECOND_US,
        gpu_seconds=line.gpu_us // SECOND_US,
        total_uy=line.total_uy,
        amount_uy=line.amount_uy,
        estimated=line.estimated,
    )
