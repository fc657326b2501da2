"""The courses as they are now: those that were shipped, with the authored labs that learners have.

Every process holds one of these and asks it each time, so a lab that is released, changed or taken back is known
everywhere at the next request, without a restart.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hub.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.authoring.shelf import Shelf
    from hub.course import Course

log = logging.getLogger(__name__)


class LiveCourses:
    """The shipped courses, read once, and what the shelf adds to them, read again when it changed."""

    def __init__(self, shipped: Sequence[Course], shelf: Shelf) -> None:
        self._shipped = tuple(shipped)
        self._shelf = shelf
        self._stamp = shelf.stamp()
        self._now = self._read()

    def now(self) -> tuple[Course, ...]:
        """All courses; while an entry is damaged, as they were before it was, and the log says so."""
        stamp = self._shelf.stamp()
        if stamp != self._stamp:
            try:
                self._now = self._read()
            except CourseError:
                log.exception("authored labs cannot be read; going on with those read last")
            self._stamp = stamp
        return self._now

    def _read(self) -> tuple[Course, ...]:
        return tuple(self._shelf.with_labs(course) for course in self._shipped)
