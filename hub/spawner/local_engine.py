"""Engine ``local`` as the platform sees it: boxed processes of this host, settled by their shims' records."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from hub.compute.books import HOLDING
from hub.reclaim.rule import is_overdue
from hub.spawner import box, shim
from hub.spawner.lease_state import lease_ids, lease_state
from hub.spawner.local import LocalLab
from hub.spawner.witness import LOST, Witness

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hub.compute.lease import Lease
    from hub.platform import Platform

LAUNCH_US = 60_000_000
"""How long a launch may take before a lease without a start is void."""
log = logging.getLogger(__name__)
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
        """Settle leases by the records of their shims; a lab that nobody ended in time is asked to end."""
        now_us, leases = time.time_ns() // 1000, self._platform.sessions.labs()
        for lease_id in self._unpaid({lease.id for lease in leases}):
            log.warning("Ending the lab of lease %s, for which nobody is charged", lease_id)
            self.witness(lease_id).stop()
        return sum(self._look_after(lease, now_us) for lease in leases)

    def _unpaid(self, paid: set[UUID]) -> list[UUID]:
        """Leases whose lab runs although the ledger has settled them, or never opened them."""
        folders = self._platform.leases.iterdir() if self._platform.leases.is_dir() else ()
        running = {one.name for one in folders if not (one / "ended.json").exists() and Witness(one).alive()}
        states = {each: lease_state(self._platform.ledger, each) for each in lease_ids(running) if each not in paid}
        return [each for each, state in states.items() if state not in HOLDING]

    def _look_after(self, lease: Lease, now_us: int) -> int:
        ledger, witness = self._platform.ledger, self.witness(lease.id)
        is_late = now_us - lease.requested_us >= LAUNCH_US  # before that, its launch may still be under way
        alive, started_us, ending = witness.alive(), witness.started_us(), witness.ending()
        if alive:
            if is_overdue(lease, now_us):
                witness.stop()
            if lease.state != "opened" or not is_late or started_us is None:
                return 0
            # Its hub was killed in mid-start: the lab runs, so its time counts from when its shim started it.
            ledger.record_started(lease.id, started_us, self.source)
        elif ending is not None and started_us is not None:
            if ending.reason == LOST:
                box.end_left_over(lease.id)
            ledger.record_started(lease.id, started_us, self.source)
            ledger.record_ended(lease.id, ending.at_us, self.source, ending.reason, ending.uncertainty_us)
        elif is_late:
            box.end_left_over(lease.id)
            ledger.void(lease.id, "never started")
        else:
            return 0
        return 1

    def beat(self) -> None:
        """Nothing to do: each lab has its shim."""

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
