"""The commonly used passwords that NativeAuthenticator ships, read once when the first password is chosen."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def common_passwords() -> frozenset[str]:
    """Return them in lower case."""
    text = resources.files("nativeauthenticator").joinpath("common-credentials.txt").read_text(encoding="utf-8")
    return frozenset(line.strip().casefold() for line in text.splitlines())
