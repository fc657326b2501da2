"""VALUE: the hash chain: how an event becomes bytes, what its digest covers, and how the first bad entry is found.

An entry's digest is SHA-256 over the previous digest (64 hex characters) followed by the entry's canonical JSON: sorted
keys, no spaces, UTF-8, no NaN. The stored body is that JSON's own text, so an edit that JSON would forgive (a space)
is found too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, NamedTuple

GENESIS = "0" * 64
"""What the first entry names as its previous digest."""


# Made once: json.dumps makes one for every call, which was a tenth of what checking a chain takes.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> str:
    """The one JSON text of ``value``.

    Raises:
        ValueError: it holds NaN or an infinity.
    """
    return _ENCODER.encode(value)


def digest_of(*, previous: str, seq: int, kind: str, subject: str, recorded_us: int, body: str) -> str:
    """The digest of an entry whose body is already canonical JSON; keys stand in sorted order."""
    text = (
        f'{previous}{{"body":{body},"kind":{encode_basestring(kind)},"recorded_us":{recorded_us:d},'
        f'"seq":{seq:d},"subject":{encode_basestring(subject)}}}'
    )
    # A byte that is no UTF-8 was put there by someone else: keep it, so that it is found and not crashed on.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class Entry(NamedTuple):
    """One row of the chain exactly as it is stored."""

    seq: int
    kind: str
    subject: str
    recorded_us: int
    body: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class BadEntry:
    """The first entry that cannot be believed, and why."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerVerification:
    """What a check of the whole ledger found; ``unchecked`` names what could not be checked, which is not a failure."""

    entries: int
    head: str
    first_bad: BadEntry | None
    checkpoints_held: int = 0
    unchecked: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """True when nothing bad was found."""
        return self.first_bad is None
