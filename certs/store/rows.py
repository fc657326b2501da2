"""What all parts of the store stand on: the engine, how rows become values, the clock."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from certs import tables
from certs.certificate import Certificate, State

if TYPE_CHECKING:
    from sqlalchemy import Engine, Row, Select

certificate = tables.certificate
form = tables.form
share = tables.share
RECORD = [certificate.c[name] for name in Certificate.__dataclass_fields__]


class UnknownCertificateError(Exception):
    """No issued certificate has the id."""


class Rows:
    """The engine, and reads of certificates through it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def by_id(self, certificate_id: str) -> Certificate | None:
        """The certificate with this id, whatever its state; one indexed read."""
        return self._one(select(*RECORD).where(certificate.c.id == certificate_id))

    def _issued(self, certificate_id: str) -> Certificate:
        found = self.by_id(certificate_id)
        if found is None or found.state != State.ISSUED:
            raise UnknownCertificateError(f"got {certificate_id!r}, expected the id of an issued certificate")
        return found

    def _one(self, query: Select[Any]) -> Certificate | None:
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else record(row)

    def _many(self, query: Select[Any]) -> tuple[Certificate, ...]:
        with self._reading() as connection:
            return tuple(record(row) for row in connection.execute(query).all())

    def _reading(self) -> Any:
        # The option is what the hub's engine understands as "take no write lock"; other engines ignore it.
        return self._engine.connect().execution_options(read_only=True)


def now_us() -> int:
    """The server's clock in microseconds since the epoch."""
    return time.time_ns() // 1_000


def record(row: Row[Any]) -> Certificate:
    """A certificate row as its value."""
    values = {name: getattr(row, name) for name in Certificate.__dataclass_fields__}
    return Certificate(**{**values, "state": State(values["state"])})


def sha256(content: bytes) -> str:
    """The digest of some bytes as it is stored."""
    return hashlib.sha256(content).hexdigest()
