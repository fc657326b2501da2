"""The funder's report: who used how much under which programme, and who pays it. Pure; sums what the ledger hands over.

A row about fewer than five learners is suppressed: it says that it is there and nothing else. So that it cannot be had
by subtraction, others may be suppressed with it (:mod:`hub.compute.suppress`).
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from hub.compute.lease import SECOND_US, LedgerError, format_yuan
from hub.compute.subsidy import LEARNER
from hub.compute.suppress import FEWEST_LEARNERS, hidden_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hub.compute.suppress import Cell

DIMENSIONS = ("course", "lab", "cohort", "site", "profile", "day")
"""What a report may be broken down by, besides the programme, by which it always is."""
FUNDERS_DIMENSIONS = ("course", "site", "profile", "day")


class Measured(NamedTuple):
    """What charge lines sum to."""

    amount_uy: int
    sessions: int
    estimated_sessions: int
    billed_us: int
    gpu_us: int
    total_uy: int


class Summed(NamedTuple):
    """Charge lines summed by month, the asked-for dimensions (``key``), programme and payer."""

    month: str
    key: tuple[str, ...]
    programme: str
    payer: str
    measured: Measured


class Present(NamedTuple):
    """Learners whose lines are in those sums."""

    month: str
    key: tuple[str, ...]
    programme: str
    learners: Collection[str]


class LearnerSummed(NamedTuple):
    """One learner's charge lines summed by programme and payer."""

    learner: str
    programme: str
    payer: str
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a row adds up to: list price, the programme's part by payer, and the learners' part."""

    learners: int
    sessions: int
    estimated_sessions: int
    seconds: int
    gpu_seconds: int
    total_uy: int
    subsidised_uy: int
    learner_uy: int
    paid_uy: dict[str, int]


class LearnerUse(NamedTuple):
    """What one learner used under one programme; it names a person, so it is never for a funder's page."""

    learner: str
    programme: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One programme in one cell; ``sums`` is None when it is suppressed."""

    programme: str
    where: dict[str, str]
    sums: Sums | None

    def drill(self) -> dict[str, str]:
        """What picks the charge lines it comes from (:meth:`hub.compute.ledger.Ledger.lines`).

        Raises:
            LedgerError: the row is suppressed, and so are its lines.
        """
        if self.sums is None:
            raise LedgerError(
                f"got a suppressed row, expected one that gives nothing away about fewer than {FEWEST_LEARNERS}"
            )
        return {"programme": self.programme, **self.where}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Rows by programme and dimensions over days, the last one not included.

    ``total`` is of all rows, suppressed ones included; None where a month of it is about fewer than five learners, and
    in a report that was narrowed down.
    """

    from_day: str
    until_day: str
    dimensions: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    total: Sums | None

    def narrowed(self, where: Mapping[str, str]) -> Report:
        """Only the rows in which dimensions have these values; what is suppressed in the whole stays so."""
        rows = tuple(row for row in self.rows if where.items() <= row.where.items())
        return replace(self, rows=rows, total=None)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)

    def as_csv(self) -> str:
        """A table with one line a row; suppressed cells say ``suppressed``. Amounts are in yuan, exact."""
        payers = sorted({payer for row in self.rows if row.sums for payer in row.sums.paid_uy})
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["programme", *self.dimensions, *_COLUMNS, *(f"paid_by_{payer}_yuan" for payer in payers)])
        for row in self.rows:
            cells = [row.programme, *(row.where[name] for name in self.dimensions)]
            table.writerow([inert(cell) for cell in cells] + _cells(row.sums, payers))
        return text.getvalue()


_COLUMNS = (
    "learners",
    "sessions",
    "estimated_sessions",
    "seconds",
    "gpu_seconds",
    "list_price_yuan",
    "subsidised_yuan",
    "learner_yuan",
)


_NOTHING = Measured(0, 0, 0, 0, 0, 0)


