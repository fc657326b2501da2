"""The life of a lease: opened before a lab may start, started, beaten, ended, and what second witnesses saw of it.

Every step is one transaction of one writer: the event is chained, the books follow from it, both or neither are
written. Two starts can therefore never both be paid from the same balance, nor from the same budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.compute import books as book
from hub.compute.class_window import inside_us
from hub.compute.lease import (
    MAX_TIME_US,
    AllowanceExhausted,
    Lease,
    LeaseRequest,
    LeaseStateError,
    UnknownLeaseError,
    plain_text,
    refuse_bad_int,
    refuse_bad_name,
)
from hub.compute.ledger import entries as chain
from hub.compute.ledger import purses, usage, watch
from hub.compute.ledger import shelves as shelf
from hub.compute.ledger.classes import class_time
from hub.compute.observation import Observation, difference
from hub.compute.settle import START_WITHIN_US
from hub.compute.tariff import hold
from hub.db import reading

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from hub.compute.books import BookedLease
    from hub.compute.gpu.usage import GpuEvidence
    from hub.compute.ledger.pen import Pen
    from hub.compute.observation import Difference


class Leases:
    """What engines and the steward do with leases; a part of :class:`hub.compute.ledger.Ledger`."""

    _pen: Pen

    def open(self, request: LeaseRequest) -> Lease:
        """Write the intent and hold the list price of the longest session; the same request again gives the same lease.

        Raises:
            AllowanceExhausted: what is left of the allowance, or of a budget, does not cover it.
            NoPriceError: nothing prices the profile for that long.
            LeaseStateError: another request has this id already.
        """
        with self._pen.writing() as connection:
            if standing := shelf.find_lease(connection, request.id):
                if standing.lease.request() != request:
                    raise LeaseStateError(f"lease {request.id}: got a different request, expected a new id for it")
                return standing.lease
            latest, longest = request.requested_us + START_WITHIN_US, request.longest_us
            prices = self._pen.policy.prices
            spared = class_time(connection, request, latest + longest)
            free_us = inside_us(spared, request.requested_us, request.requested_us + longest)
            held = hold(prices, request.profile, request.requested_us, longest, latest, free_us)
            full = hold(prices, request.profile, request.requested_us, longest, latest)
            met = _payable(connection, request, held, full)
            self._pen.adopt(connection)
            body = {"request": book.request_body(request), "held_uy": held, "policy": self._pen.policy.digest}
            body |= {"spared": spared} if spared else {}
            body |= {"full_uy": full, "budgets": met} if met else {}
            self._pen.append(connection, book.OPENED, str(request.id), body)
            booked = book.opened(body)
            shelf.keep_new_lease(connection, booked)
            purses.draw(connection, None, booked)
        return booked.lease

    def record_started(self, lease_id: UUID, at_us: int, source: str, uncertainty_us: int = 0) -> Lease:
        """Write when the engine says the lab started; the first record counts.

        Raises:
            UnknownLeaseError: it was never opened.
            LeaseStateError: it was voided.
        """
        body = _witnessed(at_us, source, uncertainty_us)
        with self._pen.writing() as connection:
            before = lease_of(connection, lease_id)
            if before.lease.state == "void":
                raise LeaseStateError(f"lease {lease_id} was voided: got a start, expected none; open a new lease")
            if before.lease.state != "opened":
                return before.lease
            self._pen.append(connection, book.STARTED, str(lease_id), body)
            after = book.started(before, body)
            shelf.keep_lease(connection, after)
        return after.lease

    def record_ended(
        self,
        lease_id: UUID,
        at_us: int,
        source: str,
        reason: str,
        uncertainty_us: int = 0,
        *,
        measured_us: int | None = None,
    ) -> Lease:
        """Write when the engine says the lab ended, charge it, share the charge, release the hold; the first counts.

        ``measured_us`` is the session's length by a clock that cannot step, from an engine that has one.

        Raises:
            UnknownLeaseError: it was never opened.
            LeaseStateError: it was voided, or its start was not recorded.
        """
        if measured_us is not None:
            refuse_bad_int("measured_us", measured_us, most=MAX_TIME_US)
        body = _witnessed(at_us, source, uncertainty_us) | {
            "reason": plain_text(reason),
            "measured_us": measured_us,
        }
        with self._pen.writing() as connection:
            before = lease_of(connection, lease_id)
            if before.lease.state == "ended":
                return before.lease
            if before.lease.state != "running":
                raise LeaseStateError(
                    f"lease {lease_id} is {before.lease.state}: got an end, expected its start to be recorded first"
                )
            entry = self._pen.append(connection, book.ENDED, str(lease_id), body)
            policy = self._pen.policy_of(connection, before.policy)
            used = shelf.used_for(connection, before.lease.learner, before.lease.site)
            after, sums = book.ended(before, body, entry.recorded_us, policy, used)
            shelf.keep_lease(connection, after)
            shelf.keep_lines(connection, sums.lines)
            usage.keep_usage(connection, sums.lines)
            purses.draw(connection, before, after)
        return after.lease

    def record_lost(self, lease_id: UUID, source: str, reason: str, beat_every_us: int) -> Lease:
        """End a lease whose end nobody saw at its last heartbeat; the stated uncertainty is one heartbeat.

        Raises:
            UnknownLeaseError, LeaseStateError: see :meth:`record_ended`.
        """
        with reading(self._pen.engine) as connection:
            beaten = watch.last_beat(connection, lease_id)
            started = lease_of(connection, lease_id).lease.started_us
        return self.record_ended(lease_id, max(started or 0, beaten or 0), source, reason, beat_every_us)

    def heartbeat(self, lease_id: UUID, at_us: int, source: str) -> None:
        """Keep a running lab's sign of life; it only bounds the error should nobody see the end.

        Raises:
            UnknownLeaseError: it was never opened.
        """
        _witnessed(at_us, source, 0)
        with self._pen.writing() as connection:
            lease_of(connection, lease_id)
            watch.beat(connection, lease_id, at_us, source)

    def observe(self, lease_id: UUID, source: str, started_us: int, ended_us: int) -> Difference | None:
        """Keep what a second witness saw of a session, known or not; the difference from the ledger, if over a second.

        The first observation of each source counts. It changes no charge.
        """
        seen = Observation(lease=lease_id, source=source, started_us=started_us, ended_us=ended_us)
        with self._pen.writing() as connection:
            if standing := chain.find(connection, book.OBSERVED, seen.subject):
                seen = Observation.from_body(chain.body_of(standing))
            else:
                self._pen.append(connection, book.OBSERVED, seen.subject, seen.as_body())
                watch.keep_observation(connection, seen)
            booked = shelf.find_lease(connection, lease_id)
        return difference(seen, booked.lease if booked else None)

    def keep_gpu_evidence(self, used: GpuEvidence) -> bool:
        """Write how an ended session used its GPU; whether it was new. The first evidence counts; it changes no charge.

        Raises:
            UnknownLeaseError: the lease was never opened.
            LeaseStateError: it has not ended.
        """
        with self._pen.writing() as connection:
            state = lease_of(connection, used.lease).lease.state
            if state != "ended":
                raise LeaseStateError(f"lease {used.lease} is {state}: got GPU evidence, expected it to have ended")
            if chain.find(connection, book.GPU_EVIDENCE, str(used.lease)):
                return False
            self._pen.append(connection, book.GPU_EVIDENCE, str(used.lease), used.as_body())
            watch.keep_evidence(connection, used)
            usage.keep_gpu_usage(connection, used)
        return True

    def void(self, lease_id: UUID, why: str) -> Lease:
        """Release the hold of a lease whose lab never started; again is the same.

        Raises:
            UnknownLeaseError: it was never opened.
            LeaseStateError: it has started.
        """
        with self._pen.writing() as connection:
            before = lease_of(connection, lease_id)
            if before.lease.state == "void":
                return before.lease
            if before.lease.state != "opened":
                raise LeaseStateError(f"lease {lease_id} is {before.lease.state}: expected one that never started")
            self._pen.append(connection, book.VOIDED, str(lease_id), {"why": plain_text(why)})
            after = book.voided(before)
            shelf.keep_lease(connection, after)
            purses.draw(connection, before, after)
        return after.lease


def lease_of(connection: Connection, lease_id: UUID) -> BookedLease:
    """The lease of this id as the books keep it.

    Raises:
        UnknownLeaseError: it was never opened.
    """
    found = shelf.find_lease(connection, lease_id)
    if found is None:
        raise UnknownLeaseError(f"got lease {lease_id}, expected one that this ledger opened")
    return found


def _payable(connection: Connection, request: LeaseRequest, held: int, full: int) -> tuple[tuple[str, str], ...]:
    """Refuse what the allowance or a budget does not cover; gives back the budgets that it draws on."""
    left = shelf.account(connection, request.learner, request.course).left_uy
    if held > left:
        raise AllowanceExhausted(left, held)
    met = purses.met(connection, request)
    for standing in met:
        if full > standing.left_uy:
            raise AllowanceExhausted(standing.left_uy, full, standing.scope)
    return tuple(standing.key for standing in met)


def _witnessed(at_us: int, source: str, uncertainty_us: int) -> dict[str, Any]:
    refuse_bad_int("at_us", at_us, most=MAX_TIME_US)
    refuse_bad_int("uncertainty_us", uncertainty_us, most=MAX_TIME_US)
    refuse_bad_name("source", source)
    return {"at_us": at_us, "source": source, "uncertainty_us": uncertainty_us}
