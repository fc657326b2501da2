"""Checks a whole ledger from what was read of it: the chain, its recorded end, its checkpoints, and the books. Pure.

1. Every entry follows the one before it and has the digest of what it says.
2. The chain ends where the recorded head says.
3. Every checkpoint, those kept elsewhere included, is signed and names an entry the chain has, with its digest.
4. The books (grants, leases, charge lines, used caps) are what the entries make them; :mod:`hub.compute.ledger.compare`
   reads the stored ones beside what :class:`hub.compute.books.Books` makes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.compute.chain import GENESIS, BadEntry, Entry, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from hub.compute.books import Books
    from hub.compute.checkpoint import Checkpoint


@dataclass(slots=True)
class ChainCheck:
    """Reads entries in order, as many at a time as one likes; ``first_bad`` stays at the first that is wrong."""

    checkpoints: tuple[Checkpoint, ...] = ()
    books: Books | None = None
    entries: int = 0
    head: str = GENESIS
    first_bad: BadEntry | None = None
    marks: dict[int, list[Checkpoint]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for made in self.checkpoints:
            self.marks.setdefault(made.entries, []).append(made)

    def read(self, entries: Iterable[Entry]) -> None:
        """Check entries until one is bad."""
        for entry in entries:
            if reason := self._wrong(entry):
                self.first_bad = BadEntry(self.entries + 1, reason)
                return
            self.entries, self.head = entry.seq, entry.digest

    def end(self, entries: int, head: str) -> None:
        """Check that the chain ends where it was recorded to end, and reaches every checkpoint."""
        if self.first_bad:
            return
        longest = max(self.checkpoints, key=lambda made: made.entries, default=None)
        if longest and longest.entries > self.entries:
            reason = f"missing: the checkpoint of {longest.day} was signed over {longest.entries} entries"
            self.first_bad = BadEntry(self.entries + 1, reason)
        elif entries > self.entries:
            self.first_bad = BadEntry(self.entries + 1, f"missing: {entries} entries were recorded")
        elif entries < self.entries:
            self.first_bad = BadEntry(entries + 1, f"was never recorded: the chain was recorded to end at {entries}")
        elif head != self.head:
            self.first_bad = BadEntry(self.entries, f"edited: the chain was recorded to end with digest {head}")

    def _wrong(self, entry: Entry) -> str:
        expected = self.entries + 1
        if entry.seq != expected:
            return f"missing or out of place: got entry {entry.seq!r}, expected {expected}"
        if entry.previous != self.head:
            return f"does not follow: names {entry.previous!r} as the previous digest, expected {self.head!r}"
        if _digest(entry) != entry.digest:
            return f"edited: its digest is {entry.digest!r}, what it says has {_digest(entry)!r}"
        for made in self.marks.get(expected, ()):
            if made.digest != entry.digest:
                return f"rewritten: the checkpoint of {made.day} was signed over digest {made.digest!r}"
        return self._unbookable(entry)

    def _unbookable(self, entry: Entry) -> str:
        if self.books is None:
            return ""
        try:
            self.books.add(entry)
        except (ValueError, KeyError, TypeError) as error:
            return f"cannot be booked: {type(error).__name__}: {error}"
        return ""


def _digest(entry: Entry) -> str:
    try:
        return digest_of(
            previous=entry.previous,
            seq=entry.seq,
            kind=entry.kind,
            subject=entry.subject,
            recorded_us=entry.recorded_us,
            body=entry.body,
        )
    except (ValueError, TypeError) as error:
        return f"none ({error})"


def unsigned(checkpoints: Iterable[Checkpoint], key: Ed25519PublicKey) -> tuple[Checkpoint, ...]:
    """The checkpoints whose signature does not hold."""
    return tuple(made for made in checkpoints if not made.signed_by(key))