@dataclass(slots=True)
class _Cell:
    """A row while it is being added up; times stay in microseconds until the end."""

    paid_uy: dict[str, int] = field(default_factory=dict)
    measured: Measured = _NOTHING

    def add(self, payer: str, more: Measured) -> None:
        self.paid_uy[payer] = self.paid_uy.get(payer, 0) + more.amount_uy
        self.measured = Measured._make(map(add, self.measured, more))

    def sums(self, learners: int) -> Sums:
        payers = {payer: paid for payer, paid in sorted(self.paid_uy.items()) if payer != LEARNER}
        return Sums(
            learners=learners,
            sessions=self.measured.sessions,
            estimated_sessions=self.measured.estimated_sessions,
            seconds=self.measured.billed_us // SECOND_US,
            gpu_seconds=self.measured.gpu_us // SECOND_US,
            total_uy=self.measured.total_uy,
            subsidised_uy=sum(payers.values()),
            learner_uy=self.paid_uy.get(LEARNER, 0),
            paid_uy=payers,
        )


def report(
    dimensions: tuple[str, ...], from_day: str, until_day: str, usage: Iterable[Summed], present: Iterable[Present]
) -> Report:
    """Add usage up into rows by programme and dimensions, suppress the small ones, and total what may be totalled."""
    refuse_unknown_dimensions(dimensions)
    cells: dict[Cell, _Cell] = defaultdict(_Cell)
    people: dict[tuple[str, Cell], set[str]] = defaultdict(set)
    total = _Cell()
    for used in usage:
        key = (used.programme, *used.key)
        cells[key].add(used.payer, used.measured)
        total.add(used.payer, used.measured)
        people[used.month, key] = set()  # sums that nobody stands behind are about fewer than five
    for there in present:
        people[there.month, (there.programme, *there.key)].update(there.learners)
    hidden, totalled = hidden_rows(people)
    learners: dict[Cell, set[str]] = defaultdict(set)
    for (_, key), who in people.items():
        learners[key] |= who
    rows = tuple(
        ReportRow(
            programme=key[0],
            where=dict(zip(dimensions, key[1:], strict=True)),
            sums=None if key in hidden else cell.sums(len(learners[key])),
        )
        for key, cell in sorted(cells.items())
    )
    return Report(
        from_day=from_day,
        until_day=until_day,
        dimensions=dimensions,
        rows=rows,
        total=total.sums(len(set().union(*learners.values()))) if totalled and cells else None,
    )


def by_learner(usage: Iterable[LearnerSummed]) -> tuple[LearnerUse, ...]:
    """Add usage up by learner and programme, in their order."""
    cells: dict[tuple[str, str], _Cell] = defaultdict(_Cell)
    for used in usage:
        cells[used.learner, used.programme].add(used.payer, used.measured)
    return tuple(LearnerUse(*key, cell.sums(1)) for key, cell in sorted(cells.items()))


def refuse_unknown_dimensions(dimensions: tuple[str, ...]) -> None:
    """Refuse a breakdown that charge lines do not have.

    Raises:
        LedgerError: a dimension is unknown or named twice.
    """
    if len(set(dimensions)) != len(dimensions) or set(dimensions) - set(DIMENSIONS):
        raise LedgerError(f"dimensions: got {list(dimensions)}, expected some of {list(DIMENSIONS)}, each once")


def _cells(sums: Sums | None, payers: list[str]) -> list[str]:
    if sums is None:
        return ["suppressed"] * (len(_COLUMNS) + len(payers))
    counts = (sums.learners, sums.sessions, sums.estimated_sessions, sums.seconds, sums.gpu_seconds)
    money = (sums.total_uy, sums.subsidised_uy, sums.learner_uy, *(sums.paid_uy.get(payer, 0) for payer in payers))
    return [*map(str, counts), *map(format_yuan, money)]


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    # A spreadsheet runs a cell that begins like a formula; names come from people.
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
