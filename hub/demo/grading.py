"""Hands in what the schedule says through the intake's own desk, and has it graded by real workers in the sandbox."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import grader.store
from grader.check.intake_check import inspect_notebook
from grader.desk import Desk
from grader.grade import grade
from grader.gradebook import Gradebooks
from grader.jobs import Worker
from hub.demo.answers import archive
from hub.demo.cast import ESSAYS, THIN_ESSAY
from hub.serve import labs_of, rules_of, window_of

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from grader.sandbox.box import Sandbox
    from grader.verdict import GradingJob, Verdict
    from hub.course import Course
    from hub.demo.clock import PastClock
    from hub.demo.schedule import Quality, Sitting
    from hub.platform import Platform

MOST_WORKERS = 4
WRONG: dict[Quality, float] = {"reference": 0.0, "slip": 0.01, "poor": 0.5}
"""The share of the answers, counted from the last one, that are wrong."""
QUEUED_US = 2_000_000
"""How long a submission had waited for a worker."""


class GradingFailedError(Exception):
    """A submission could not be graded; the message says which and why."""


class Room:
    """The grading side of the instance on a clock that can be set back."""

    def __init__(self, platform: Platform, sandbox: Sandbox, clock: PastClock) -> None:
        self._platform, self._sandbox, self._clock = platform, sandbox, clock
        self.store = grader.store.Store(platform.engine, platform.config.data_dir / "blobs", clock=clock)
        self.gradebooks = Gradebooks(platform.gradebooks)
        self._desk = Desk(
            store=self.store,
            identify=lambda _token: None,
            window_of=lambda course, lab, learner: window_of(platform, course, lab, learner),
            labs_of=lambda learner: labs_of(platform, learner),
            rules_of=lambda course, lab: rules_of(platform, course, lab),
            receipt_key=platform.secrets.signing_key("receipt-key.pem"),
            max_bytes=platform.config.grader.max_submission_mb << 20,
            inspect=inspect_notebook,
        )

    def folder(self, course: str) -> Path:
        """Where nbgrader's gradebook of a course lies."""
        return self._platform.gradebooks / course

    def hand_in(self, course: Course, sitting: Sitting, rng: Random) -> None:
        """Hand in the work of one session, as of its time."""
        bundle = self.store.release_bundle(course.id, sitting.lab)
        version = self.store.lab_version(course.id, sitting.lab, bundle.version) if bundle else None
        if bundle is None or version is None:
            raise GradingFailedError(f"{course.id}/{sitting.lab} is not released")
        essay = THIN_ESSAY if sitting.hands_in == "poor" else rng.choice(ESSAYS)
        work = archive(version, bundle.content, essay, WRONG[sitting.hands_in or "reference"], rng)
        with self._clock.at(sitting.handed_in_us):
            self._desk.hand_in(course.id, sitting.lab, sitting.learner, work)

    def grade_all(self) -> None:
        """Grade everything that waits, on all cores.

        Raises:
            GradingFailedError: something was not graded.
        """
        workers = min(MOST_WORKERS, len(os.sched_getaffinity(0)))
        threads = [threading.Thread(target=self._work, args=(f"demo-{n}",)) for n in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if left := self.store.queue_depth():
            raise GradingFailedError(f"{left} submission(s) could not be graded; the log above says why")

    def _work(self, name: str) -> None:
        rules = lambda course, lab: rules_of(self._platform, course, lab)  # noqa: E731
        worker = Worker(self.store, self._grade, self.gradebooks, rules, name)
        while worker.work_once():
            self._clock.set(None)

    def _grade(self, job: GradingJob) -> Verdict:
        verdict = grade(job, self._sandbox)
        submission = self.store.submission(job.submission_id)
        if submission is not None:
            # The worker records next, on this thread: the verdict is as of soon after the submission.
            self._clock.set(submission.received_us + QUEUED_US + int(verdict.seconds * 1_000_000))
        return verdict
