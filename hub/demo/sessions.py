"""A month of the ledger: every session of the schedule opened, started and ended as of its time, each day signed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from hub.compute.lease import DAY_US, MINUTE_US, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    from hub.course import Course
    from hub.demo.clock import PastClock
    from hub.demo.schedule import Sitting
    from hub.people.person import Cohort
    from hub.platform import Platform

SOURCE = "demo"
"""Who says when the sessions ran: the ledger's chain tells them from sessions that an engine witnessed."""
BOOT_US = 8_000_000
EPOCH = date(1970, 1, 1)


class Step(NamedTuple):
    """One thing that the ledger is told, and when."""

    at_us: int
    tell: Callable[[], object]


def open_ledger(platform: Platform, clock: PastClock) -> Ledger:
    """The instance's ledger on a clock that can be set back."""
    policy = load_policy(platform.config.policy.tariffs, platform.config.policy.subsidies)
    return Ledger(platform.engine, policy, platform.secrets.path("checkpoint-key.pem"), clock=clock)


def tell_sessions(
    platform: Platform, course: Course, plan: Iterable[tuple[Cohort, Sitting]], clock: PastClock, rng: Random
) -> int:
    """Write all sessions in the order of time; how many there were."""
    ledger = open_ledger(platform, clock)
    sessions = sorted(plan, key=lambda one: one[1].start_us)
    steps: list[Step] = []
    for cohort, sitting in sessions:
        steps += _session(ledger, platform, course, (cohort, sitting), UUID(int=rng.getrandbits(128), version=4))
    if steps:
        steps += _days(ledger, min(step.at_us for step in steps), clock())
    for step in sorted(steps, key=lambda one: one.at_us):
        with clock.at(step.at_us):
            step.tell()
    return len(sessions)


def _session(
    ledger: Ledger, platform: Platform, course: Course, held: tuple[Cohort, Sitting], lease_id: UUID
) -> Iterator[Step]:
    cohort, sitting = held
    profile = course.lab(sitting.lab).profile
    asked_us = sitting.start_us - BOOT_US
    request = LeaseRequest(
        id=lease_id, learner=sitting.learner, course=course.id, lab=sitting.lab, cohort=cohort.id, site=cohort.site,
        profile=profile, longest_us=platform.config.profiles[profile].longest_session_minutes * MINUTE_US,
        requested_us=asked_us,
    )  # fmt: skip
    allowance = course.allowance.micro_yuan
    yield Step(asked_us - 1, lambda: ledger.grant(sitting.learner, course.id, allowance, "enrolment", asked_us - 1))
    yield Step(asked_us, lambda: ledger.open(request))
    yield Step(sitting.start_us, lambda: ledger.record_started(lease_id, sitting.start_us, SOURCE))
    yield Step(sitting.end_us, lambda: ledger.record_ended(lease_id, sitting.end_us, SOURCE, "stopped"))


def _days(ledger: Ledger, first_us: int, now_us: int) -> Iterator[Step]:
    """Sign the chain at the end of every day (UTC) that is over, as the steward does."""
    day = datetime.fromtimestamp(first_us / 1_000_000, UTC).date()
    while (over_us := ((day - EPOCH).days + 1) * DAY_US) <= now_us:
        yield Step(over_us, lambda day=day: ledger.checkpoint(day))  # type: ignore[misc]
        day += timedelta(days=1)
