"""What people ask the ledger: balances, quotes, sessions, reports and figures. Reads only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub.compute.lease import (
    MINUTE_US,
    SECOND_US,
    Account,
    Lease,
    LedgerError,
    Metered,
    Quote,
    Session,
    refuse_bad_int,
)
from hub.compute.ledger import shelves as shelf
from hub.compute.ledger import usage, watch
from hub.compute.ledger.figures import figures
from hub.compute.ledger.leases import lease_of
from hub.compute.report import LearnerUse, Report, by_learner, refuse_unknown_dimensions, report
from hub.compute.settle import share, taken_so_far
from hub.compute.subsidy import Beneficiary
from hub.compute.tariff import no_price
from hub.db import reading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from hub.compute.ledger.pen import Pen
    from hub.compute.metrics import Figures
    from hub.compute.observation import Difference
    from hub.compute.rollup import Place
    from hub.compute.settle import ChargeLine
    from hub.compute.suppress import Cell


class Asking:
    """What may be asked; a part of :class:`hub.compute.ledger.Ledger`."""

    _pen: Pen

    def lease(self, lease_id: UUID) -> Lease:
        """One lease.

        Raises:
            UnknownLeaseError: it was never opened.
        """
        with reading(self._pen.engine) as connection:
            return lease_of(connection, lease_id).lease

    def open_leases(self) -> tuple[Lease, ...]:
        """Leases that are opened or running, oldest first."""
        with reading(self._pen.engine) as connection:
            return tuple(booked.lease for booked in shelf.leases_in(connection, ("opened", "running")))

    def account(self, learner: str, course: str) -> Account:
        """A learner's allowance in a course: granted, held, spent, left."""
        with reading(self._pen.engine) as connection:
            return shelf.account(connection, learner, course)

    def quote(self, learner: str, course: str, profile: str, minutes: int, at_us: int, *, site: str = "") -> Quote:
        """What a session of that many minutes would cost from ``at_us`` on, as caps stand now.

        Without ``site``, programmes that are for some sites only are not counted in.

        Raises:
            NoPriceError: nothing prices the profile then; UnknownDeviceError: nothing ever did.
        """
        refuse_bad_int("minutes", minutes, most=31 * 24 * 60)
        found = self._pen.policy.prices.price_at(profile, at_us)
        if found is None:
            raise no_price(self._pen.policy.prices, profile, at_us)
        who = Beneficiary(learner, course, site, profile, "")
        with reading(self._pen.engine) as connection:
            used = shelf.used_for(connection, learner, site)
        pieces = share(who, self._pen.policy, at_us, at_us + minutes * MINUTE_US, used)
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
        with reading(self._pen.engine) as connection:
            return tuple(booked.session() for booked in shelf.leases_of(connection, learner, course))

    def metered(self, learner: str, course: str) -> Metered:
        """Seconds over a learner's ended sessions in a course."""
        with reading(self._pen.engine) as connection:
            return shelf.metered(connection, learner, course)

    def report(self, dimensions: tuple[str, ...], from_day: str, until_day: str) -> Report:
        """The funder's report over days (``YYYY-MM-DD``), the last one not included.

        Raises:
            LedgerError: a dimension is unknown.
        """
        refuse_unknown_dimensions(dimensions)
        with reading(self._pen.engine) as connection:
            asked = (connection, dimensions, from_day, until_day)
            return report(dimensions, from_day, until_day, usage.sums(*asked), usage.presence(*asked))

    def learners(self, from_day: str, until_day: str) -> tuple[LearnerUse, ...]:
        """What every learner used by programme: for those who may see names, never for a funder's page."""
        with reading(self._pen.engine) as connection:
            return by_learner(shelf.learner_sums(connection, from_day, until_day))

    def lines(self, where: Mapping[str, str], from_day: str, until_day: str) -> tuple[ChargeLine, ...]:
        """The charge lines behind a report's row (its ``drill()``)."""
        refuse_unknown_dimensions(tuple(name for name in where if name not in {"programme", "payer"}))
        with reading(self._pen.engine) as connection:
            return shelf.lines_where(connection, where, from_day, until_day)

    def line_days(self, where: Mapping[str, str], from_day: str, until_day: str) -> list[tuple[str, int, int]]:
        """How many lines :meth:`lines` would give of each day, and what their amounts sum to."""
        refuse_unknown_dimensions(tuple(name for name in where if name not in {"programme", "payer"}))
        with reading(self._pen.engine) as connection:
            return usage.line_days(connection, where, from_day, until_day)

    def moments(self, from_day: str, until_day: str) -> tuple[int, int]:
        """When a first day begins and a last one, not included, where prices are made."""
        offset_us = self._pen.policy.prices.utc_offset_minutes * MINUTE_US
        begin, end = (
            int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * SECOND_US - offset_us
            for day in (from_day, until_day)
        )
        return begin, end

    def day(self, at_us: int) -> str:
        """The day of a moment, where prices are made."""
        return self._pen.policy.prices.day(at_us)

    def spent(self, from_day: str, until_day: str) -> dict[Place, int]:
        """List price of what was charged on some days, the last one not included, by where it was."""
        with reading(self._pen.engine) as connection:
            return usage.spent(connection, from_day, until_day)

    def homes(self, labs: Collection[tuple[str, str]]) -> dict[tuple[str, str, str], Place]:
        """Where most of a learner's time in a lab was charged, by course, lab and learner: it names learners."""
        with reading(self._pen.engine) as connection:
            return usage.homes(connection, labs)

    def gpu_use(
        self, dimensions: tuple[str, ...], from_day: str, until_day: str, *, besides: Collection[Cell] = ()
    ) -> dict[Cell, float]:
        """How busy leased GPUs were in whole months, in percent, by the values of dimensions.

        What is about fewer than five learners in a month is left out, and so are those ``besides``, with what would
        tell of them.

        Raises:
            LedgerError: a dimension is unknown, or a month is not whole.
        """
        refuse_unknown_dimensions(dimensions)
        if not from_day.endswith("-01") or not until_day.endswith("-01"):
            raise LedgerError(f"got days from {from_day} until {until_day}, expected whole months")
        with reading(self._pen.engine) as connection:
            return usage.gpu_use(connection, dimensions, (from_day[:7], until_day[:7]), besides)

    def accrued(self, learner: str, course: str, at_us: int) -> int:
        """What running sessions would take of a learner's allowance if they ended now, at list price."""
        with reading(self._pen.engine) as connection:
            running = [
                (booked, self._pen.policy_of(connection, booked.policy))
                for booked in shelf.running(connection, learner, course)
            ]
        return sum(taken_so_far(booked.lease, booked.spared, policy, at_us) for booked, policy in running)

    def figures(self) -> Figures:
        """The ledger in numbers, without names of learners: what :mod:`hub.compute.metrics` prints."""
        with reading(self._pen.engine) as connection:
            return figures(connection, self._pen.clock())

    def differences(self) -> tuple[Difference, ...]:
        """Every session that a second witness saw otherwise than the ledger, or that the ledger does not know."""
        with reading(self._pen.engine) as connection:
            return watch.differences(connection)
