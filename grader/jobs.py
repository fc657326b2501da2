"""The worker: takes what was handed in, one after another, has it graded, and tells the gradebook.

A failure of ours is tried again and never costs a learner an attempt. A worker may die at any line: its claim runs out,
its fencing number is void, and what it recorded but did not post is posted by the next one.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from grader.blobs import DiskFullError
from grader.store.claims import LEASE_SECONDS
from grader.unpack import Caps, unpack
from grader.verdict import GradingJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from grader.gradebook import Gradebooks
    from grader.store import Claim, Store
    from grader.store.papers import FinalMark, MarkKey
    from grader.submission import HandMark, LabRules, ToShow
    from grader.verdict import Verdict

log = logging.getLogger(__name__)

POST_RETRY_SECONDS = 60.0
JOBS_BETWEEN_ROUNDS = 20
"""Under load the gradebooks are still looked after once in this many submissions."""
CAPS = Caps(inflated=1 << 32)
"""The intake already bounded what is stored; this only guards against an archive changed behind its back."""
OURS_ZH = "评分服务出错，会自动重试。"
OURS_EN = "The grading service failed; it is tried again by itself."


class JobError(Exception):
    """A stored submission cannot be made a job; the message says what is missing."""


def run_worker(
    store: Store,
    *,
    grade: Callable[[GradingJob], Verdict],
    gradebooks: Gradebooks,
    rules_of: Callable[[str, str], LabRules],
    stop: threading.Event,
    name: str,
    poll_seconds: float = 0.5,
    lease_seconds: float = LEASE_SECONDS,
) -> None:
    """Grade what is handed in until ``stop`` is set; the submission in hand is finished first."""
    worker = Worker(store, grade, gradebooks, rules_of, name, lease_seconds)
    jobs = 0
    while not stop.is_set():
        try:
            has_worked = worker.work_once()
            jobs += has_worked
            if not has_worked or jobs % JOBS_BETWEEN_ROUNDS == 0:
                worker.look_after_gradebooks()
        except Exception:
            # A locked or full database is no reason to die: nothing was recorded, the claim runs out by itself.
            log.exception("worker %s: a round failed", name)
            has_worked = False
        if not has_worked:
            stop.wait(poll_seconds)


@dataclass
class Worker:
    """One worker's parts, and which posts it lately failed to deliver."""

    store: Store
    grade: Callable[[GradingJob], Verdict]
    gradebooks: Gradebooks
    rules_of: Callable[[str, str], LabRules]
    name: str
    lease_seconds: float = LEASE_SECONDS
    _not_before: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def work_once(self) -> bool:
        """Grade one submission; False when none waits."""
        claim = self.store.claim(self.name, lease_seconds=self.lease_seconds)
        if claim is None:
            return False
        try:
            with self._holding(claim):
                verdict = self.grade(self._job(claim))
        except Exception:
            # Whatever the grader raises is ours: what learner code does comes back as a verdict.
            log.exception("worker %s: grading %s failed, try %d", self.name, claim.submission.id, claim.tries)
            self.store.give_back(claim, OURS_ZH, OURS_EN)
            return True
        self._settle(claim, verdict)
        return True

    def look_after_gradebooks(self) -> None:
        """Post what a worker left unposted, and take over what was graded by hand."""
        for place in self.store.unposted():
            self._try_to_post(place)
        for final in self.store.hand.undelivered():
            self._try_to_deliver(final)
        for course in self.gradebooks.courses():
            sync_hand_marks(self.store, self.gradebooks, course)

    def _settle(self, claim: Claim, verdict: Verdict) -> None:
        failure = verdict.failure
        if failure is not None and failure.kind == "infrastructure":
            log.error("worker %s: %s: %s", self.name, claim.submission.id, failure.reason_en)
            self.store.give_back(claim, failure.reason_zh, failure.reason_en)
            return
        try:
            is_recorded = self.store.record(claim, verdict)
        except DiskFullError as error:
            log.error("worker %s: no room to record %s: %s", self.name, claim.submission.id, error)  # noqa: TRY400
            self.store.give_back(claim, OURS_ZH, OURS_EN)
            return
        if not is_recorded:
            log.warning("worker %s: %s had passed to another worker", self.name, claim.submission.id)
            return
        self._try_to_post((claim.submission.course, claim.submission.lab, claim.submission.learner))

    def _job(self, claim: Claim) -> GradingJob:
        submission = claim.submission
        version = self.store.lab_version(submission.course, submission.lab, claim.version)
        if version is None:
            raise JobError(f"version {claim.version} of {submission.course}/{submission.lab} is not stored")
        files = unpack(self.store.blobs.get(submission.sha256), CAPS)
        notebook = files.pop(f"{submission.lab}.ipynb")
        rules = self.rules_of(submission.course, submission.lab)
        return GradingJob(submission.id, version, notebook, files, rules.limits, rules.gpu)

    @contextmanager
    def _holding(self, claim: Claim) -> Iterator[None]:
        """Renew the claim while the body runs."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.lease_seconds / 3):
                try:
                    if not self.store.renew(claim, lease_seconds=self.lease_seconds):
                        return
                except Exception:
                    log.exception("worker %s: could not renew %s", self.name, claim.submission.id)

        thread = threading.Thread(target=renew, name=f"renew-{claim.submission.id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _try_to_post(self, place: tuple[str, str, str]) -> None:
        if self._not_before.get(place, 0.0) > time.monotonic():
            return
        try:
            post(self.store, self.gradebooks, *place)
            self._not_before.pop(place, None)
        except Exception:
            # The score stands and the learner has it; only the instructor's view of it is late.
            log.exception("worker %s: could not tell the gradebook of %s", self.name, "/".join(place))
            self._not_before[place] = time.monotonic() + POST_RETRY_SECONDS

    def _try_to_deliver(self, final: FinalMark) -> None:
        place = (final.course, final.lab, final.paper_id)
        if self._not_before.get(place, 0.0) > time.monotonic():
            return
        try:
            deliver(self.store, self.gradebooks, final)
            self._not_before.pop(place, None)
        except Exception:
            log.exception("worker %s: could not tell the gradebook of the mark on %s", self.name, final.paper_id)
            self._not_before[place] = time.monotonic() + POST_RETRY_SECONDS


def post(store: Store, gradebooks: Gradebooks, course: str, lab: str, learner: str) -> None:
    """Make the gradebook show the attempt it ought to, after taking over what was marked on the one it shows.

    Raises:
        GradebookError: the gradebook cannot take it.
    """
    with gradebooks.alone(course):
        _take_over(store, gradebooks, course, gradebooks.hand_marks(course, lab, learner))
        told_of = store.to_show(course, lab, learner)
        if told_of is None:
            return
        verdict = store.verdict(told_of.submission.id)
        if verdict is None:
            return
        gradebooks.record(
            told_of.submission,
            verdict,
            marks=told_of.marks,
            unanswered=_unanswered(told_of),
            late_percent=told_of.result.late_percent,
        )
        store.posted(told_of)


def deliver(store: Store, gradebooks: Gradebooks, final: FinalMark) -> None:
    """Give a mark that its readers agreed on to every attempt with that answer, and to the gradebook if it shows one.

    Whoever dies on the way has told nobody that it is done, and the next one does all of it again.
    """
    with gradebooks.alone(final.course):
        _take_over(store, gradebooks, final.course, gradebooks.hand_marks(final.course, final.lab, final.learner))
        mark = store.hand.settle(final)
        if mark is not None:
            gradebooks.give(final.course, [mark])
        store.hand.delivered(final)


def sync_hand_marks(store: Store, gradebooks: Gradebooks, course: str) -> int:
    """Take over what was graded by hand since the last time; how many marks changed. Costs a stat when nothing did."""
    stamp = gradebooks.stamp(course)
    if stamp == gradebooks.seen.get(course, ()):
        return 0
    with gradebooks.alone(course):
        changed = _take_over(store, gradebooks, course, gradebooks.hand_marks(course))
    gradebooks.seen[course] = stamp
    return changed


def _take_over(store: Store, gradebooks: Gradebooks, course: str, given: Sequence[HandMark]) -> int:
    """Record what formgrader holds; cells that two people read, or a third decided, get back what those gave them."""
    ruled = store.hand.ruled(course)
    theirs = [mark for mark in given if _key(mark) not in ruled]
    overruled = [
        replace(mark, score=score, comment=comment)
        for mark in given
        for score, comment in [ruled.get(_key(mark), (mark.score, mark.comment))]
        if (score, comment) != (mark.score, mark.comment)
    ]
    if overruled:
        gradebooks.give(course, overruled)
    return store.record_hand_marks(course, theirs)


def _key(mark: HandMark) -> MarkKey:
    return mark.lab, mark.learner, mark.received_us, mark.grade_id


def _unanswered(told_of: ToShow) -> frozenset[str]:
    items = told_of.result.items
    return frozenset(item.grade_id for item in items if item.kind == "manual" and not item.is_answered)
