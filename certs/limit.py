"""How much one address may ask of the public pages: a token bucket each, in memory of a fixed size."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Rate:
    """Tokens that come back each second, and how many there are at most."""

    per_second: float
    burst: float


class Buckets:
    """One bucket an address. Of more addresses than fit, those that have asked nothing for longest are forgotten."""

    def __init__(self, rate: Rate, *, size: int = 50_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._size = size
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str, tokens: float) -> float:
        """Take tokens for an address: 0 when it had them, otherwise the seconds until it will; then none are taken."""
        with self._lock:
            now, name = self._clock(), _name(address)
            level, at = self._levels.pop(name, (self._rate.burst, now))
            level = min(self._rate.burst, level + (now - at) * self._rate.per_second)
            lacking = max(0.0, tokens - level)
            self._levels[name] = (level if lacking else level - tokens, now)
            if len(self._levels) > self._size:
                self._levels.popitem(last=False)
        return math.ceil(lacking / self._rate.per_second)

    def __len__(self) -> int:
        return len(self._levels)


def _name(address: str) -> str:
    """What counts as one address: with IPv6 a whole /64, which is what one customer is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:  # noqa: PLR2004 - IPv4
        return str(parsed)
    if mapped := parsed.ipv4_mapped:
        return str(mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
