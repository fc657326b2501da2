"""Brings together what is known of a running lab, and says when it ends: to the lab, the portal and the idle culler."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.compute.lease import MINUTE_US
from hub.reclaim.rule import Life, outlook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from uuid import UUID

    from hub.compute.class_window import Spans
    from hub.compute.lease import Lease
    from hub.compute.ledger import Ledger
    from hub.config import ProfileConfig
    from hub.reclaim.rule import Outlook
    from hub.reclaim.store import Use, UseStore

SILENT_US = 3 * MINUTE_US
"""A lab that has not told of itself for this long is judged by what the hub saw of it."""


def now_us() -> int:
    """The wall clock in integer microseconds."""
    return time.time_ns() // 1_000


class Sessions:
    """Running labs and their ends.

    ``takes`` names profiles whose leases are no labs; ``gpu_used_us`` says when a lease's GPU last worked, 0 for never.
    """

    def __init__(
        self,
        store: UseStore,
        ledger: Ledger,
        profiles: Mapping[str, ProfileConfig],
        *,
        takes: Collection[str] = (),
        gpu_used_us: Callable[[UUID], int] = lambda _lease: 0,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._store, self._ledger, self._profiles = store, ledger, profiles
        self._takes = takes
        self._gpu_used_us, self.clock = gpu_used_us, clock

    def running(self, learner: str) -> Lease | None:
        """The learner's lab that runs now: nobody has more than one."""
        return next((each for each in self.labs() if each.learner == learner and each.started_us is not None), None)

    def labs(self) -> tuple[Lease, ...]:
        """Leases of labs that are opened or run, oldest first; takes that a take server draws are none."""
        return tuple(each for each in self._ledger.open_leases() if each.profile not in self._takes)

    def told(self, lease: Lease, unused_us: int) -> Outlook:
        """Take in what a lab tells: its last use was ``unused_us`` ago; gives a notice when one is due."""
        now = self.clock()

        def change(known: Use) -> Use:
            return replace(known, told_us=now, used_us=max(known.used_us, now - max(0, unused_us)))

        return self._judged(lease, change, now)

    def reviewed(self, lease: Lease, inactive_us: int) -> Outlook:
        """Judge a lab in which the hub saw nothing for ``inactive_us``; gives a notice when one is due."""
        now = self.clock()

        def change(known: Use) -> Use:
            if now - known.told_us <= SILENT_US:
                return known
            return replace(known, used_us=max(known.used_us, now - max(0, inactive_us)))

        return self._judged(lease, change, now)

    def expected(self, lease: Lease) -> Outlook:
        """When a lab ends as things stand; changes nothing."""
        now, use = self.clock(), self._store.use(lease.id)
        # A lab that nothing was told of yet has just begun, or is judged by the hub's own eyes at the next round.
        used_us = use.used_us if use.told_us else now
        return outlook(self._life(lease, used_us), use.notice, now)

    def forget_ended(self) -> int:
        """Drop what was kept of labs that have ended; returns of how many."""
        return self._store.forget_all_but(lease.id for lease in self.labs())

    def _judged(self, lease: Lease, change: Callable[[Use], Use], now: int) -> Outlook:
        # Asked before the row is locked: SQLite has one writer, and this reads the ledger.
        begun = self._life(lease, 0)
        seen: list[Outlook] = []

        def judge(known: Use) -> Use:
            use = change(known)
            seen.append(outlook(replace(begun, used_us=max(begun.used_us, use.used_us)), use.notice, now))
            return replace(use, notice=seen[-1].notice)

        self._store.revise(lease.id, judge)
        return seen[-1]

    def _life(self, lease: Lease, used_us: int) -> Life:
        profile = self._profiles.get(lease.profile)
        idle_us = profile.idle_minutes * MINUTE_US if profile else lease.longest_us
        started_us = lease.started_us or lease.requested_us
        return Life(
            started_us=started_us,
            longest_us=lease.longest_us,
            used_us=max(started_us, used_us, self._gpu_used_us(lease.id)),
            idle_us=idle_us,
            classes=self._classes(lease),
        )

    def _classes(self, lease: Lease) -> Spans:
        windows = self._ledger.classes.of(lease.course)
        return tuple((each.from_us, each.until_us) for each in windows if each.cohort == lease.cohort)
