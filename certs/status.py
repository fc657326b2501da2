"""Bitstring Status Lists (W3C): one bit a certificate, published whole so that nobody learns who was looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openbadgeslib.errors import LibOpenBadgesException
from openbadgeslib.ob3.status import decode_encoded_list
from openbadgeslib.ob3.status_list import build_status_list_credential

from certs.wording import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

LIST_SIZE = 131_072
"""Entries on a list: the least the standard allows, so that one bit hides among many."""
LIST_LIFE_US = 7 * 24 * 3600 * 1_000_000
"""A copy older than this says nothing any more: it may hide a later revocation."""
TTL_MS = 60_000


class StatusListError(Exception):
    """A document is no usable status list; the message says what was got and what was expected."""


@dataclass(frozen=True)
class StatusList:
    """A parsed list: who issued it, when it holds, and its bits (not yet whether its signature does)."""

    address: str
    issuer: str
    valid_from_us: int
    valid_until_us: int | None
    bits: bytes

    def is_set(self, index: int) -> bool:
        """Whether the bit is set; bit 0 is the highest of the first byte.

        Raises:
            StatusListError: the list is shorter.
        """
        if not 0 <= index < 8 * len(self.bits):
            raise StatusListError(f"got index {index}, expected less than {8 * len(self.bits)}")
        return bool(self.bits[index // 8] & (0x80 >> (index % 8)))


def build_list(issuer: str, address: str, revoked: Iterable[int], *, signed_us: int) -> dict[str, Any]:
    """The unsigned status list credential with the bits of ``revoked`` set."""
    document: dict[str, Any] = build_status_list_credential(
        issuer,
        address,
        "revocation",
        revoked,
        size_bits=LIST_SIZE,
        issued=_utc(signed_us),
        valid_until=_utc(signed_us + LIST_LIFE_US),
        ttl=TTL_MS,
    )
    return document


def read_list(document: dict[str, Any]) -> StatusList:
    """A strictly parsed status list credential.

    Raises:
        StatusListError: it is of another type or purpose, malformed, or inflates beyond the limit.
    """
    subject = document["credentialSubject"]
    if "BitstringStatusListCredential" not in _as_list(document.get("type")):
        raise StatusListError(f"type: got {document.get('type')}, expected BitstringStatusListCredential")
    if subject.get("type") != "BitstringStatusList" or subject.get("statusPurpose") != "revocation":
        raise StatusListError(
            "credentialSubject: got another kind of list, expected a BitstringStatusList for revocation"
        )
    if str(subject.get("statusSize", 1)) != "1":
        raise StatusListError(f"statusSize: got {subject['statusSize']}, expected 1")
    try:
        bits = decode_encoded_list(subject.get("encodedList"))
        until = document.get("validUntil")
        issuer = document["issuer"]
        listed = StatusList(
            address=str(document["id"]),
            issuer=str(issuer["id"] if isinstance(issuer, dict) else issuer),
            valid_from_us=microseconds(str(document["validFrom"])),
            valid_until_us=None if until is None else microseconds(str(until)),
            bits=bits,
        )
    except (LibOpenBadgesException, ValueError, KeyError) as error:
        raise StatusListError(f"got an unreadable list ({error}), expected gzip in base64url and dates") from None
    if 8 * len(bits) < LIST_SIZE:
        raise StatusListError(f"got {8 * len(bits)} entries, expected at least {LIST_SIZE}")
    return listed


def _utc(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
