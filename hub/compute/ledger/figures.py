"""SQL of the ledger's figures: counts and sums over everything, without a learner's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, func, select

from hub.compute.lease import SECOND_US
from hub.compute.ledger import entries as chain
from hub.compute.ledger import watch
from hub.compute.metrics import Figures, Use
from hub.compute.settle import OVERRUN
from hub.compute.tables import claim, grant, lease, subsidy_use

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.compute.checkpoint import Checkpoint


def figures(connection: Connection, now_us: int) -> Figures:
    """All of them as they stand now."""
    entries, _ = chain.head(connection)
    last = _newest(chain.checkpoints(connection))
    oldest = _scalar(connection, select(func.min(lease.c.requested_us)).where(lease.c.state.in_(("opened", "running"))))
    states = connection.execute(select(lease.c.state, func.count()).group_by(lease.c.state).order_by(lease.c.state))
    paid = select(subsidy_use).where(subsidy_use.c.scope == "all").order_by("programme", "year")
    return Figures(
        entries=entries,
        leases={row.state: int(row[1]) for row in states},
        held_uy=_sum(connection, lease.c.held_uy),
        granted_uy=_sum(connection, grant.c.micro_yuan),
        uses=_uses(connection),
        paid_uy={(row.programme, row.year): row.used_uy for row in connection.execute(paid)},
        differences=len(watch.differences(connection)),
        claims_due_uy=_sum(connection, claim.c.due_uy),
        oldest_open_s=None if oldest is None else _age_s(now_us, oldest),
        checkpoint_age_s=None if last is None else _age_s(now_us, last.signed_us),
        unsigned_entries=entries - (last.entries if last else 0),
    )


def _uses(connection: Connection) -> tuple[Use, ...]:
    measures = [func.sum(lease.c[name]) for name in ("billed_us", "gpu_us", "charge_uy", "subsidised_uy")]
    guessed = func.sum(case((lease.c.flags.in_(("", OVERRUN)), 0), else_=1))
    keys = (lease.c.site, lease.c.profile)
    asked = select(*keys, func.count(), guessed, *measures).where(lease.c.state == "ended").group_by(*keys)
    return tuple(
        Use(
            site=site,
            profile=profile,
            sessions=sessions,
            estimated=int(estimated),
            billed_us=int(billed_us),
            gpu_us=int(gpu_us),
            charge_uy=int(charge_uy),
            subsidised_uy=int(subsidised_uy),
        )
        for site, profile, sessions, estimated, billed_us, gpu_us, charge_uy, subsidised_uy in connection.execute(
            asked.order_by(*keys)
        )
    )


def _newest(made: Iterable[Checkpoint]) -> Checkpoint | None:
    return max(made, key=lambda one: (one.entries, one.signed_us), default=None)


def _sum(connection: Connection, column: Any) -> int:
    return int(_scalar(connection, select(func.coalesce(func.sum(column), 0))) or 0)


def _scalar(connection: Connection, asked: Any) -> int | None:
    found: int | None = connection.execute(asked).scalar_one()
    return found


def _age_s(now_us: int, at_us: int) -> int:
    return max(0, now_us - at_us) // SECOND_US
