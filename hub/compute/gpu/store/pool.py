"""The GPU pool: gives slices to leases, one writer at a time, and forgets nothing over a restart.

Every call is one transaction. Whoever wants a slice calls :meth:`Pool.ask` until it gives one; whoever stops asking
for :data:`LEFT_US` has left the queue. A hold ends with :meth:`Pool.release`, or when :meth:`Pool.reconcile` finds its
lease ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from hub.compute.gpu import fair
from hub.compute.gpu.slice import GpuError, GpuRequest, Hold, Place, QueueLeft, Reservation, Slice
from hub.compute.gpu.tables import gpu_hold, gpu_reservation, gpu_slice, gpu_wait
from hub.db import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from sqlalchemy import Connection, Engine

    from hub.compute.gpu.slice import GpuSettings

LEFT_US = 20_000_000
"""Who has not asked for this long no longer waits: their hub ended, or they cancelled elsewhere."""


class Pool:
    """The one door to GPU slices; safe to share between threads, and between processes on one database."""

    def __init__(self, engine: Engine, settings: GpuSettings) -> None:
        self._engine, self._settings = engine, settings

    def sync(self, slices: Iterable[Slice], now_us: int) -> None:
        """Take in what there is now; slices that are gone are given to nobody, their holds end with their leases."""
        with self._writing() as connection:
            connection.execute(update(gpu_slice).values(present=False))
            known = set(connection.scalars(select(gpu_slice.c.uuid)))
            for piece in slices:
                values = {**asdict(piece), "present": True, "seen_us": now_us}
                if piece.uuid in known:
                    connection.execute(update(gpu_slice).where(gpu_slice.c.uuid == piece.uuid).values(**values))
                else:
                    connection.execute(insert(gpu_slice).values(**values))
                    known.add(piece.uuid)

    def ask(self, request: GpuRequest, now_us: int) -> Hold | Place:
        """Take a slice if it is this lease's turn, else keep its place in the queue; asking again changes nothing else.

        Raises:
            GpuError: there is no slice of that class at all, so waiting would never end.
            QueueLeft: the person cancelled; their place is gone.
        """
        with self._writing() as connection:
            if standing := _hold_of(connection, request.lease):
                return standing
            seats = self._seats(connection, request.gpu_class)
            if not seats:
                raise GpuError(f"gpu_class: got {request.gpu_class!r}, and there is no slice of that class here")
            answer = (
                None if _drop_cancelled(connection, request.lease) else self._serve(connection, request, seats, now_us)
            )
        if answer is None:
            raise QueueLeft(f"lease {request.lease} left the queue")
        return answer

    def cancel(self, lease: UUID) -> bool:
        """Leave the queue; whether it was in it. The start that waits learns of it when it asks again."""
        with self._writing() as connection:
            mine = update(gpu_wait).where(gpu_wait.c.lease == lease)
            return bool(connection.execute(mine.values(is_cancelled=True)).rowcount)

    def release(self, lease: UUID) -> bool:
        """Give a lease's slice back and take it out of the queue; whether it held one. Again is the same."""
        with self._writing() as connection:
            connection.execute(delete(gpu_wait).where(gpu_wait.c.lease == lease))
            return bool(connection.execute(delete(gpu_hold).where(gpu_hold.c.lease == lease)).rowcount)

    def reconcile(self, open_leases: Callable[[], frozenset[UUID]], now_us: int) -> int:
        """Take back the slices of leases that are not open any more, and the places of who left; returns how many.

        ``open_leases`` answers with every lease that is opened or running. It is asked after the holds were read: a
        lease is opened before it can hold, so whoever held and is not open then has ended.
        """
        with reading(self._engine) as connection:
            seen = {hold.lease for hold in _holds(connection)} | set(connection.scalars(select(gpu_wait.c.lease)))
        ended = seen - open_leases()
        with self._writing() as connection:
            done = 0
            for lease in ended:
                done += connection.execute(delete(gpu_hold).where(gpu_hold.c.lease == lease)).rowcount
                done += connection.execute(delete(gpu_wait).where(gpu_wait.c.lease == lease)).rowcount
            left = gpu_wait.c.asked_us < now_us - LEFT_US
            return done + int(connection.execute(delete(gpu_wait).where(left)).rowcount)

    def reserve(self, reservation: Reservation) -> None:
        """Keep seats for a cohort in a window.

        Raises:
            GpuError: the class has fewer seats than all windows that overlap it would then need.
        """
        with self._writing() as connection:
            others = [
                other.seats
                for other in _reservations(connection, reservation.gpu_class, reservation.from_us)
                if other.from_us < reservation.until_us
            ]
            seats = len(self._seats(connection, reservation.gpu_class))
            if sum(others) + reservation.seats > seats:
                raise GpuError(
                    f"seats: got {reservation.seats}, expected at most {seats - sum(others)}: "
                    f"{reservation.gpu_class} has {seats}, {sum(others)} of them reserved in that window"
                )
            connection.execute(insert(gpu_reservation).values(**asdict(reservation)))

    def unreserve(self, reservation_id: UUID) -> bool:
        """Drop a reservation; whether there was one."""
        with self._writing() as connection:
            gone = connection.execute(delete(gpu_reservation).where(gpu_reservation.c.id == reservation_id))
            return bool(gone.rowcount)

    def reservations(self, after_us: int) -> tuple[Reservation, ...]:
        """Reservations that end after a moment, by class and start."""
        wanted = select(gpu_reservation).where(gpu_reservation.c.until_us > after_us)
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(gpu_reservation.c.gpu_class, gpu_reservation.c.from_us))
            return tuple(Reservation(**row) for row in rows.mappings())

    # ---- what people ask ---------------------------------------------------------------------------------------

    def holds(self) -> tuple[Hold, ...]:
        """Every slice in use."""
        with reading(self._engine) as connection:
            return tuple(_holds(connection))

    def waiting(self, now_us: int) -> frozenset[UUID]:
        """Leases that wait in any queue and still ask."""
        asked = select(gpu_wait.c.lease).where(gpu_wait.c.asked_us >= now_us - LEFT_US)
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(asked))

    def slices(self) -> tuple[Slice, ...]:
        """Every slice that there is now."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(gpu_slice).where(gpu_slice.c.present).order_by(gpu_slice.c.uuid))
            return tuple(
                Slice(uuid=r.uuid, kind=r.kind, gpu_class=r.gpu_class, memory_mb=r.memory_mb, parent=r.parent)
                for r in rows
            )

    def queue(self, gpu_class: str, now_us: int) -> tuple[tuple[GpuRequest, Place], ...]:
        """Who waits for a class, next one first, each with their place."""
        with reading(self._engine) as connection:
            holds = _holds(connection, gpu_class)
            ordered = fair.in_order(_waiting(connection, gpu_class), holds, self._settings.site_floors, now_us)
            free = len(self._free(self._seats(connection, gpu_class), holds))
            return tuple((who, fair.place_of(who.lease, ordered, holds, free, now_us)) for who in ordered)

    # ---- inside a transaction ----------------------------------------------------------------------------------

    def _writing(self) -> Any:
        return self._engine.begin()

    def _serve(
        self, connection: Connection, request: GpuRequest, seats: list[tuple[str, int]], now_us: int
    ) -> Hold | Place:
        _keep_waiting(connection, request, now_us)
        holds = _holds(connection, request.gpu_class)
        ordered = fair.in_order(_waiting(connection, request.gpu_class), holds, self._settings.site_floors, now_us)
        kept = _reservations(connection, request.gpu_class, now_us)
        free = self._free(seats, holds)
        served = fair.next_served(ordered, holds, kept, len(free), now_us)
        if served is not None and served.lease == request.lease:
            return _give(connection, request, free[0], now_us)
        return fair.place_of(request.lease, ordered, holds, len(free), now_us)

    def _seats(self, connection: Connection, gpu_class: str) -> list[tuple[str, int]]:
        wanted = (gpu_slice.c.gpu_class == gpu_class) & gpu_slice.c.present
        uuids = connection.scalars(select(gpu_slice.c.uuid).where(wanted).order_by(gpu_slice.c.uuid))
        # Every slice's first seat before any slice's second: sharing begins only when all are in use.
        return sorted(
            ((uuid, seat) for uuid in uuids for seat in range(self._settings.seats(gpu_class))),
            key=lambda pair: (pair[1], pair[0]),
        )

    def _free(self, seats: list[tuple[str, int]], holds: list[Hold]) -> list[tuple[str, int]]:
        taken = {(hold.slice, hold.seat) for hold in holds}
        # A class that was shared until now may have more holds on a slice than it has seats today.
        on = Counter(hold.slice for hold in holds)
        per_slice = 1 + max((seat for _, seat in seats), default=0)
        return [(uuid, seat) for uuid, seat in seats if (uuid, seat) not in taken and on[uuid] < per_slice]


def _keep_waiting(connection: Connection, request: GpuRequest, now_us: int) -> None:
    mine = gpu_wait.c.lease == request.lease
    if not connection.execute(update(gpu_wait).where(mine).values(asked_us=now_us)).rowcount:
        connection.execute(insert(gpu_wait).values(**asdict(request), asked_us=now_us, is_cancelled=False))
    connection.execute(delete(gpu_wait).where(gpu_wait.c.asked_us < now_us - LEFT_US))


def _drop_cancelled(connection: Connection, lease: UUID) -> bool:
    mine = (gpu_wait.c.lease == lease) & gpu_wait.c.is_cancelled
    return bool(connection.execute(delete(gpu_wait).where(mine)).rowcount)


def _give(connection: Connection, request: GpuRequest, seat: tuple[str, int], now_us: int) -> Hold:
    given = Hold(
        slice=seat[0], seat=seat[1], lease=request.lease, learner=request.learner, site=request.site,
        cohort=request.cohort, gpu_class=request.gpu_class, until_us=now_us + request.longest_us,
    )  # fmt: skip
    connection.execute(insert(gpu_hold).values(**asdict(given)))
    connection.execute(delete(gpu_wait).where(gpu_wait.c.lease == request.lease))
    return given


def _hold_of(connection: Connection, lease: UUID) -> Hold | None:
    row = connection.execute(select(gpu_hold).where(gpu_hold.c.lease == lease)).mappings().one_or_none()
    return None if row is None else Hold(**row)


def _holds(connection: Connection, gpu_class: str | None = None) -> list[Hold]:
    wanted = select(gpu_hold).order_by(gpu_hold.c.slice, gpu_hold.c.seat)
    if gpu_class is not None:
        wanted = wanted.where(gpu_hold.c.gpu_class == gpu_class)
    return [Hold(**row) for row in connection.execute(wanted).mappings()]


def _waiting(connection: Connection, gpu_class: str) -> list[GpuRequest]:
    columns = [gpu_wait.c[field.name] for field in fields(GpuRequest)]
    wanted = select(*columns).where((gpu_wait.c.gpu_class == gpu_class) & ~gpu_wait.c.is_cancelled)
    return [GpuRequest(**row) for row in connection.execute(wanted).mappings()]


def _reservations(connection: Connection, gpu_class: str, after_us: int) -> list[Reservation]:
    wanted = (gpu_reservation.c.gpu_class == gpu_class) & (gpu_reservation.c.until_us > after_us)
    return [Reservation(**row) for row in connection.execute(select(gpu_reservation).where(wanted)).mappings()]
