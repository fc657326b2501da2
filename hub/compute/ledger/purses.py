"""SQL of budgets and vouchers: what sites and classes may spend, and codes that become allowance."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from hub.compute.books import drawn
from hub.compute.budget import Budget, BudgetKey, Voucher, met_by
from hub.compute.tables import budget, voucher

if TYPE_CHECKING:
    from hub.compute.books import BookedLease
    from hub.compute.lease import LeaseRequest


def met(connection: Connection, request: LeaseRequest) -> tuple[Budget, ...]:
    """The budgets that exist among those a lease draws on, the site's first."""
    found = {key: find_budget(connection, key) for key in met_by(request)}
    return tuple(standing for standing in found.values() if standing)


def find_budget(connection: Connection, key: BudgetKey) -> Budget | None:
    """The budget of a site or a class, None when it has none."""
    row = connection.execute(select(budget).where(*_is(key))).one_or_none()
    return Budget(**row._asdict()) if row else None


def budgets(connection: Connection) -> tuple[Budget, ...]:
    """Every budget: classes, then sites."""
    return tuple(Budget(**row._asdict()) for row in connection.execute(select(budget).order_by("scope", "who")))


def keep_budget(connection: Connection, standing: Budget) -> None:
    """Store what has become of a budget."""
    values = asdict(standing)
    if not connection.execute(update(budget).where(*_is(standing.key)).values(values)).rowcount:
        connection.execute(insert(budget).values(values))


def draw(connection: Connection, before: BookedLease | None, after: BookedLease) -> None:
    """Book what a step of a lease changes of the budgets it meets."""
    for key, (held, spent) in drawn(before, after).items():
        changed = {"held_uy": budget.c.held_uy + held, "spent_uy": budget.c.spent_uy + spent}
        connection.execute(update(budget).where(*_is(key)).values(changed))


def find_voucher(connection: Connection, subject: str) -> Voucher | None:
    """The voucher of this digest, None when none was issued."""
    row = connection.execute(select(voucher).where(voucher.c.subject == subject)).one_or_none()
    return Voucher(**row._asdict()) if row else None


def vouchers(connection: Connection) -> tuple[Voucher, ...]:
    """Every voucher, those that run out last first."""
    asked = select(voucher).order_by(voucher.c.until_us.desc(), voucher.c.subject)
    return tuple(Voucher(**row._asdict()) for row in connection.execute(asked))


def keep_voucher(connection: Connection, made: Voucher) -> None:
    """Store a voucher that was just issued."""
    connection.execute(insert(voucher).values(asdict(made)))


def mark_redeemed(connection: Connection, made: Voucher) -> None:
    """Store who turned a voucher in."""
    mine = update(voucher).where(voucher.c.subject == made.subject)
    connection.execute(mine.values(learner=made.learner, redeemed_us=made.redeemed_us))


def _is(key: BudgetKey) -> tuple[Any, Any]:
    return budget.c.scope == key.scope, budget.c.who == key.who
