"""SQL of the chain: one writer at a time appends, and readers get the rows exactly as they lie in the database."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, LargeBinary, String, cast, insert, select, text, update
from sqlalchemy.exc import OperationalError

from hub.compute.chain import GENESIS, Entry, canonical, digest_of
from hub.compute.checkpoint import Checkpoint
from hub.compute.tables import chain_head, checkpoint, event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BATCH = 500
"""Entries at a time: few enough that what is made of them stays in the processor's cache."""


def lock(connection: Connection) -> None:
    """Make this transaction the only writer until it ends; on SQLite, BEGIN IMMEDIATE (:mod:`hub.db`) has done it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {chain_head.name} IN EXCLUSIVE MODE"))


def stand_still(connection: Connection) -> Connection:
    """Make every query of a reading transaction see one moment; SQLite's transactions always do."""
    if connection.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    return connection


def head(connection: Connection) -> tuple[int, str]:
    """How many entries there are and the digest of the last one, as recorded beside the chain."""
    row = connection.execute(
        select(chain_head.c.entries, chain_head.c.digest).where(chain_head.c.id == 1)
    ).one_or_none()
    return (row.entries, row.digest) if row else (0, GENESIS)


def append(connection: Connection, kind: str, subject: str, body: Mapping[str, Any], recorded_us: int) -> Entry:
    """Write the next entry and the new head; the caller holds :func:`lock`."""
    entries, previous = head(connection)
    seq, said = entries + 1, canonical(body)
    digest = digest_of(previous=previous, seq=seq, kind=kind, subject=subject, recorded_us=recorded_us, body=said)
    entry = Entry(seq, kind, subject, recorded_us, said, previous, digest)
    connection.execute(insert(event).values(entry._asdict()))
    if entries:
        connection.execute(update(chain_head).where(chain_head.c.id == 1).values(entries=seq, digest=digest))
    else:
        connection.execute(insert(chain_head).values(id=1, entries=seq, digest=digest))
    return entry


def find(connection: Connection, kind: str, subject: str) -> Entry | None:
    """The one entry of this kind and subject, None when there is none."""
    row = connection.execute(select(event).where(event.c.subject == subject, event.c.kind == kind)).one_or_none()
    return Entry(*row) if row else None


def body_of(entry: Entry) -> dict[str, Any]:
    """What an entry says, as data."""
    said: dict[str, Any] = json.loads(entry.body)
    return said


def of_kind(connection: Connection, kind: str) -> Iterator[Entry]:
    """Entries of one kind, newest first."""
    asked = select(event).where(event.c.kind == kind).order_by(event.c.seq.desc())
    return (Entry(*row) for row in connection.execute(asked))


def parts(connection: Connection) -> Iterator[list[Entry]]:
    """All entries in order, whatever somebody may have put into them, some thousands at a time."""
    given = 0
    try:
        for rows in _rows(connection, event.c):
            yield list(map(Entry._make, rows))
            given += 1
    except OperationalError:
        # SQLite's driver raises on text that is no UTF-8, before we could say which row holds it: ask for the bytes.
        raw = [cast(column, LargeBinary) if isinstance(column.type, String) else column for column in event.c]
        for rows in itertools.islice(_rows(connection, raw), given, None):
            yield [Entry(*map(_as_text, row)) for row in rows]


def _rows(connection: Connection, columns: Iterable[Any]) -> Iterator[Sequence[Any]]:
    asked = select(*columns).order_by(event.c.seq)
    return connection.execute(asked, execution_options={"yield_per": _BATCH}).partitions()


def _as_text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def checkpoints(connection: Connection) -> tuple[Checkpoint, ...]:
    """Every checkpoint: those of claims, then those of days, oldest day first."""
    found = (Checkpoint(**row) for row in connection.execute(select(checkpoint)).mappings())
    return tuple(sorted(found, key=lambda made: (made.day[:1].isdigit(), made.entries, made.day)))


def keep_checkpoint(connection: Connection, made: Checkpoint) -> None:
    """Store a checkpoint beside the chain."""
    connection.execute(insert(checkpoint).values(made.as_row()))
