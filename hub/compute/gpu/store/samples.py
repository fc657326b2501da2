"""SQL of GPU samples: kept by the minute, asked by whoever reclaims idle GPUs, rolled up when a session has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, or_, select, update

from hub.compute.gpu.tables import gpu_minute
from hub.compute.gpu.usage import GpuUse, Minute, Reading, use_of
from hub.compute.lease import MINUTE_US
from hub.db import reading

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Engine

_COLUMNS = [gpu_minute.c[name] for name in Minute._fields]

WORKING_PERCENT = 3
"""A GPU below this over a minute does nothing for its learner: a display and a heartbeat."""


class Samples:
    """The one door to GPU samples; safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, lease: UUID, piece: str, at_us: int, seen: Reading) -> None:
        """Add a reading of a lease's slice to its minute."""
        minute = at_us // MINUTE_US
        mine = (gpu_minute.c.lease == lease, gpu_minute.c.minute == minute)
        with self._engine.begin() as connection:
            row = connection.execute(select(*_COLUMNS).where(*mine)).one_or_none()
            now = (Minute(*row) if row else Minute(minute, 0, 0, 0, 0, 0)).with_reading(seen)
            if row:
                connection.execute(update(gpu_minute).where(*mine).values(**now._asdict()))
            else:
                connection.execute(insert(gpu_minute).values(lease=lease, slice=piece, **now._asdict()))

    def recent(self, lease: UUID, minutes: int, now_us: int) -> GpuUse | None:
        """How a lease used its GPU over the last minutes; None where nothing was sampled, which is not idleness."""
        since = now_us // MINUTE_US - minutes
        with reading(self._engine) as connection:
            return use_of(each for each in _minutes(connection, lease) if each.minute >= since)

    def last_used_us(self, lease: UUID) -> int:
        """When a lease's GPU was last seen at work, to the minute; 0 for never.

        Where the driver tells no rate (MIG), a process on the slice counts as work.
        """
        at_work = or_(
            gpu_minute.c.busy_sum >= WORKING_PERCENT * gpu_minute.c.samples,
            (gpu_minute.c.rated == 0) & (gpu_minute.c.processes > 0),
        )
        with reading(self._engine) as connection:
            asked = select(func.max(gpu_minute.c.minute)).where(gpu_minute.c.lease == lease, at_work)
            last = connection.execute(asked).scalar_one()
        return 0 if last is None else (int(last) + 1) * MINUTE_US

    def minutes(self, lease: UUID) -> tuple[Minute, ...]:
        """Every minute of a session, in their order: what its evidence in the chain has the digest of."""
        with reading(self._engine) as connection:
            return _minutes(connection, lease)

    def quiet_since(self, before_us: int) -> dict[UUID, str]:
        """Leases whose last sample lies before a moment, with their slices: those that may have ended."""
        last = before_us // MINUTE_US
        with reading(self._engine) as connection:
            busy = select(gpu_minute.c.lease).where(gpu_minute.c.minute >= last)
            asked = select(gpu_minute.c.lease, gpu_minute.c.slice).where(
                gpu_minute.c.lease.not_in(busy), ~gpu_minute.c.rolled_up
            )
            return {row.lease: row.slice for row in connection.execute(asked.distinct())}

    def mark_rolled_up(self, lease: UUID) -> None:
        """Remember that a session's evidence is in the chain."""
        with self._engine.begin() as connection:
            connection.execute(update(gpu_minute).where(gpu_minute.c.lease == lease).values(rolled_up=True))

    def forget(self, before_us: int) -> int:
        """Drop minutes from before a moment whose evidence is in the chain; returns how many."""
        old = (gpu_minute.c.minute < before_us // MINUTE_US, gpu_minute.c.rolled_up)
        with self._engine.begin() as connection:
            return int(connection.execute(delete(gpu_minute).where(*old)).rowcount)


def _minutes(connection: Connection, lease: UUID) -> tuple[Minute, ...]:
    asked = select(*_COLUMNS).where(gpu_minute.c.lease == lease).order_by(gpu_minute.c.minute)
    return tuple(Minute(*row) for row in connection.execute(asked))
