"""Addresses that lead into somebody's own network: no certificate for the public may send a verifier there.

We fetch nothing, but other verifiers follow the address of a status list; one that names a private host is a trap for
them. Names are judged by what they say, never looked up. An issuer that is itself at that host may name it: that is a
trial on one machine or inside one house.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")


def is_trap(address: str, issuer: str) -> bool:
    """Whether ``address`` is no web address, or leads into a private network that ``issuer`` is not in itself."""
    try:
        parts, home = urlsplit(address), urlsplit(issuer)
        host, at_home = parts.hostname or "", (home.scheme, home.hostname, home.port)
        is_ours = (parts.scheme, parts.hostname, parts.port) == at_home
    except ValueError:
        return True
    if parts.scheme not in {"http", "https"} or not host:
        return True
    return _is_private(host) and not is_ours


def _is_private(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(_PRIVATE_NAMES):
        return True
    if name.replace(".", "").isdigit() or name.startswith("0x"):
        # Also the spellings that only some programs read as an address: 2130706433, 127.1, 0177.0.0.1.
        return not _is_global(name)
    return ":" in name and not _is_global(name)


def _is_global(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_global
    except ValueError:
        return False
