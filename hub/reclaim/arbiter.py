"""What the idle culler asks of every running lab: may it be stopped now?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hub.compute.lease import MAX_SESSION_US, MICRO

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from hub.reclaim.sessions import Sessions

log = logging.getLogger(__name__)


def arbiter(sessions: Sessions) -> Callable[..., bool]:
    """The culler's ``cull_arbiter_hook``: True for a lab whose notice has run out."""

    def may_stop(*, inactive: timedelta | None, inactive_limit: float, server: dict[str, Any]) -> bool:  # noqa: ARG001 -- the culler's signature
        learner = unquote(str(server.get("url") or "").rstrip("/").rpartition("/")[2])
        lease = sessions.running(learner)
        if lease is None:
            log.warning("%s has a server and no lease that runs; left alone", learner)
            return False
        # The culler may not know when a server was last active; then nothing but the lab itself speaks for its use.
        inactive_us = MAX_SESSION_US if inactive is None else int(inactive.total_seconds() * MICRO)
        expected = sessions.reviewed(lease, inactive_us)
        if expected.is_over:
            log.info("stopping the lab of %s (%s)", learner, expected.why)
        return expected.is_over

    return may_stop
