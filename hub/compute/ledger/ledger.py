"""The compute ledger: grants compute, opens a lease before a lab may start, settles it when it ended, and sums."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

from hub.compute import books as book
from hub.compute.lease import Grant
from hub.compute.ledger import audit
from hub.compute.ledger import entries as chain
from hub.compute.ledger import shelves as shelf
from hub.compute.ledger.asking import Asking
from hub.compute.ledger.budgets import Budgets, Vouchers
from hub.compute.ledger.claims import Claims
from hub.compute.ledger.classes import Classes
from hub.compute.ledger.leases import Leases
from hub.compute.ledger.pen import Pen, now_us
from hub.db import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date
    from pathlib import Path

    from sqlalchemy import Engine

    from hub.compute.chain import LedgerVerification
    from hub.compute.checkpoint import Checkpoint
    from hub.compute.policy import Policy


class Ledger(Leases, Asking):
    """The one door to leases and money; safe to share between threads, and between processes on one database."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        checkpoint_key: Path | None = None,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._checkpoint_key = checkpoint_key
        self._pen = Pen(engine, clock, policy)

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

    @cached_property
    def classes(self) -> Classes:
        """Scheduled hours in which labs spare personal allowances."""
        return Classes(self._pen)

    @cached_property
    def budgets(self) -> Budgets:
        """What sites and classes may spend."""
        return Budgets(self._pen)

    @cached_property
    def vouchers(self) -> Vouchers:
        """Codes that become allowance."""
        return Vouchers(self._pen)

    @cached_property
    def claims(self) -> Claims:
        """What is asked of payers: preview, freeze, evidence pack, notes."""
        return Claims(self._pen, self._pen.policy, self._checkpoint_key)

    # ---- proof -------------------------------------------------------------------------------------------------

    def verify(self, *, books: bool = True, elsewhere: Iterable[Checkpoint] = ()) -> LedgerVerification:
        """Check the whole chain, its checkpoints (with those kept ``elsewhere``) and, unless told not to, the books."""
        return audit.verify(self._pen.engine, self._checkpoint_key, tuple(elsewhere), with_books=books)

    def checkpoint(self, day: date) -> Checkpoint:
        """Sign where the chain ends now, under the name of ``day``; the same day again gives the same checkpoint.

        Raises:
            CheckpointError: no key is configured, or it is gone while checkpoints signed by it exist.
        """
        with self._pen.writing() as connection:
            return audit.checkpoint(connection, self._checkpoint_key, day.isoformat(), self._pen.clock())

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Every checkpoint, oldest first: what to keep copies of elsewhere."""
        with reading(self._pen.engine) as connection:
            return chain.checkpoints(connection)

    def rebuild(self) -> LedgerVerification:
        """Make the books anew from the chain, if the chain holds; the answer says whether it did."""
        with self._pen.writing() as connection:
            return audit.rebuild(connection)
