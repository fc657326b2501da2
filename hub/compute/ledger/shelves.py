"""SQL of the books: keeps what :mod:`hub.compute.books` makes of an event, and reads it back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Table, case, delete, func, insert, select, update

from hub.compute.books import BookedLease, Finished, grant_subject
from hub.compute.budget import BudgetKey
from hub.compute.class_window import ClassWindow
from hub.compute.lease import SECOND_US, Account, Grant, Lease, Metered
from hub.compute.report import LearnerSummed, Measured
from hub.compute.settle import ChargeLine, cap_uses
from hub.compute.subsidy import CapKey
from hub.compute.tables import DERIVED, charge_line, class_window, grant, lease, subsidy_use

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

_GRANT_COLUMNS = (grant.c.learner, grant.c.course, grant.c.micro_yuan, grant.c.why, grant.c.at_us)


def keep_grant(connection: Connection, given: Grant) -> None:
    """Store a new grant."""
    subject = grant_subject(given.learner, given.course, given.why)
    connection.execute(insert(grant).values(subject=subject, **asdict(given)))


def find_grant(connection: Connection, subject: str) -> Grant | None:
    """The grant of this subject, None when it was never given."""
    row = connection.execute(select(*_GRANT_COLUMNS).where(grant.c.subject == subject)).one_or_none()
    return Grant(**row._asdict()) if row else None


def keep_new_lease(connection: Connection, booked: BookedLease) -> None:
    """Store a lease that was just opened."""
    connection.execute(insert(lease).values(_lease_row(booked)))


def keep_lease(connection: Connection, booked: BookedLease) -> None:
    """Store what became of a lease."""
    connection.execute(update(lease).where(lease.c.id == booked.lease.id).values(_lease_row(booked)))


def keep_lines(connection: Connection, lines: tuple[ChargeLine, ...]) -> None:
    """Store a settlement's lines and count them against their programmes' caps."""
    connection.execute(insert(charge_line), [line._asdict() for line in lines])
    for key, amount in cap_uses(lines).items():
        where = [subsidy_use.c[name] == value for name, value in key._asdict().items()]
        counted = update(subsidy_use).where(*where).values(used_uy=subsidy_use.c.used_uy + amount)
        if not connection.execute(counted).rowcount:
            connection.execute(insert(subsidy_use).values(**key._asdict(), used_uy=amount))


def find_lease(connection: Connection, lease_id: UUID) -> BookedLease | None:
    """The lease of this id, None when it was never opened."""
    row = connection.execute(select(lease).where(lease.c.id == lease_id)).one_or_none()
    return _booked(row) if row else None


def leases_in(connection: Connection, states: Iterable[str]) -> tuple[BookedLease, ...]:
    """Leases in these states, oldest request first."""
    asked = select(lease).where(lease.c.state.in_(tuple(states))).order_by(lease.c.requested_us, lease.c.id)
    return tuple(_booked(row) for row in connection.execute(asked))


def leases_of(connection: Connection, learner: str, course: str) -> tuple[BookedLease, ...]:
    """A learner's leases in a course that were not void, newest first."""
    mine = (lease.c.learner == learner, lease.c.course == course, lease.c.state != "void")
    asked = select(lease).where(*mine).order_by(lease.c.requested_us.desc(), lease.c.id)
    return tuple(_booked(row) for row in connection.execute(asked))


def account(connection: Connection, learner: str, course: str) -> Account:
    """What was granted, is held, and was spent."""
    given = select(_total(grant.c.micro_yuan)).where(grant.c.learner == learner, grant.c.course == course)
    sums = select(
        _total(lease.c.held_uy).label("held_uy"),
        _total(lease.c.charge_uy).label("spent_uy"),
        _total(lease.c.subsidised_uy).label("subsidised_uy"),
        _total(lease.c.spared_uy).label("spared_uy"),
    ).where(lease.c.learner == learner, lease.c.course == course)
    # One statement, so that both sums are of the same moment on PostgreSQL too.
    row = connection.execute(sums.add_columns(given.scalar_subquery().label("granted_uy"))).one()
    return Account(
        granted_uy=int(row.granted_uy),
        held_uy=int(row.held_uy),
        spent_uy=int(row.spent_uy),
        subsidised_uy=int(row.subsidised_uy),
        spared_uy=int(row.spared_uy),
    )


def running(connection: Connection, learner: str, course: str) -> tuple[BookedLease, ...]:
    """A learner's leases in a course whose lab is running."""
    mine = (lease.c.learner == learner, lease.c.course == course, lease.c.state == "running")
    return tuple(_booked(row) for row in connection.execute(select(lease).where(*mine)))


def keep_class(connection: Connection, window: ClassWindow) -> None:
    """Store a scheduled class."""
    connection.execute(insert(class_window).values(subject=window.subject, **window.as_body()))


def drop_class(connection: Connection, subject: str) -> None:
    """Take a cancelled class out."""
    connection.execute(delete(class_window).where(class_window.c.subject == subject))


def classes(connection: Connection, course: str, cohort: str | None = None) -> tuple[ClassWindow, ...]:
    """A course's scheduled classes, those of one cohort if it is named, in the order of their start."""
    asked = select(class_window).where(class_window.c.course == course).order_by("from_us", "cohort")
    if cohort is not None:
        asked = asked.where(class_window.c.cohort == cohort)
    return tuple(_window(row) for row in connection.execute(asked))


def all_classes(connection: Connection) -> dict[str, ClassWindow]:
    """Every class as it is stored, by what it is stored under."""
    return {row.subject: _window(row) for row in connection.execute(select(class_window))}


