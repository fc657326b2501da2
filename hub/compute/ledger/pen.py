"""Writes to the chain: one transaction of the only writer at a time, every entry stamped by one clock."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub.compute import books as book
from hub.compute.lease import LedgerError
from hub.compute.ledger import entries as chain
from hub.compute.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection, Engine

    from hub.compute.chain import Entry


def now_us() -> int:
    """The wall clock in integer microseconds."""
    return time.time_ns() // 1_000


class Pen:
    """What everything that writes entries shares: the database, the clock, and how a change is made."""

    def __init__(self, engine: Engine, clock: Callable[[], int], policy: Policy) -> None:
        self.engine = engine
        self.clock = clock
        self.policy = policy
        self._policies = {policy.digest: policy}

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction in which nobody else writes: all of it stands, or nothing."""
        with self.engine.begin() as connection:
            chain.lock(connection)
            yield connection

    def append(self, connection: Connection, kind: str, subject: str, body: Mapping[str, Any]) -> Entry:
        """Write the next entry."""
        return chain.append(connection, kind, subject, body, self.clock())

    def adopt(self, connection: Connection) -> None:
        """Write the policy in force before the first entry under it."""
        if chain.find(connection, book.POLICY_ADOPTED, self.policy.digest) is None:
            self.append(connection, book.POLICY_ADOPTED, self.policy.digest, self.policy.text)

    def policy_of(self, connection: Connection, digest: str) -> Policy:
        """A policy that leases were opened under, from the chain.

        Raises:
            LedgerError: the chain does not have it.
        """
        if digest not in self._policies:
            adopted = chain.find(connection, book.POLICY_ADOPTED, digest)
            if adopted is None:
                raise LedgerError(f"got a lease under policy {digest}, expected that policy in the chain; run verify")
            self._policies[digest] = Policy.model_validate_json(adopted.body)
        return self._policies[digest]
