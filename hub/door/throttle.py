"""Slows guessing: every key (a name, an address, a class code) may fail a few times, then waits, each time longer.

An attempt is counted before it is judged, and forgiven when it succeeds, so a hundred guesses sent at once count as a
hundred. Kept in memory of the one hub process: a restart forgives, and no guesser can bring one about.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_KEYS = 50_000
FORGET_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Limit:
    """How many attempts are free, and the first and longest wait in seconds after that; each wait doubles the last."""

    free: int
    first_wait: float
    longest_wait: float

    def wait_after(self, attempts: int) -> float:
        """Return the seconds to wait after so many attempts in a row."""
        if attempts < self.free:
            return 0.0
        doublings = min(attempts - self.free, 30)
        return min(self.first_wait * 2.0**doublings, self.longest_wait)


@dataclass(slots=True)
class _Record:
    attempts: int
    last: float
    open_at: float


Key = tuple[str, str]
"""What is counted: the limit's name and the value, such as ``("address", "192.0.2.7")``."""


class Throttle:
    """Counts attempts per key; ``clock`` gives seconds and never goes back."""

    def __init__(self, limits: dict[str, Limit], clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._records: OrderedDict[Key, _Record] = OrderedDict()

    def attempt(self, keys: Iterable[Key]) -> int:
        """Count one attempt under every key and return 0; when a key must wait, count nothing and return seconds."""
        now, keys = self._clock(), tuple(keys)
        waits = [self._record(key, now).open_at - now for key in keys]
        if (longest := max(waits, default=0.0)) > 0:
            return math.ceil(longest)
        for key in keys:
            record = self._record(key, now)
            record.attempts += 1
            record.last = now
            record.open_at = now + self._limits[key[0]].wait_after(record.attempts)
            self._records[key] = record
            self._records.move_to_end(key)
        while len(self._records) > MAX_KEYS:
            self._records.popitem(last=False)
        return 0

    def forgive(self, keys: Iterable[Key], clear: Iterable[Key] = ()) -> None:
        """Take back the attempt just counted under ``keys``, which succeeded; forget ``clear`` altogether."""
        for key in keys:
            if record := self._records.get(key):
                record.attempts -= 1
                record.open_at = record.last + self._limits[key[0]].wait_after(record.attempts)
        for key in clear:
            self._records.pop(key, None)

    def _record(self, key: Key, now: float) -> _Record:
        record = self._records.get(key)
        if record is None or now - record.last > max(FORGET_SECONDS, self._limits[key[0]].longest_wait):
            return _Record(0, now, now)
        return record


def address_key(address: str) -> str:
    """Return what one visitor holds of the address space: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unreadable"
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


# A class of sixty behind one address may mistype; one name tried from one place may not be tried for long.
LIMITS = {
    "sign-in": Limit(free=5, first_wait=15, longest_wait=900),
    "sign-in-name": Limit(free=50, first_wait=15, longest_wait=300),
    "sign-in-address": Limit(free=60, first_wait=15, longest_wait=900),
    "sign-up": Limit(free=8, first_wait=15, longest_wait=900),
    "sign-up-address": Limit(free=60, first_wait=15, longest_wait=900),
    "welcome-address": Limit(free=10, first_wait=15, longest_wait=900),
    "password": Limit(free=5, first_wait=15, longest_wait=900),
}