def _window(row: Row[Any]) -> ClassWindow:
    values = row._asdict()
    del values["subject"]
    return ClassWindow(**values)


def metered(connection: Connection, learner: str, course: str) -> Metered:
    """Seconds over a learner's ended sessions in a course."""
    measures = (lease.c.billed_us, lease.c.gpu_us, lease.c.subsidised_us, lease.c.subsidised_gpu_us)
    asked = select(*map(_total, measures)).where(
        lease.c.learner == learner, lease.c.course == course, lease.c.state == "ended"
    )
    lab, gpu, subsidised, subsidised_gpu = (int(value) // SECOND_US for value in connection.execute(asked).one())
    return Metered(
        lab_seconds=lab,
        gpu_seconds=gpu,
        subsidised_seconds=subsidised,
        subsidised_gpu_seconds=subsidised_gpu,
    )


def used_for(connection: Connection, learner: str, site: str) -> dict[CapKey, int]:
    """What programmes have paid so far that a session of this learner at this site counts against."""
    asked = select(subsidy_use).where(
        ((subsidy_use.c.scope == "learner") & (subsidy_use.c.who == learner))
        | ((subsidy_use.c.scope == "site") & (subsidy_use.c.who == site))
        | (subsidy_use.c.scope == "all")
    )
    return dict(_use(row) for row in connection.execute(asked))


def learner_sums(connection: Connection, from_day: str, until_day: str) -> Iterator[LearnerSummed]:
    """Charge lines of a span of days summed by learner, programme and payer."""
    keys = (charge_line.c.learner, charge_line.c.programme, charge_line.c.payer)
    guessed = case((charge_line.c.estimated, charge_line.c.sessions), else_=0).label("estimated_sessions")
    sums = [func.sum(guessed if name == guessed.name else charge_line.c[name]) for name in Measured._fields]
    day: ColumnElement[str] = charge_line.c.day
    if connection.dialect.name == "sqlite":
        # It prefers the index on days to the one that holds the whole answer, and has none for an expression.
        day = day.concat("")
    asked = select(*keys, *sums).where(day >= from_day, day < until_day).group_by(*keys)
    for learner, programme, payer, *measured in connection.execute(asked):
        yield LearnerSummed(learner, programme, payer, Measured._make(map(int, measured)))


def lines_where(
    connection: Connection, where: Mapping[str, str], from_day: str, until_day: str
) -> tuple[ChargeLine, ...]:
    """The charge lines that a report's row comes from, in the order in which they happened."""
    asked = (
        select(charge_line)
        .where(charge_line.c.day >= from_day, charge_line.c.day < until_day)
        .where(*(charge_line.c[name] == value for name, value in where.items()))
        .order_by(charge_line.c.from_us, charge_line.c.lease, charge_line.c.segment, charge_line.c.line)
    )
    return tuple(ChargeLine(*row) for row in connection.execute(asked))


def clear(connection: Connection) -> None:
    """Empty every table of the books."""
    for table in DERIVED:
        connection.execute(delete(table))


def keep_finished(connection: Connection, finished: Finished) -> None:
    """Store grants and leases with their lines in bulk, where none of them is stored yet."""
    rows: dict[Table, list[dict[str, Any]]] = {
        grant: [{"subject": subject, **asdict(given)} for subject, (_, given) in finished.grants.items()],
        lease: [_lease_row(made.booked) for made in finished.leases.values()],
        charge_line: [line._asdict() for made in finished.leases.values() for line in made.lines],
    }
    for table, values in rows.items():
        if values:
            connection.execute(insert(table), values)


def keep_used(connection: Connection, used: Mapping[CapKey, int]) -> None:
    """Store what programmes have paid, where nothing of it is stored yet."""
    if used:
        connection.execute(insert(subsidy_use), [{**key._asdict(), "used_uy": paid} for key, paid in used.items()])


def lease_values(booked: BookedLease) -> tuple[Any, ...]:
    """A lease as its row, in the order of the table's columns."""
    of_lease = booked.lease
    return (
        of_lease.id,
        of_lease.learner,
        of_lease.course,
        of_lease.lab,
        of_lease.cohort,
        of_lease.site,
        of_lease.profile,
        of_lease.longest_us,
        of_lease.requested_us,
        booked.policy,
        of_lease.state,
        of_lease.held_uy,
        of_lease.started_us,
        of_lease.ended_us,
        booked.uncertainty_us,
        booked.billed_us,
        booked.gpu_us,
        booked.charge_uy,
        booked.subsidised_uy,
        booked.subsidised_us,
        booked.subsidised_gpu_us,
        " ".join(booked.flags),
        json.dumps(booked.spared) if booked.spared else "",
        booked.spared_uy,
        booked.full_uy,
        json.dumps(booked.budgets) if booked.budgets else "",
    )


def _total(column: Any) -> Any:
    return func.coalesce(func.sum(column), 0)


def _use(row: Row[Any]) -> tuple[CapKey, int]:
    return CapKey(row.programme, row.year, row.scope, row.who), row.used_uy


def _lease_row(booked: BookedLease) -> dict[str, Any]:
    return dict(zip(lease.c.keys(), lease_values(booked), strict=True))


def _booked(row: Row[Any]) -> BookedLease:
    values = row._asdict()
    of_lease = Lease(**{name: values.pop(name) for name in Lease._fields})
    spared = tuple((begin, end) for begin, end in json.loads(values.pop("spared") or "[]"))
    budgets = tuple(BudgetKey(scope, who) for scope, who in json.loads(values.pop("budgets") or "[]"))
    made = {**values, "flags": tuple(values["flags"].split()), "spared": spared, "budgets": budgets}
    return BookedLease(lease=of_lease, **made)
