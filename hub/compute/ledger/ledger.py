"""The compute ledger: grants compute, opens a lease before a lab may start, settles it when it ended, and sums.

Every change is one transaction of one writer: the event is chained, the books follow from it, both or neither are
written. Two starts can therefore never both be paid from the same balance.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hub.compute import books as book
from hub.compute.class_window import inside_us
from hub.compute.lease import (
    MAX_TIME_US,
    MINUTE_US,
    Account,
    AllowanceExhausted,
    Grant,
    Lease,
    LeaseRequest,
    LeaseStateError,
    LedgerError,
    Metered,
    NoPriceError,
    Quote,
    Session,
    UnknownLeaseError,
    plain_text,
    refuse_bad_int,
    refuse_bad_name,
)
from hub.compute.ledger import audit, watch
from hub.compute.ledger import entries as chain
from hub.compute.ledger import shelves as shelf
from hub.compute.ledger.claims import Claims
from hub.compute.ledger.classes import Classes, class_time
from hub.compute.ledger.figures import figures
from hub.compute.ledger.pen import Pen, now_us
from hub.compute.observation import Observation, difference
from hub.compute.policy import Policy
from hub.compute.report import LearnerUse, Report, by_learner, refuse_unknown_dimensions, report
from hub.compute.settle import START_WITHIN_US, share, taken_so_far
from hub.compute.subsidy import Beneficiary
from hub.compute.tariff import hold
from hub.db import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import Connection, Engine

    from hub.compute.books import BookedLease
    from hub.compute.chain import LedgerVerification
    from hub.compute.checkpoint import Checkpoint
    from hub.compute.metrics import Figures
    from hub.compute.observation import Difference
    from hub.compute.settle import ChargeLine


class Ledger:
    """The one door to leases and money; safe to share between threads, and between processes on one database."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        checkpoint_key: Path | None = None,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._checkpoint_key = checkpoint_key
        self._pen = Pen(engine, clock)
        self._policies = {policy.digest: policy}

    # ---- grants and leases -------------------------------------------------------------------------------------

    def grant(self, learner: str, course: str, micro_yuan: int, why: str, at_us: int) -> Grant:
        """Give compute once for each (learner, course, why); gives back the grant that stands, maybe an older one.

        Raises:
            ValueError: a name or the amount is none.
        """
        given = Grant(learner=learner, course=course, micro_yuan=micro_yuan, why=why, at_us=at_us)
        subject = book.grant_subject(learner, course, why)
        with self._pen.writing() as connection:
            if standing := shelf.find_grant(connection, subject):
                return standing
            self._pen.append(connection, book.GRANT_GIVEN, subject, asdict(given))
            shelf.keep_grant(connection, given)
        return given

    def open(self, request: LeaseRequest) -> Lease:
        """Write the intent and hold the list price of the longest session; the same request again gives the same lease.

        Raises:
            AllowanceExhausted: what is left does not cover it.
            NoPriceError: nothing prices the profile for that long.
            LeaseStateError: another request has this id already.
        """
        with self._pen.writing() as connection:
            if standing := shelf.find_lease(connection, request.id):
                if standing.lease.request() != request.request():
                    raise LeaseStateError(f"lease {request.id}: got a different request, expected a new id for it")
                return standing.lease
            latest, longest = request.requested_us + START_WITHIN_US, request.longest_us
            spared = class_time(connection, request, latest + longest)
            free_us = inside_us(spared, request.requested_us, request.requested_us + longest)
            held = hold(self._policy.prices, request.profile, request.requested_us, longest, latest, free_us)
            left = shelf.account(connection, request.learner, request.course).left_uy
            if held > left:
                raise AllowanceExhausted(left, held)
            self._pen.adopt(connection, self._policy)
            body = {"request": book.request_body(request), "held_uy": held, "policy": self._policy.digest}
            body |= {"spared": spared} if spared else {}
            self._pen.append(connection, book.OPENED, str(request.id), body)
            booked = book.opened(body)
            shelf.keep_new_lease(connection, booked)
        return booked.lease

    def record_started(self, lease_id: UUID, at_us: int, source: str, uncertainty_us: int = 0) -> Lease:
        """Write when the engine says the lab started; the first record counts.

        Raises:
            UnknownLeaseError: it was never opened.
            LeaseStateError: it was voided.
        """
        body = _witnessed(at_us, source, uncertainty_us)
        with self._pen.writing() as connection:
            before = _lease(connection, lease_id)
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
            before = _lease(connection, lease_id)
            if before.lease.state == "ended":
                return before.lease
            if before.lease.state != "running":
                raise LeaseStateError(
                    f"lease {lease_id} is {before.lease.state}: got an end, expected its start to be recorded first"
                )
            entry = self._pen.append(connection, book.ENDED, str(lease_id), body)
            policy = self._policy_of(connection, before.policy)
            used = shelf.used_for(connection, before.lease.learner, before.lease.site)
            after, sums = book.ended(before, body, entry.recorded_us, policy, used)
            shelf.keep_lease(connection, after)
            shelf.keep_lines(connection, sums.lines)
        return after.lease

    def record_lost(self, lease_id: UUID, source: str, reason: str, beat_every_us: int) -> Lease:
        """End a lease whose end nobody saw at its last heartbeat; the stated uncertainty is one heartbeat.

        Raises:
            UnknownLeaseError, LeaseStateError: see :meth:`record_ended`.
        """
        with reading(self._engine) as connection:
            beaten = watch.last_beat(connection, lease_id)
            started = _lease(connection, lease_id).lease.started_us
        return self.record_ended(lease_id, max(started or 0, beaten or 0), source, reason, beat_every_us)

    def heartbeat(self, lease_id: UUID, at_us: int, source: str) -> None:
        """Keep a running lab's sign of life; it only bounds the error should nobody see the end.

        Raises:
            UnknownLeaseError: it was never opened.
        """
        _witnessed(at_us, source, 0)
        with self._pen.writing() as connection:
            _lease(connection, lease_id)
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

    def differences(self) -> tuple[Difference, ...]:
        """Every session that a second witness saw otherwise than the ledger, or that the ledger does not know."""
        with reading(self._engine) as connection:
            return watch.differences(connection)

    def void(self, lease_id: UUID, why: str) -> Lease:
        """Release the hold of a lease whose lab never started; again is the same.

        Raises:
            UnknownLeaseError: it was never opened.
            LeaseStateError: it has started.
        """
        with self._pen.writing() as connection:
            before = _lease(connection, lease_id)
            if before.lease.state == "void":
                return before.lease
            if before.lease.state != "opened":
                raise LeaseStateError(f"lease {lease_id} is {before.lease.state}: expected one that never started")
            self._pen.append(connection, book.VOIDED, str(lease_id), {"why": plain_text(why)})
            after = book.voided(before)
            shelf.keep_lease(connection, after)
        return after.lease

    # ---- what people ask ---------------------------------------------------------------------------------------

    def lease(self, lease_id: UUID) -> Lease:
        """One lease.

        Raises:
            UnknownLeaseError: it was never opened.
        """
        with reading(self._engine) as connection:
            return _lease(connection, lease_id).lease

    def open_leases(self) -> tuple[Lease, ...]:
        """Leases that are opened or running, oldest first."""
        with reading(self._engine) as connection:
            return tuple(booked.lease for booked in shelf.leases_in(connection, ("opened", "running")))

    def account(self, learner: str, course: str) -> Account:
        """A learner's allowance in a course: granted, held, spent, left."""
        with reading(self._engine) as connection:
            return shelf.account(connection, learner, course)

    def quote(self, learner: str, course: str, profile: str, minutes: int, at_us: int, *, site: str = "") -> Quote:
        """What a session of that many minutes would cost from ``at_us`` on, as caps stand now.

        Without ``site``, programmes that are for some sites only are not counted in.

        Raises:
            NoPriceError: nothing prices the profile.
        """
        refuse_bad_int("minutes", minutes, most=31 * 24 * 60)
        found = self._policy.prices.price_at(profile, at_us)
        if found is None:
            raise NoPriceError(f"profile {profile!r} has no price on {self._policy.prices.day(at_us)}")
        who = Beneficiary(learner, course, site, profile, "")
        with reading(self._engine) as connection:
            used = shelf.used_for(connection, learner, site)
        pieces = share(who, self._policy, at_us, at_us + minutes * MINUTE_US, used)
        total = sum(piece.stretch.total_uy for piece in pieces)
        paid = sum(piece.subsidised_uy for piece in pieces)
        return Quote(
            profile=profile,
            minutes=minutes,
            total_uy=total,
            subsidised_uy=paid,
            learner_uy=total - paid,
            tariff=found[0],
        )

    def sessions(self, learner: str, course: str) -> tuple[Session, ...]:
        """A learner's sessions in a course, newest first; leases that never ran are left out."""
        with reading(self._engine) as connection:
            return tuple(booked.session() for booked in shelf.leases_of(connection, learner, course))

    def metered(self, learner: str, course: str) -> Metered:
        """Seconds over a learner's ended sessions in a course."""
        with reading(self._engine) as connection:
            return shelf.metered(connection, learner, course)

    def report(self, dimensions: tuple[str, ...], from_day: str, until_day: str) -> Report:
        """The funder's report over days (``YYYY-MM-DD``), the last one not included.

        Raises:
            LedgerError: a dimension is unknown.
        """
        refuse_unknown_dimensions(dimensions)
        with reading(self._engine) as connection:
            return report(dimensions, from_day, until_day, shelf.usage(connection, dimensions, from_day, until_day))

    def learners(self, from_day: str, until_day: str) -> tuple[LearnerUse, ...]:
        """What every learner used by programme: for those who may see names, never for a funder's page."""
        with reading(self._engine) as connection:
            return by_learner(shelf.usage(connection, (), from_day, until_day))

    def lines(self, where: Mapping[str, str], from_day: str, until_day: str) -> tuple[ChargeLine, ...]:
        """The charge lines behind a report's row (its ``drill()``)."""
        refuse_unknown_dimensions(tuple(name for name in where if name not in {"programme", "payer"}))
        with reading(self._engine) as connection:
            return shelf.lines_where(connection, where, from_day, until_day)

    def accrued(self, learner: str, course: str, at_us: int) -> int:
        """What running sessions would take of a learner's allowance if they ended now, at list price."""
        with reading(self._engine) as connection:
            running = [
                (booked, self._policy_of(connection, booked.policy))
                for booked in shelf.running(connection, learner, course)
            ]
        return sum(taken_so_far(booked.lease, booked.spared, policy, at_us) for booked, policy in running)

    def figures(self) -> Figures:
        """The ledger in numbers, without names of learners: what :mod:`hub.compute.metrics` prints."""
        with reading(self._engine) as connection:
            return figures(connection, self._pen.clock())

    @cached_property
    def classes(self) -> Classes:
        """Scheduled hours in which labs spare personal allowances."""
        return Classes(self._pen)

    @cached_property
    def claims(self) -> Claims:
        """What is asked of payers: preview, freeze, evidence pack, notes."""
        return Claims(self._pen, self._policy, self._checkpoint_key)

    # ---- proof -------------------------------------------------------------------------------------------------

    def verify(self, *, books: bool = True, elsewhere: Iterable[Checkpoint] = ()) -> LedgerVerification:
        """Check the whole chain, its checkpoints (with those kept ``elsewhere``) and, unless told not to, the books."""
        return audit.verify(self._engine, self._checkpoint_key, tuple(elsewhere), with_books=books)

    def checkpoint(self, day: date) -> Checkpoint:
        """Sign where the chain ends now, under the name of ``day``; the same day again gives the same checkpoint.

        Raises:
            CheckpointError: no key is configured, or it is gone while checkpoints signed by it exist.
        """
        with self._pen.writing() as connection:
            return audit.checkpoint(connection, self._checkpoint_key, day.isoformat(), self._pen.clock())

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Every checkpoint, oldest first: what to keep copies of elsewhere."""
        with reading(self._engine) as connection:
            return chain.checkpoints(connection)

    def rebuild(self) -> LedgerVerification:
        """Make the books anew from the chain, if the chain holds; the answer says whether it did."""
        with self._pen.writing() as connection:
            return audit.rebuild(connection)

    # ---- the rules of a lease --------------------------------------------------------------------------------------

    def _policy_of(self, connection: Connection, digest: str) -> Policy:
        if digest not in self._policies:
            adopted = chain.find(connection, book.POLICY_ADOPTED, digest)
            if adopted is None:
                raise LedgerError(f"got a lease under policy {digest}, expected that policy in the chain; run verify")
            self._policies[digest] = Policy.model_validate_json(adopted.body)
        return self._policies[digest]


def _lease(connection: Connection, lease_id: UUID) -> BookedLease:
    found = shelf.find_lease(connection, lease_id)
    if found is None:
        raise UnknownLeaseError(f"got lease {lease_id}, expected one that this ledger opened")
    return found


def _witnessed(at_us: int, source: str, uncertainty_us: int) -> dict[str, Any]:
    refuse_bad_int("at_us", at_us, most=MAX_TIME_US)
    refuse_bad_int("uncertainty_us", uncertainty_us, most=MAX_TIME_US)
    refuse_bad_name("source", source)
    return {"at_us": at_us, "source": source, "uncertainty_us": uncertainty_us}
