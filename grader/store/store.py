"""Store: one method for each thing the grader's services ask of the database; the SQL lies in the modules beside it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError, OperationalError

from grader.blobs import Blobs, DiskFullError
from grader.mending import check_same_cells, no_such_version
from grader.store import claims, intake, marks, regrades, results, versions
from grader.store.hand import HandGrading
from grader.store.likenesses import Likenesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from grader.store.claims import Claim
    from grader.store.versions import Release, VersionNote
    from grader.submission import (
        Attempt,
        HandMark,
        LabResult,
        LabRules,
        LatePolicy,
        Receipt,
        RegradeEffect,
        RegradeProgress,
        Submission,
        ToShow,
        Window,
    )
    from grader.verdict import LabVersion, Verdict

RACES = 8
"""How often an insert that lost a race for an attempt number is tried again (PostgreSQL; SQLite has one writer)."""


def wall_clock_us() -> int:
    """The server's time."""
    return time.time_ns() // 1000


class Store:
    """The grader's database and blobs. Every method is one transaction."""

    def __init__(self, engine: Engine, blobs: Path, *, clock: Callable[[], int] = wall_clock_us) -> None:
        self._engine = engine
        self.blobs = Blobs(blobs)
        self._clock = clock
        self.hand = HandGrading(self._reading, self._writing, self.blobs, clock)
        """Answers read by people, and what came of it."""
        self.likenesses = Likenesses(self._reading, self._writing, self.blobs, clock)
        """Which answers of a cohort are too alike."""

    def now_us(self) -> int:
        """The server's time as this store stamps it."""
        return self._clock()

    # What is handed in

    def add(
        self,
        course: str,
        lab: str,
        learner: str,
        archive: bytes,
        *,
        window: Window,
        rules: LabRules,
        version: str,
        sign: Callable[[Receipt], str] | None = None,
    ) -> Submission:
        """Keep ``archive`` durably and queue it as the learner's next attempt; the same bytes again change nothing.

        ``sign`` signs the receipt, which is kept with the attempt.

        Raises:
            Refused: the attempts are used up.
            DiskFullError: there is no room; nothing is recorded.
        """
        sha256 = self.blobs.put(archive)
        received = intake.Received(
            course, lab, learner, sha256, len(archive), self._clock(), version, window=window, rules=rules, sign=sign
        )
        for race in range(RACES):
            try:
                with self._writing() as connection:
                    return intake.add(connection, received)
            except IntegrityError:
                # Two uploads of one learner chose the same number at once; the loser looks again.
                if race == RACES - 1:
                    raise
        raise AssertionError("unreachable: the last race raises")

    def submission(self, submission_id: str) -> Submission | None:
        """The submission of that id."""
        with self._reading() as connection:
            return intake.find(connection, submission_id)

    def same_bytes(self, course: str, lab: str, learner: str, sha256: str) -> Submission | None:
        """The learner's attempt that has these very bytes."""
        with self._reading() as connection:
            return intake.same_bytes(connection, course, lab, learner, sha256)

    def attempts_used(self, course: str, lab: str, learner: str) -> int:
        """How many attempts the learner has spent; those that failed through us do not count."""
        with self._reading() as connection:
            return intake.attempts_used(connection, course, lab, learner)

    def queue_depth(self) -> int:
        """How many submissions wait for a worker or are with one."""
        with self._reading() as connection:
            return claims.queue_depth(connection)

    # The worker's side

    def claim(self, worker: str, *, lease_seconds: float = claims.LEASE_SECONDS) -> Claim | None:
        """Take the oldest submission that waits, or whose worker went silent; None when there is none."""
        with self._writing() as connection:
            return claims.claim(connection, worker, self._clock(), int(lease_seconds * 1_000_000))

    def renew(self, claim: Claim, *, lease_seconds: float = claims.LEASE_SECONDS) -> bool:
        """Hold ``claim`` longer; False when another worker has it by now."""
        with self._writing() as connection:
            return claims.renew(connection, claim, self._clock() + int(lease_seconds * 1_000_000))

    def record(self, claim: Claim, verdict: Verdict) -> bool:
        """Write what ``claim`` was graded as, once; False when the claim is no longer held and nothing was written."""
        place = (claim.submission.course, claim.submission.lab, claim.version)
        with self._reading() as connection:
            stored = versions.find(connection, *place)
        release = self.blobs.get(stored.release_sha256) if stored else b""
        kept = results.keep_files(self.blobs, verdict, release)
        with self._writing() as connection:
            return results.record(connection, claim, verdict, kept, self._clock())

    def give_back(self, claim: Claim, reason_zh: str, reason_en: str) -> None:
        """Return ``claim`` after a failure of ours: it is tried again later, in the end given up at no cost."""
        with self._writing() as connection:
            claims.give_back(connection, claim, self._clock(), reason_zh, reason_en)

    def ask_regrade(self, submission_id: str, *, asked_by: str, reason: str) -> bool:
        """Queue a graded or failed submission again, keeping its score until the new one; False when none is due."""
        with self._writing() as connection:
            return claims.ask_regrade(connection, submission_id, asked_by, reason, self._clock())

    def ask_class_regrade(
        self, course: str, lab: str, *, asked_by: str, reason: str, version: str | None = None
    ) -> int:
        """Have every attempt at a lab graded again by ``version`` (the current one); how many attempts that are.

        It happens behind new submissions; scores stay until the new ones, hand marks stay for good.

        Raises:
            Refused: the version is not there, or its cells are not those that learners have worked in.
        """
        chosen = version or self.current_lab_version(course, lab)
        mended = self.lab_version(course, lab, chosen) if chosen else None
        if mended is None:
            raise no_such_version(course, lab, chosen or "")
        with self._reading() as connection:
            known = regrades.versions_in_use(connection, course, lab)
        for one in known:
            check_same_cells(self.lab_version(course, lab, one), mended)
        with self._writing() as connection:
            return regrades.ask(connection, (course, lab, mended.version), asked_by, reason, self._clock())

    def regrade_progress(self, course: str, lab: str) -> RegradeProgress | None:
        """The latest class-wide regrade of a lab, attempt by attempt; None when there never was one."""
        with self._reading() as connection:
            return regrades.progress(connection, course, lab)

    def regrade_effects(self, course: str, lab: str) -> tuple[RegradeEffect, ...]:
        """Whose counted score the latest class-wide regrade has changed so far: their certificates need a look."""
        with self._reading() as connection:
            return regrades.effects(connection, course, lab)

    # Results

    def attempts(self, course: str, lab: str, learner: str) -> tuple[Attempt, ...]:
        """All attempts of a learner at a lab, the first first."""
        with self._reading() as connection:
            return results.attempts(connection, course, lab, learner)

    def class_attempts(self, course: str) -> tuple[Attempt, ...]:
        """All attempts of every learner of the course, by lab and learner, the first first."""
        with self._reading() as connection:
            return results.class_attempts(connection, course)

    def results(self, course: str, learner: str) -> tuple[LabResult, ...]:
        """The attempt that counts for each lab the learner has a graded attempt at."""
        with self._reading() as connection:
            return results.counted_results(connection, course, learner)

    def class_results(self, course: str) -> tuple[LabResult, ...]:
        """The attempts that count, of every learner of the course."""
        with self._reading() as connection:
            return results.counted_results(connection, course, None)

    def result(self, submission_id: str) -> LabResult | None:
        """What one attempt was given; None until it is graded."""
        with self._reading() as connection:
            return results.result(connection, submission_id)

    def verdict(self, submission_id: str) -> Verdict | None:
        """The latest verdict on a submission, its notebook and files included; None until it is graded."""
        with self._reading() as connection:
            stored = results.stored_verdict(connection, submission_id)
        return None if stored is None else results.rebuild(self.blobs, stored)

    # Marks given by hand, and the gradebook

    def unposted(self) -> tuple[tuple[str, str, str], ...]:
        """Course, lab and learner wherever there is a verdict that the gradebook has not been told."""
        with self._reading() as connection:
            return marks.unposted(connection)

    def shown(self, course: str, lab: str, learner: str) -> str | None:
        """The submission that the gradebook shows for a learner."""
        with self._reading() as connection:
            return marks.shown(connection, course, lab, learner)

    def to_show(self, course: str, lab: str, learner: str) -> ToShow | None:
        """The attempt that the gradebook ought to show: the one a person's marks could decide."""
        with self._reading() as connection:
            return results.to_show(connection, course, lab, learner)

    def posted(self, told_of: ToShow) -> None:
        """Note that the gradebook shows this attempt and has been told of the verdicts it was chosen from."""
        with self._writing() as connection:
            marks.posted(connection, told_of)

    def repost(self, course: str, lab: str) -> int:
        """Have the gradebook told again of every graded attempt at a lab; how many that are."""
        with self._writing() as connection:
            return marks.repost(connection, course, lab)

    def hand_marks(self, submission_id: str) -> tuple[HandMark, ...]:
        """What persons gave the cells of a submission."""
        with self._reading() as connection:
            return marks.of_submission(connection, submission_id)

    def record_hand_marks(self, course: str, given: Sequence[HandMark]) -> int:
        """Take over the marks that the gradebook holds now; how many changed.

        A mark also goes to the learner's other attempts that have the same answer in that cell.
        """
        with self._writing() as connection:
            return marks.record(connection, course, given, self._clock())

    def excuse(self, course: str, lab: str, learner: str, due_us: int, policy: LatePolicy) -> int:
        """Give back what lateness cost a learner who now has until ``due_us``; for how many attempts."""
        with self._writing() as connection:
            return intake.excuse(connection, (course, lab, learner), due_us, policy)

    def release_feedback(self, course: str, lab: str, learner: str | None, *, released_by: str) -> int:
        """Let learners (one, or all that are graded) see what was graded by hand; how many that are."""
        with self._writing() as connection:
            return marks.release_feedback(connection, (course, lab, learner), released_by, self._clock())

    # Labs

    def release(self, lab: LabVersion, *, rubric_version: str = "") -> None:
        """Make ``lab`` the version learners fetch; the same version again makes it current again."""
        kept = versions.keep(self.blobs, lab)
        with self._writing() as connection:
            versions.release(connection, lab, kept, rubric_version, self._clock())

    def withdraw(self, course: str, lab: str) -> None:
        """Stop handing the lab out; what was handed in stays."""
        with self._writing() as connection:
            versions.withdraw(connection, course, lab, self._clock())

    def current_lab_version(self, course: str, lab: str) -> str | None:
        """The version learners fetch now; None when the lab is not released."""
        with self._reading() as connection:
            row = versions.current(connection, course, lab)
        return None if row is None else row.version

    def lab_versions(self, course: str, lab: str) -> tuple[VersionNote, ...]:
        """Every version of a lab that was ever released, the newest first."""
        with self._reading() as connection:
            return versions.known(connection, course, lab)

    def rubric_version(self, course: str, lab: str) -> str:
        """The rubric's version of the current release; empty when there is none."""
        with self._reading() as connection:
            row = versions.current(connection, course, lab)
        return "" if row is None else row.rubric_version

    def released_labs(self, course: str) -> tuple[str, ...]:
        """The labs of a course that learners can fetch."""
        with self._reading() as connection:
            return versions.released(connection, course)

    def released_by(self, course: str, at_us: int) -> tuple[str, ...]:
        """The labs of a course that learners could fetch at that moment; one released anew since may be left out."""
        with self._reading() as connection:
            return versions.released_by(connection, course, at_us)

    def lab_version(self, course: str, lab: str, version: str) -> LabVersion | None:
        """One version of a lab with all its bytes."""
        with self._reading() as connection:
            stored = versions.find(connection, course, lab, version)
        return None if stored is None else versions.rebuild(self.blobs, stored)

    def release_bundle(self, course: str, lab: str) -> Release | None:
        """What a learner fetches; None when the lab is not released."""
        with self._reading() as connection:
            stored = versions.current(connection, course, lab)
        return None if stored is None else versions.bundle(self.blobs, stored)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(read_only=True) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            if _is_disk_full(error):
                raise DiskFullError(str(error.orig)) from error
            raise


def _is_disk_full(error: OperationalError) -> bool:
    if isinstance(error.orig, sqlite3.OperationalError):
        return error.orig.sqlite_errorcode == sqlite3.SQLITE_FULL
    return getattr(error.orig, "sqlstate", None) == "53100"
