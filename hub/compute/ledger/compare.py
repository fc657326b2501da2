"""Reads the stored books beside what the chain makes of them, part by part: memory never holds more than a part."""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, String, Table, func, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError

from hub.compute import books as book
from hub.compute.chain import BadEntry
from hub.compute.claim.files import usage_csv
from hub.compute.claim.freeze import USAGE, sha256
from hub.compute.ledger import claimed, purses, resum
from hub.compute.ledger.shelves import all_classes, lease_values
from hub.compute.ledger.watch import observation_row
from hub.compute.tables import (
    charge_line,
    claim,
    claim_line,
    claim_note,
    event,
    gpu_evidence,
    grant,
    lease,
    observation,
    subsidy_use,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from hub.compute.books import Books, Finished, Made
    from hub.compute.claim.value import Claim

_PART = 5_000
_CELLS = {claim_note.name: 5}
"""How many cells of a row its own entry decides, where that is not all: who carries a note is decided later."""


class BooksCheck:
    """Keeps the earliest entry whose booked rows are not what it makes them; entry 0 is for rows that none makes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._readable = True
        self._as_digits = connection.dialect.name == "sqlite"
        self.first_bad: BadEntry | None = None

    def compare(self, finished: Finished) -> None:
        """Compare what finished with its stored rows."""
        self._guard(lambda: self._compare_finished(finished))

    def end(self, books: Books) -> None:
        """Compare what is still open and what is summed, and see that nothing more is stored than was made."""
        self._guard(lambda: self._compare_end(books))

    def _guard(self, compare: Any) -> None:
        if not self._readable:
            return
        try:
            compare()
        except (ValueError, TypeError, SQLAlchemyError) as error:
            self._readable = False
            self._found(0, f"the books cannot be read: {str(error).splitlines()[0][:200]}")

    def _compare_finished(self, finished: Finished) -> None:
        grants = {(subject,): (subject, *_grant_values(given)) for subject, (_, given) in finished.grants.items()}
        self._rows("grant", grant, {subject: seq for subject, (seq, _) in finished.grants.items()}, grants)
        self._leases(finished.leases)
        seen = {(key,): tuple(observation_row(one).values()) for key, (_, one) in finished.observations.items()}
        self._rows("observation", observation, {key: seq for key, (seq, _) in finished.observations.items()}, seen)
        used = {(key,): tuple(asdict(one).values()) for key, (_, one) in finished.evidence.items()}
        self._rows("GPU evidence", gpu_evidence, {key: seq for key, (seq, _) in finished.evidence.items()}, used)
        self._claims(finished)

    def _claims(self, finished: Finished) -> None:
        notes = {(note_id,): tuple(claimed.note_row(*note).values()) for note_id, note in finished.notes.items()}
        self._rows("note", claim_note, {note_id: seq for note_id, (seq, _) in finished.notes.items()}, notes)
        claims = {(claim_id,): tuple(claimed.claim_row(made).values()) for claim_id, made in finished.claims.items()}
        self._rows("claim", claim, {claim_id: made.seq for claim_id, made in finished.claims.items()}, claims)
        for made in finished.claims.values():
            self._claim(made)

    def _claim(self, made: Claim) -> None:
        asked = made.request
        if sha256(usage_csv(claimed.lines_of(self._connection, asked.id, asked.programme))) != made.sha256[USAGE]:
            self._found(made.seq, f"lines of claim {asked.id} are not those that were frozen")
        carried = select(claim_note.c.id).where(claim_note.c.carried_by == asked.id)
        if set(self._connection.execute(carried).scalars()) != {note.id for note in made.corrections}:
            self._found(made.seq, f"corrections that claim {asked.id} carries are not those that were frozen")

    def _leases(self, leases: Mapping[Any, Made]) -> None:
        seqs, rows, lines = dict[Any, int](), dict[Any, Any](), dict[Any, Any]()
        for booked_id, (seq, booked, charged) in leases.items():
            kept = self._kept(booked_id)
            seqs[kept] = seq
            rows[kept,] = (kept, *lease_values(booked)[1:])
            for line in charged:
                lines[kept, line[1], line[2]] = (kept, *line[1:])
        self._rows("lease", lease, seqs, rows, lease.c.id)
        self._rows("charge line", charge_line, seqs, lines, charge_line.c.lease)

    def _kept(self, lease_id: UUID) -> Any:
        # SQLite keeps an id as its hexadecimal digits: comparing those spares making a UUID of every row.
        return lease_id.hex if self._as_digits else lease_id

    def _rows(
        self,
        name: str,
        table: Table,
        seqs: Mapping[Any, int],
        made: dict[tuple[Any, ...], Any],
        as_kept: ColumnElement[Any] | None = None,
    ) -> None:
        """Compare rows by their keys; the column ``as_kept`` is read and asked for as it lies in the database."""
        width, cells = len(table.primary_key), _CELLS.get(table.name)
        raw = as_kept if self._as_digits else None
        columns = [type_coerce(column, String) if column is raw else column for column in table.c]
        for keys in _parts(seqs):
            # All at once: the driver hands over a row at a time otherwise, which costs more than the comparison.
            for row in self._connection.execute(select(*columns).where(columns[0].in_(keys))).all():
                values = tuple(row)[:cells]
                if made.pop(values[:width], None) != values:
                    self._found(seqs[values[0]], f"{name} of {_said(values[:width])} was changed")
        for key in made:
            self._found(seqs[key[0]], f"{name} of {_said(key)} is gone")

    def _compare_end(self, books: Books) -> None:
        self._leases(books.unfinished().leases)
        used = {tuple(row[:4]): row.used_uy for row in self._connection.execute(select(subsidy_use))}
        if used != dict(books.used):
            self._found(0, "what programmes have paid is not what the sessions sum to")
        if all_classes(self._connection) != books.classes:
            self._found(0, "scheduled classes are not those that entries make")
        if {standing.key: standing for standing in purses.budgets(self._connection)} != books.budgets:
            self._found(0, "budgets are not what allotments, holds and charges make them")
        if {voucher.subject: voucher for voucher in purses.vouchers(self._connection)} != books.vouchers:
            self._found(0, "vouchers are not those that entries make")
        for table, made, kind in (
            (grant, books.grants, book.GRANT_GIVEN),
            (lease, books.leases, book.OPENED),
            (charge_line, books.lines, book.ENDED),
            (observation, books.observations, book.OBSERVED),
            (gpu_evidence, books.evidence, book.GPU_EVIDENCE),
            (claim, books.claims, book.CLAIM_FROZEN),
            (claim_note, books.notes, book.CLAIM_NOTED),
            (claim_line, books.claimed_lines, book.ENDED),
        ):
            stored = self._connection.execute(select(func.count()).select_from(table)).scalar_one()
            if stored > made:
                self._found(0, f"{table.name} has {stored} rows, entries make {made}: {self._unmade(table, kind)}")
        if wrong := resum.what_is_wrong(self._connection):
            self._found(0, wrong)

    def _unmade(self, table: Table, kind: str) -> str:
        """Name one row whose subject has no entry of the kind that makes such rows."""
        first = next(iter(table.c))
        stored = self._connection.execute(select(first).distinct(), execution_options={"yield_per": _PART}).scalars()
        for keys in _parts(stored):
            subjects = {str(key): key for key in keys}
            asked = select(event.c.subject).where(event.c.kind == kind, event.c.subject.in_(subjects))
            for extra in subjects.keys() - set(self._connection.execute(asked).scalars()):
                return f"none makes that of {extra}"
        return "more than one row for one of them"

    def _found(self, seq: int, reason: str) -> None:
        if self.first_bad is None or (seq or sys.maxsize) < (self.first_bad.seq or sys.maxsize):
            self.first_bad = BadEntry(seq, reason)


def _grant_values(given: Any) -> tuple[Any, ...]:
    return given.learner, given.course, given.micro_yuan, given.why, given.at_us


def _said(key: tuple[Any, ...]) -> str:
    return " ".join(map(str, key))


def _parts(values: Any) -> Iterator[list[Any]]:
    rest = iter(values)
    return iter(lambda: list(itertools.islice(rest, _PART)), [])
