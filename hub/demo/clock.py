"""A clock that tells a past moment where one is set, so that stores stamp what they keep as of then."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class PastClock:
    """Microseconds since the epoch, UTC; each thread has a moment of its own, the real time unless told."""

    def __init__(self) -> None:
        self._of = threading.local()

    def __call__(self) -> int:
        """The moment that is set in this thread, else the real time."""
        moment: int | None = getattr(self._of, "moment", None)
        return time.time_ns() // 1000 if moment is None else moment

    def set(self, moment: int | None) -> None:
        """Let this thread's clock stand at ``moment``; None: the real time again."""
        self._of.moment = moment

    @contextmanager
    def at(self, moment: int) -> Iterator[None]:
        """Let this thread's clock stand at ``moment`` for a while."""
        self.set(moment)
        try:
            yield
        finally:
            self.set(None)
