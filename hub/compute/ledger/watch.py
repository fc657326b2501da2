"""SQL of what stands beside a session's times: heartbeats, observations of second witnesses, and GPU evidence."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, or_, select, update

from hub.compute.ledger.shelves import find_lease
from hub.compute.observation import AGREE_US, Difference, Observation, difference
from hub.compute.tables import gpu_evidence, heartbeat, lease, observation

if TYPE_CHECKING:
    from uuid import UUID

    from hub.compute.gpu.usage import GpuEvidence


def beat(connection: Connection, lease_id: UUID, at_us: int, source: str) -> None:
    """Keep the latest sign of life."""
    mine = heartbeat.c.lease == lease_id
    if (
        not connection.execute(
            update(heartbeat).where(mine, heartbeat.c.at_us < at_us).values(at_us=at_us, source=source)
        ).rowcount
        and last_beat(connection, lease_id) is None
    ):
        connection.execute(insert(heartbeat).values(lease=lease_id, at_us=at_us, source=source))


def last_beat(connection: Connection, lease_id: UUID) -> int | None:
    """When a lab last gave a sign of life, None when it never did."""
    found: int | None = connection.execute(
        select(heartbeat.c.at_us).where(heartbeat.c.lease == lease_id)
    ).scalar_one_or_none()
    return found


def keep_observation(connection: Connection, seen: Observation) -> None:
    """Store what a witness saw."""
    connection.execute(insert(observation).values(observation_row(seen)))


def observation_row(seen: Observation) -> dict[str, Any]:
    """An observation as its row, in the order of the table's columns."""
    return {
        "subject": seen.subject,
        "lease": seen.lease,
        "source": seen.source,
        "started_us": seen.started_us,
        "ended_us": seen.ended_us,
    }


def keep_evidence(connection: Connection, used: GpuEvidence) -> None:
    """Store how a session used its GPU."""
    connection.execute(insert(gpu_evidence).values(asdict(used)))


def differences(connection: Connection) -> tuple[Difference, ...]:
    """Every observation that the ledger does not bear out, in the order of their times."""
    apart = (func.abs(observation.c[name] - lease.c[name]) > AGREE_US for name in ("started_us", "ended_us"))
    doubted = (
        select(observation)
        .select_from(observation.outerjoin(lease, lease.c.id == observation.c.lease))
        .where(or_(lease.c.state.is_(None), lease.c.state != "ended", *apart))
        .order_by(observation.c.started_us, observation.c.subject)
    )
    found = []
    for row in connection.execute(doubted).all():
        seen = Observation(lease=row.lease, source=row.source, started_us=row.started_us, ended_us=row.ended_us)
        booked = find_lease(connection, row.lease)
        found.append(difference(seen, booked.lease if booked else None))
    return tuple(each for each in found if each)
