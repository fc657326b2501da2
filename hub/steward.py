"""The steward: settles leases whose lab is gone, samples GPUs, awards what is completed, signs the ledger's day."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grader.similarity.duty import Beside
from hub import award, prepare, programme_award
from hub.compute.gpu import meter
from hub.compute.gpu.store import Samples
from hub.compute.gpu.usage import NVML, rolled_up
from hub.compute.lease import DAY_US, MINUTE_US, UnknownLeaseError
from hub.spawner.engine import engine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.platform import Platform
    from hub.spawner.engine import LabEngine

ROUND_SECONDS = 5.0
BEAT_SECONDS = 2.0
QUIET_US = 2 * MINUTE_US
"""Samples this old have no more to come in their minute."""
SAMPLES_KEPT_US = 400 * DAY_US
"""A year's claims can be checked against the minutes; after that the rolled-up evidence remains."""
log = logging.getLogger(__name__)


def run(platform: Platform, stop: threading.Event) -> None:
    """Make a round every few seconds until ``stop`` is set; a failed duty is logged and tried again next round."""
    engine = engine_of(platform)
    similarity = Beside(platform.submissions)
    duties: dict[str, Callable[[], int]] = {
        "settle leases": engine.reconcile,
        "report unbilled sessions": lambda: prepare.observe_unbilled(platform),
        "award certificates": lambda: award.award_completed(platform),
        "award programmes": lambda: programme_award.award_programmes(platform),
        "compare answers": similarity.start,
        "keep GPU evidence": lambda: roll_up_gpu_use(platform),
        "measure films": lambda: platform.footage.measure(platform.submissions, (c.id for c in platform.courses)),
        "sign the ledger's day": lambda: checkpoint_yesterday(platform),
        "forget ended labs": platform.sessions.forget_ended,
    }
    # Threads of their own, since a duty that takes long must not leave a gap in samples and heartbeats.
    sampled = (platform.pool.holds, Samples(platform.engine), stop)
    threading.Thread(target=meter.run, args=sampled, daemon=True).start()
    threading.Thread(target=beat, args=(engine_of(platform), stop), daemon=True).start()
    while not stop.is_set():
        for name, duty in duties.items():
            try:
                if done := duty():
                    log.info("%s: %d", name, done)
            except Exception:
                # One duty's trouble (a locked gradebook, a broken course) must not keep leases from being settled.
                log.exception("could not %s", name)
        stop.wait(ROUND_SECONDS)


def beat(engine: LabEngine, stop: threading.Event) -> None:
    """Have the engine keep that labs run, every few seconds until ``stop`` is set; trouble is tried again."""
    while not stop.wait(BEAT_SECONDS):
        try:
            engine.beat()
        except Exception:
            log.exception("could not keep that labs run")


def roll_up_gpu_use(platform: Platform) -> int:
    """Write the digest of the GPU samples of every session that has ended into the chain; returns how many."""
    samples, now_us, written = Samples(platform.engine), time.time_ns() // 1000, 0
    for lease_id, piece in samples.quiet_since(now_us - QUIET_US).items():
        try:
            state = platform.ledger.lease(lease_id).state
        except UnknownLeaseError:
            state = "void"  # nothing to attach it to; the pool has given its slice back
        if state == "ended":
            evidence = rolled_up(lease_id, NVML, piece, samples.minutes(lease_id))
            written += platform.ledger.keep_gpu_evidence(evidence)
        if state in {"ended", "void"}:
            samples.mark_rolled_up(lease_id)
    samples.forget(now_us - SAMPLES_KEPT_US)
    return written


def checkpoint_yesterday(platform: Platform) -> int:
    """Sign where the ledger's chain stood at the end of yesterday (UTC), once; returns how many were signed."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    if any(checkpoint.day == yesterday.isoformat() for checkpoint in platform.ledger.checkpoints()):
        return 0
    platform.ledger.checkpoint(yesterday)
    return 1
