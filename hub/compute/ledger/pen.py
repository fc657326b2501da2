"""Writes to the chain: one transaction of the only writer at a time, every entry stamped by one clock."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub.compute import books as book
from hub.compute.ledger import entries as chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection, Engine

    from hub.compute.chain import Entry
    from hub.compute.policy import Policy


def now_us() -> int:
    """The wall clock in integer microseconds."""
    return time.time_ns() // 1_000


class Pen:
    """What everything that writes entries shares: the database, the clock, and how a change is made."""

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        self.engine = engine
        self.clock = clock

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction in which nobody else writes: all of it stands, or nothing."""
        with self.engine.begin() as connection:
            chain.lock(connection)
            yield connection

    def append(self, connection: Connection, kind: str, subject: str, body: Mapping[str, Any]) -> Entry:
        """Write the next entry."""
        return chain.append(connection, kind, subject, body, self.clock())

    def adopt(self, connection: Connection, policy: Policy) -> None:
        """Write a policy before the first entry under it."""
        if chain.find(connection, book.POLICY_ADOPTED, policy.digest) is None:
            self.append(connection, book.POLICY_ADOPTED, policy.digest, policy.text)
