"""What a password must be, and its bcrypt form. The slow work runs in threads: the hub's one loop serves everybody.

Rules: at least 10 characters, at most bcrypt's 72 bytes, not one of the commonly used ones, not made of the user's own
name. No rule about kinds of characters: length helps, recipes do not (NIST SP 800-63B, 3.1.1.2).
"""

from __future__ import annotations

import asyncio
from typing import Literal

import bcrypt

MIN_CHARACTERS = 10
MAX_BYTES = 72
ROUNDS = 12
Weakness = Literal["short", "long", "common", "name"]

# Compared with when nobody has the name, so that a wrong name takes as long to refuse as a wrong password.
_NOBODY = bcrypt.hashpw(b"nobody signs in with this", bcrypt.gensalt(ROUNDS))


def weakness(password: str, name: str, common: frozenset[str]) -> Weakness | None:
    """Return what is wrong with a new password for ``name``, or ``None``; ``common`` holds lower-case passwords."""
    folded = password.casefold()
    if len(password) < MIN_CHARACTERS:
        return "short"
    if len(password.encode()) > MAX_BYTES:
        return "long"
    if folded in common or len(set(folded)) <= 2:  # noqa: PLR2004 (aaaaaaaaaa, abababababab)
        return "common"
    rest = folded.replace(name.casefold(), "") if len(name) > 2 else folded  # noqa: PLR2004 (names of two letters)
    return "name" if len(rest) < MIN_CHARACTERS // 2 else None


async def hashed(password: str) -> bytes:
    """Return the bcrypt form to store."""
    return await asyncio.to_thread(bcrypt.hashpw, password.encode(), bcrypt.gensalt(ROUNDS))


async def matches(password: str, stored: bytes | None) -> bool:
    """Compare a typed password with the stored form; ``None`` takes as long and is never right."""
    typed = password.encode()
    if len(typed) > MAX_BYTES:
        typed, stored = b"", None
    same = await asyncio.to_thread(bcrypt.checkpw, typed, stored or _NOBODY)
    return same and stored is not None
