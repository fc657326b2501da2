"""The compute ledger: opens, closes and sums leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import Engine

    from hub.compute.chain import LedgerVerification
    from hub.compute.lease import Account, Grant, Lease, LeaseRequest, Metered, Quote, Session


class Ledger:
    """Interface first; the bodies follow in the next commit."""

    def __init__(self, engine: Engine, policy: object, checkpoint_key: Path | None = None) -> None: ...

    def grant(self, learner: str, course: str, micro_yuan: int, why: str, at_us: int) -> Grant:
        """Idempotent per (learner, course, why); gives back the grant that stands."""
        raise NotImplementedError

    def open(self, request: LeaseRequest) -> Lease:
        """Raises AllowanceExhausted, NoPriceError."""
        raise NotImplementedError

    def record_started(self, lease_id: UUID, at_us: int, source: str, uncertainty_us: int = 0) -> Lease:
        """Idempotent."""
        raise NotImplementedError

    def record_ended(self, lease_id: UUID, at_us: int, source: str, reason: str, uncertainty_us: int = 0) -> Lease:
        """Idempotent; settles."""
        raise NotImplementedError

    def void(self, lease_id: UUID, why: str) -> Lease:
        """Never started; idempotent."""
        raise NotImplementedError

    def open_leases(self) -> tuple[Lease, ...]:
        """State opened or running."""
        raise NotImplementedError

    def account(self, learner: str, course: str) -> Account:
        """Balance."""
        raise NotImplementedError

    def quote(self, learner: str, course: str, profile: str, minutes: int, at_us: int) -> Quote:
        """Raises NoPriceError."""
        raise NotImplementedError

    def sessions(self, learner: str, course: str) -> tuple[Session, ...]:
        """Newest first, void ones left out."""
        raise NotImplementedError

    def metered(self, learner: str, course: str) -> Metered:
        """Sums over ended sessions."""
        raise NotImplementedError

    def verify(self) -> LedgerVerification:
        """The whole chain."""
        raise NotImplementedError

    def checkpoint(self, day: date) -> object:
        """Sign the head, once a day."""
        raise NotImplementedError
