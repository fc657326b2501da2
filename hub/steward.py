"""The steward: settles leases whose lab is gone, brings hand grades over, and awards what is completed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hub import award, prepare

if TYPE_CHECKING:
    import threading

    from hub.platform import Platform

ROUND_SECONDS = 5.0
log = logging.getLogger(__name__)


def run(platform: Platform, stop: threading.Event) -> None:
    """Make a round every few seconds until ``stop`` is set; a failed duty is logged and tried again next round."""
    from grader.gradebook import Gradebooks  # noqa: PLC0415 -- nbgrader takes a second to import

    gradebooks = Gradebooks(platform.gradebooks)
    duties = {
        "settle leases": lambda: prepare.reconcile(platform),
        "bring hand grades over": lambda: sum(
            gradebooks.sync(platform.submissions, course.id) for course in platform.courses
        ),
        "award certificates": lambda: award.award_completed(platform),
    }
    while not stop.is_set():
        for name, duty in duties.items():
            try:
                if done := duty():
                    log.info("%s: %d", name, done)
            except Exception:
                # One duty's trouble (a locked gradebook, a broken course) must not keep leases from being settled.
                log.exception("could not %s", name)
        stop.wait(ROUND_SECONDS)
