"""The order in which an instance is filled; every step says itself in a line."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from grader.sandbox.box import SandboxUnavailable
from hub import prepare
from hub.compute.lease import DAY_US
from hub.demo import cast, certificates, marking, people, sessions
from hub.demo.clock import PastClock
from hub.demo.grading import GradingFailedError, Room
from hub.demo.schedule import Sitting, sittings
from hub.migrate import upgrade
from hub.people.person import day_starts_us
from hub.serve import sandbox_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from grader.sandbox.box import Sandbox
    from hub.course import Course
    from hub.demo.cast import CohortPlan, Trainee
    from hub.people.person import Cohort
    from hub.platform import Platform

SEED = 20261122
EXTENDED_US = 7 * DAY_US
"""Those who have begun and handed nothing in get another week from today."""


class DemoRefusedError(Exception):
    """The instance cannot be filled; the message says what was found there and what to do."""


def fill(platform: Platform, say: Callable[[str], None], *, fast: bool, seed: int = SEED) -> None:
    """Fill ``platform``, saying a line at each step; the same seed and day give the same people and the same work.

    Raises:
        DemoRefusedError: there are people already, or submissions cannot be graded or certificates signed here.
        hub.prepare.NotReady: as at every start.
    """
    # 1. Refuse before anything is written.
    sandbox = _refuse_what_cannot_be_filled(platform)
    prepare.everything(platform, say)
    course, rng, clock = platform.courses[0], Random(seed), PastClock()  # noqa: S311 -- a story, not a secret
    plan = cast.cast(cast.FAST if fast else cast.FULL)
    try:
        for line in _Filling(platform, course, rng, clock).everything(plan, sandbox):
            say(line)
    except (GradingFailedError, certificates.IssuerFailedError) as error:
        raise DemoRefusedError(f"{error}; what is there is incomplete, begin again with another data_dir") from error


def _refuse_what_cannot_be_filled(platform: Platform) -> Sandbox:
    prepare.folders(platform)
    upgrade(platform.config.database_url)
    if known := platform.people.people():
        raise DemoRefusedError(
            f"{platform.config.data_dir}: got an instance with {len(known)} people, expected one without any; "
            "name another data_dir in the configuration (REELWRIGHT_DATA_DIR=...), or move this one away"
        )
    try:
        return sandbox_of(platform.config)
    except SandboxUnavailable as error:
        raise DemoRefusedError(str(error)) from error


class _Filling:
    """One filling under way: the platform, its first course, and where chance and time come from."""

    def __init__(self, platform: Platform, course: Course, rng: Random, clock: PastClock) -> None:
        self._platform, self._course, self._rng, self._clock = platform, course, rng, clock
        site = platform.people.site(platform.config.site.id)
        zone = ZoneInfo(site.timezone if site else "Asia/Shanghai")
        self._calendar = people.Calendar(datetime.now(zone).date(), zone)

    def everything(self, plan: Sequence[CohortPlan], sandbox: Sandbox) -> Iterator[str]:
        """Do all steps after the preparation, with a line for each."""
        course, trainees = self._course, [trainee for cohort in plan for trainee in cohort.trainees]
        # 2. People: staff, cohorts, seats, one password.
        held = self._put_people(plan)
        password = people.new_password()
        names = [member.name for member in cast.STAFF] + [one.name for one in trainees if one.story is not None]
        people.let_in(self._platform.config, names, password)
        yield f"people: {len(names)} who can sign in, {len(plan)} cohort(s) of {course.id}"
        # 3. A month of sessions in the ledger.
        told = sessions.tell_sessions(self._platform, course, held, self._clock, self._rng)
        yield f"ledger: {told} sessions over {max(cohort.began for cohort in plan)} days"
        # 4. Work handed in, graded for real, marked by hand, shown.
        yield from self._graded(held, trainees, sandbox)
        # 5. Certificates.
        ids = certificates.certify(self._platform, course, trainees)
        yield f"certificates: {len(ids)}, {int(len(ids) > certificates.GOOD_ONES)} of them revoked"
        yield from (f"  {self._platform.config.server.public_url}/certs/{one}" for one in ids)
        yield f"sign in at {self._platform.config.server.public_url}/ once it runs; password of everyone: {password}"
        yield from (f"  {member.name} ({member.role})" for member in cast.STAFF)
        yield "  " + " ".join(one.name for one in trainees if one.story is not None)

    def _put_people(self, plan: Sequence[CohortPlan]) -> list[tuple[Cohort, Sitting]]:
        """Make everybody; gives back every session there will be, with its cohort."""
        people.put_staff(self._platform, [self._course])
        held: list[tuple[Cohort, Sitting]] = []
        for one in plan:
            cohort = people.put_cohort(self._platform, self._course, one, self._calendar, self._clock)
            first_day_us = day_starts_us(cohort.starts, self._calendar.zone)
            for trainee in one.trainees:
                work = sittings(trainee, self._course, first_day_us, one.began - 1, self._rng)
                held += [(cohort, sitting) for sitting in work]
                self._extend(cohort, trainee)
        return held

    def _extend(self, cohort: Cohort, trainee: Trainee) -> None:
        if trainee.story == "begun":
            for lab in self._course.labs:
                self._platform.people.extension(cohort.id, lab.id, trainee.name, self._clock() + EXTENDED_US)

    def _graded(
        self, held: Sequence[tuple[Cohort, Sitting]], trainees: Sequence[Trainee], sandbox: Sandbox
    ) -> Iterator[str]:
        room = Room(self._platform, sandbox, self._clock)
        handed_in = [sitting for _, sitting in held if sitting.hands_in]
        for sitting in sorted(handed_in, key=lambda one: one.handed_in_us):
            room.hand_in(self._course, sitting, self._rng)
        yield f"submissions: {len(handed_in)} handed in; grading them"
        room.grade_all()
        given = marking.mark(room, self._course, trainees, self._clock, self._rng)
        teacher = next(member.name for member in cast.STAFF if member.role == "instructor")
        shown = marking.release_feedback(room, self._course, trainees, teacher, self._clock)
        yield f"marks: {given} given by hand, feedback on {shown} result(s) released"
