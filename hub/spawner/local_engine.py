"""Engine ``local`` as the platform sees it: boxed processes of this host, settled by their shims' records."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hub.spawner import box, shim
from hub.spawner.local import LocalLab
from hub.spawner.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hub.platform import Platform

LAUNCH_US = 60_000_000
"""How long a launch may take before a lease without a start is void."""
STOP_SECONDS = shim.GRACE_SECONDS + 10.0

WARNINGS = {
    "box": (
        "各学员的实验环境在同一系统用户下运行，隔离较弱；请勿对外开放。"
        " · Labs share one system user here, so they are kept apart less well; do not let strangers in."
    ),
    "none": (
        "本机未安装 bubblewrap，学员的实验环境之间没有隔离；请勿对外开放。"
        " · bubblewrap is not installed here, so labs are not kept apart; do not let strangers in."
    ),
}


class LocalEngine:
    """Labs as processes of this host."""

    source = LocalLab.source
    start_seconds = 90
    has_gate = False

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def lab_class(self) -> type:
        """:class:`LocalLab` with this platform."""
        return type("Lab", (LocalLab,), {"platform": self._platform})

    def isolation(self) -> str:
        """What bubblewrap and the user we run as allow."""
        return box.strength()

    def warning(self) -> str:
        """Said on every page when labs share a user or have no box."""
        return WARNINGS.get(box.strength(), "")

    def make_ready(self, say: Callable[[str], None]) -> None:
        """Nothing to make: a box is made with each lab."""

    def witness(self, lease_id: UUID) -> Witness:
        """The record folder of a lease's shim."""
        return Witness(self._platform.leases / str(lease_id))

    def reconcile(self) -> int:
        """Settle leases by the records of their shims."""
        ledger, settled = self._platform.ledger, 0
        for lease in self._platform.sessions.labs():
            witness = self.witness(lease.id)
            if witness.alive():
                continue
            ending, started_us = witness.ending(), witness.started_us()
            if ending is None or started_us is None:
                if time.time_ns() // 1000 - lease.requested_us < LAUNCH_US:
                    continue  # its launch may still be under way
                ledger.void(lease.id, "never started")
            else:
                ledger.record_started(lease.id, started_us, self.source)
                ledger.record_ended(lease.id, ending.at_us, self.source, ending.reason, ending.uncertainty_us)
            settled += 1
        return settled

    def end_labs(self) -> int:
        """Ask every shim to end its lab, and wait until all have."""
        if not self._platform.leases.is_dir():
            return 0
        living = [witness for witness in map(Witness, self._platform.leases.iterdir()) if witness.alive()]
        for witness in living:
            witness.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(witness.alive() for witness in living) and time.monotonic() < deadline:
            time.sleep(0.1)
        return len(living)
