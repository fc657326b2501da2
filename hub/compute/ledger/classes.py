"""Scheduled classes: instructors set and cancel the hours in which their cohort's labs spare personal allowances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.compute.books import CANCELLED, SCHEDULED
from hub.compute.class_window import merged
from hub.compute.lease import LedgerError, refuse_bad_name
from hub.compute.ledger import entries as chain
from hub.compute.ledger import shelves as shelf
from hub.db import reading

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.compute.class_window import ClassWindow, Spans
    from hub.compute.lease import LeaseRequest
    from hub.compute.ledger.pen import Pen


class Classes:
    """The door to the class windows of one ledger."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    def schedule(self, window: ClassWindow) -> ClassWindow:
        """Schedule a class; leases opened from now on spare the allowance in it. The same class again is the same.

        Raises:
            LedgerError: it is over already, or was cancelled.
        """
        with self._pen.writing() as connection:
            if chain.find(connection, CANCELLED, window.subject):
                raise LedgerError("class: got one that was cancelled, expected other hours")
            if chain.find(connection, SCHEDULED, window.subject) is None:
                if window.until_us <= self._pen.clock():
                    raise LedgerError("class: got hours that are over, expected ones to come")
                self._pen.append(connection, SCHEDULED, window.subject, window.as_body())
                shelf.keep_class(connection, window)
        return window

    def cancel(self, window: ClassWindow, by: str) -> None:
        """Cancel a class; leases that were opened before keep it. Again is the same.

        Raises:
            LedgerError: it was never scheduled.
        """
        refuse_bad_name("by", by)
        with self._pen.writing() as connection:
            if chain.find(connection, SCHEDULED, window.subject) is None:
                raise LedgerError("class: got one that was never scheduled, expected one that was")
            if chain.find(connection, CANCELLED, window.subject) is None:
                self._pen.append(connection, CANCELLED, window.subject, {"by": by})
                shelf.drop_class(connection, window.subject)

    def of(self, course: str) -> tuple[ClassWindow, ...]:
        """A course's classes that were not cancelled, in the order of their start."""
        with reading(self._pen.engine) as connection:
            return shelf.classes(connection, course)


def class_time(connection: Connection, request: LeaseRequest, until_us: int) -> Spans:
    """The class time of the request's cohort that the session may meet."""
    windows = shelf.classes(connection, request.course, request.cohort)
    meeting = (each for each in windows if each.from_us < until_us and request.requested_us < each.until_us)
    return merged((each.from_us, each.until_us) for each in meeting)
