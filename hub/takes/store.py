"""The take servers' queue: what was asked for, whose turn it is, how far it is; every step is one transaction.

A server that takes a job up gets a fence. Whoever's fence is not the job's any more has lost it: what it writes is
refused, so a take is made and charged by one server, however many were killed on the way.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from hub.db import reading
from hub.takes.job import MOST_WAITING, RECENT_US, Job, Order, TakeRefused, in_order
from hub.takes.tables import take_job

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy import Connection, Engine, Row

_WAITS = take_job.c.state == "waiting"
_RUNS = take_job.c.state == "running"


class TakeStore:
    """The one door to ``hub_take_job``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(self, order: Order) -> Job:
        """Put an order into the queue.

        Raises:
            TakeRefused: the learner has as many in it as anybody may.
        """
        with self._engine.begin() as connection:
            mine = (take_job.c.learner == order.learner) & take_job.c.state.in_(("waiting", "running"))
            standing = connection.execute(select(func.count()).select_from(take_job).where(mine)).scalar_one()
            if standing >= MOST_WAITING:
                raise TakeRefused(
                    429, "too_many_takes",
                    f"您已有 {standing} 个镜头在排队，最多 {MOST_WAITING} 个；请等其中一个完成",
                    f"got {standing} takes in the queue already, expected at most {MOST_WAITING}; wait for one to end",
                )  # fmt: skip
            job = Job(order=order, state="waiting")
            connection.execute(insert(take_job).values(**_values(job)))
        return job

    def job(self, job_id: UUID, learner: str) -> Job | None:
        """A learner's own job; None when there is none of this id that is theirs."""
        mine = (take_job.c.id == job_id) & (take_job.c.learner == learner)
        with reading(self._engine) as connection:
            row = connection.execute(select(take_job).where(mine)).one_or_none()
        return None if row is None else _job(row)

    def ahead(self, order: Order, now_us: int) -> tuple[Order, ...]:
        """The orders that come before this one on the same profile, the running ones first."""
        same = take_job.c.profile == order.profile
        with reading(self._engine) as connection:
            running = [_job(row).order for row in connection.execute(select(take_job).where(same & _RUNS))]
            queue = _queue(connection, {order.profile}, now_us)
        before = [each.id for each in queue].index(order.id) if order.id in {each.id for each in queue} else 0
        return (*running, *queue[:before])

    def claim(self, profiles: Collection[str], now_us: int) -> Job | None:
        """Take up the next job of these profiles; None when there is none."""
        with self._engine.begin() as connection:
            queue = _queue(connection, profiles, now_us)
            if not queue:
                return None
            mine = take_job.c.id == queue[0].id
            taken = connection.execute(
                update(take_job).where(mine & _WAITS)
                .values(state="running", fence=take_job.c.fence + 1, beat_us=now_us, step=0)
            ).rowcount  # fmt: skip
            return _job(connection.execute(select(take_job).where(mine)).one()) if taken else None

    def lease(self, job: Job, lease: UUID) -> bool:
        """Note the lease that a claimed job is charged to; False when the job was lost."""
        return self._write(job, lease=lease)

    def beat(self, job: Job, step: int, now_us: int) -> bool:
        """Note a sign of life; False when the job was cancelled or lost, and the drawing should end."""
        return self._write(job, step=step, beat_us=now_us)

    def finish(self, job: Job, record: str, used_us: int) -> bool:
        """The take is made; False when the job was cancelled or lost meanwhile."""
        return self._write(job, state="done", record=record, used_us=used_us, step=job.order.steps)

    def fail(self, job: Job, zh: str, en: str, used_us: int = 0) -> bool:
        """The take cannot be made, and why."""
        return self._write(job, state="failed", why_zh=zh, why_en=en, used_us=used_us)

    def cancel(self, job_id: UUID, learner: str) -> bool:
        """Take a learner's own job out of the queue, or stop it; False when it had ended already."""
        mine = (take_job.c.id == job_id) & (take_job.c.learner == learner)
        with self._engine.begin() as connection:
            going = update(take_job).where(mine & take_job.c.state.in_(("waiting", "running")))
            return bool(connection.execute(going.values(state="cancelled")).rowcount)

    def silent(self, since_us: int) -> tuple[Job, ...]:
        """Running jobs whose server has given no sign of life since then."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(take_job).where(_RUNS & (take_job.c.beat_us < since_us)))
            return tuple(_job(row) for row in rows)

    def again(self, job: Job) -> bool:
        """Put a job whose server was lost back into the queue; its old server can write to it no more."""
        return self._write(job, state="waiting", lease=None, fence=job.fence + 1)

    def drop_before(self, asked_us: int) -> tuple[UUID, ...]:
        """Forget what was asked for before then and has ended; gives their ids."""
        old = (take_job.c.asked_us < asked_us) & take_job.c.state.not_in(("waiting", "running"))
        with self._engine.begin() as connection:
            ids = tuple(connection.scalars(select(take_job.c.id).where(old)))
            if ids:
                connection.execute(delete(take_job).where(take_job.c.id.in_(ids)))
        return ids

    def _write(self, job: Job, **values: Any) -> bool:
        mine = (take_job.c.id == job.order.id) & (take_job.c.fence == job.fence) & _RUNS
        with self._engine.begin() as connection:
            return bool(connection.execute(update(take_job).where(mine).values(**values)).rowcount)


def _queue(connection: Connection, profiles: Collection[str], now_us: int) -> list[Order]:
    mine = take_job.c.profile.in_(list(profiles))
    waiting = [_job(row).order for row in connection.execute(select(take_job).where(mine & _WAITS))]
    recent = (
        select(take_job.c.learner, func.sum(take_job.c.used_us))
        .where(take_job.c.asked_us >= now_us - RECENT_US)
        .group_by(take_job.c.learner)
    )
    used = {learner: int(used_us) for learner, used_us in connection.execute(recent)}
    return in_order(waiting, used, now_us)


def _job(row: Row[Any]) -> Job:
    named = row._mapping  # noqa: SLF001 -- SQLAlchemy's public name for it
    order = Order(**{field.name: named[field.name] for field in fields(Order)})
    return Job(order=order, **{field.name: named[field.name] for field in fields(Job) if field.name != "order"})


def _values(job: Job) -> dict[str, Any]:
    values = asdict(job)
    order: dict[str, Any] = values.pop("order")
    return {**order, **values}
