"""Reads a whole ledger from the database to check it, signs where it ends, and makes its books anew."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.compute.books import Books, Finished
from hub.compute.chain import BadEntry, LedgerVerification
from hub.compute.checkpoint import Checkpoint, CheckpointError, checking_key, make_key, sign, signing_key
from hub.compute.ledger import claimed, purses, resum, watch
from hub.compute.ledger import entries as chain
from hub.compute.ledger import shelves as shelf
from hub.compute.ledger.compare import BooksCheck
from hub.compute.verify import ChainCheck, unsigned
from hub.db import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


def verify(
    engine: Engine, key_file: Path | None, elsewhere: tuple[Checkpoint, ...], *, with_books: bool
) -> LedgerVerification:
    """Check everything as it stands at one moment; see :mod:`hub.compute.verify` for what and in which order."""
    with _seldom_collecting(), reading(engine) as connection:
        chain.stand_still(connection)
        made = (*chain.checkpoints(connection), *elsewhere)
        key = checking_key(key_file) if made and key_file and key_file.exists() else None
        forged = unsigned(made, key) if key else ()
        check = ChainCheck(
            checkpoints=tuple(one for one in made if one not in forged), books=Books() if with_books else None
        )
        cooked = _read(connection, check)
        first_bad = check.first_bad or _forged(forged) or cooked
    unchecked = () if key or not made else (f"signatures of {len(made)} checkpoint(s): no key to check them with",)
    held = len(made) - len(forged) if key and not check.first_bad else 0
    return LedgerVerification(
        entries=check.entries, head=check.head, first_bad=first_bad, checkpoints_held=held, unchecked=unchecked
    )


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for cyclic garbage less often: there is next to none, and looking was a tenth of the work."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def checkpoint(connection: Connection, key_file: Path | None, day: str, signed_us: int) -> Checkpoint:
    """Sign where the chain ends; the caller holds the lock.

    Raises:
        CheckpointError: see :meth:`hub.compute.ledger.Ledger.checkpoint`.
    """
    if key_file is None:
        raise CheckpointError("checkpoints: got no key file, expected the path of one in the configuration")
    standing = chain.checkpoints(connection)
    for made in standing:
        if made.day == day:
            return made
    if standing and not key_file.exists():
        raise CheckpointError(
            f"{key_file}: is gone, expected the key that signed {len(standing)} earlier checkpoint(s)"
        )
    key = signing_key(key_file) if key_file.exists() else make_key(key_file)
    signed = sign(key, day, *chain.head(connection), signed_us)
    chain.keep_checkpoint(connection, signed)
    return signed


def rebuild(connection: Connection) -> LedgerVerification:
    """Put books made from the chain in place of the stored ones, unless the chain is bad; the caller has the lock."""
    check = ChainCheck(books=Books())
    for entries in chain.parts(connection):
        check.read(entries)
        if check.books:
            check.books.take()
    check.end(*chain.head(connection))
    if check.first_bad is None:
        _write_books(connection)
    return LedgerVerification(entries=check.entries, head=check.head, first_bad=check.first_bad)


def _write_books(connection: Connection) -> None:
    # A second reading of a chain that was just found good: all of its books at once would not fit into memory.
    books = Books()
    shelf.clear(connection)
    for entries in chain.parts(connection):
        for entry in entries:
            books.add(entry)
            if books.finished.claims:
                # A claim takes the lines that stand when it is frozen, so they must stand now.
                _write(connection, books.take())
        _write(connection, books.take())
    shelf.keep_finished(connection, books.unfinished())
    shelf.keep_used(connection, books.used)
    for window in books.classes.values():
        shelf.keep_class(connection, window)
    for standing in books.budgets.values():
        purses.keep_budget(connection, standing)
    for voucher in books.vouchers.values():
        purses.keep_voucher(connection, voucher)
    resum.fill(connection)


def _write(connection: Connection, finished: Finished) -> None:
    shelf.keep_finished(connection, finished)
    for _, seen in finished.observations.values():
        watch.keep_observation(connection, seen)
    for _, used in finished.evidence.values():
        watch.keep_evidence(connection, used)
    for seq, note in finished.notes.values():
        claimed.keep_note(connection, seq, note)
    for frozen in finished.claims.values():
        claimed.take_lines(connection, frozen.request)
        claimed.keep_claim(connection, frozen)


def _read(connection: Connection, check: ChainCheck) -> BadEntry | None:
    """Check the whole chain, and the books beside it as they come; gives back the first entry booked wrongly."""
    cooked = BooksCheck(connection)
    for entries in chain.parts(connection):
        check.read(entries)
        if check.first_bad:
            return None
        if check.books:
            cooked.compare(check.books.take())
    check.end(*chain.head(connection))
    if check.books:
        cooked.end(check.books)
    return cooked.first_bad


def _forged(forged: tuple[Checkpoint, ...]) -> BadEntry | None:
    if not forged:
        return None
    return BadEntry(forged[0].entries, f"the checkpoint of {forged[0].day} is not signed by the ledger's key")
