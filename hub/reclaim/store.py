"""Keeps when labs were last used and which notices stand, by this host's clock alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, insert, literal, select, update

from hub.db import reading
from hub.reclaim.rule import Notice
from hub.reclaim.tables import lab_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from sqlalchemy import Connection, Engine, Row


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a lab: when it last told of itself (0: never), its last use then, and the notice that stands."""

    told_us: int
    used_us: int
    notice: Notice | None


UNTOLD = Use(0, 0, None)


class UseStore:
    """The one door to ``hub_lab_use``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def use(self, lease: UUID) -> Use:
        """What is known of a lab's use; :data:`UNTOLD` of one that nothing was kept of."""
        with reading(self._engine) as connection:
            row = connection.execute(select(lab_use).where(lab_use.c.lease == lease)).one_or_none()
        return UNTOLD if row is None else _use(row)

    def revise(self, lease: UUID, change: Callable[[Use], Use]) -> Use:
        """Replace what is known of a lab by what ``change`` makes of it, while nobody else does; gives that back."""
        mine = lab_use.c.lease == lease
        with self._engine.begin() as connection:
            _make_sure_of(connection, lease)
            known = _use(connection.execute(select(lab_use).where(mine).with_for_update()).one())
            revised = change(known)
            if revised != known:
                connection.execute(update(lab_use).where(mine).values(**_values(revised)))
        return revised

    def forget_all_but(self, leases: Iterable[UUID]) -> int:
        """Drop what was kept of labs that run no more; returns of how many."""
        with self._engine.begin() as connection:
            return connection.execute(delete(lab_use).where(lab_use.c.lease.not_in(list(leases)))).rowcount


def _make_sure_of(connection: Connection, lease: UUID) -> None:
    names = ["lease", "told_us", "used_us"]
    fresh = select(literal(lease, lab_use.c.lease.type), literal(0), literal(0))
    connection.execute(insert(lab_use).from_select(names, fresh.where(~exists().where(lab_use.c.lease == lease))))


def _use(row: Row[Any]) -> Use:
    notice = None if row.why is None else Notice(row.given_us, row.stops_us, row.why)
    return Use(row.told_us, row.used_us, notice)


def _values(use: Use) -> dict[str, Any]:
    notice = use.notice
    return {
        "told_us": use.told_us,
        "used_us": use.used_us,
        "given_us": notice and notice.given_us,
        "stops_us": notice and notice.stops_us,
        "why": notice and notice.why,
    }
