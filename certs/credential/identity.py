"""An identity number the holder can prove and nobody can guess: a commitment is signed, its opening is the holder's.

An identity number has few possible values, so a hash of it with a salt that is printed beside it can be tried out
within hours. Here the salt (the opening, 128 random bits) is in no credential and in no store of ours: it is given to
the holder once. Without it the digest says nothing; with it and the number anybody can check that they belong.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass

COMMITMENT = "ext:committed-identity"
"""The identifier type; Open Badges leaves ``ext:`` to issuers. Not a standard salted hash, so not called one."""
COMMITMENT_PREFIX = "sha256$"
_DOMAIN = b"reelwright identity 1"
_OPENING = re.compile(r"[0-9a-f]{32}")
MAX_NUMBER = 64


@dataclass(frozen=True)
class Commitment:
    """``sha256`` goes into the claim, ``opening`` to the holder and nowhere else."""

    sha256: str
    opening: str


def commit(number: str) -> Commitment:
    """A fresh commitment to an identity number.

    Raises:
        ValueError: the number is empty or longer than any there is.
    """
    opening = secrets.token_hex(16)
    return Commitment(_digest(number, opening), opening)


def opens(sha256: str, number: str, opening: str) -> bool:
    """Whether the number and the opening are those of a commitment; spaces, hyphens and case do not matter."""
    given = "".join(opening.split()).lower()
    try:
        return bool(_OPENING.fullmatch(given)) and hmac.compare_digest(_digest(number, given), sha256)
    except ValueError:
        return False


def _digest(number: str, opening: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKC", number).upper() if c.isalnum())
    if not plain or len(plain) > MAX_NUMBER:
        raise ValueError(f"got an identity number of {len(plain)} letters and digits, expected 1 to {MAX_NUMBER}")
    return hmac.new(bytes.fromhex(opening), _DOMAIN + b"\x00" + plain.encode(), hashlib.sha256).hexdigest()
