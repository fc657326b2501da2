"""The steward: settles leases whose lab is gone, awards what is completed, and signs the ledger's day."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hub import award, prepare, programme_award
from hub.spawner.engine import engine_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from hub.platform import Platform

ROUND_SECONDS = 5.0
log = logging.getLogger(__name__)


def run(platform: Platform, stop: threading.Event) -> None:
    """Make a round every few seconds until ``stop`` is set; a failed duty is logged and tried again next round."""
    engine = engine_of(platform)
    duties: dict[str, Callable[[], int]] = {
        "settle leases": engine.reconcile,
        "report unbilled sessions": lambda: prepare.observe_unbilled(platform),
        "award certificates": lambda: award.award_completed(platform),
        "award programmes": lambda: programme_award.award_programmes(platform),
        "sign the ledger's day": lambda: checkpoint_yesterday(platform),
        "forget ended labs": platform.sessions.forget_ended,
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


def checkpoint_yesterday(platform: Platform) -> int:
    """Sign where the ledger's chain stood at the end of yesterday (UTC), once; returns how many were signed."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    if any(checkpoint.day == yesterday.isoformat() for checkpoint in platform.ledger.checkpoints()):
        return 0
    platform.ledger.checkpoint(yesterday)
    return 1
