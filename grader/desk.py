"""Desk: what the intake does for a learner, step by step, apart from how it is asked over HTTP."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.check.notebook import NotebookRefused
from grader.feedback import render_feedback
from grader.receipt import sign
from grader.refusal import Refused
from grader.submission import learner_items
from grader.unpack import Caps, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from grader.store import Store
    from grader.store.versions import Release
    from grader.submission import LabRules, Submission, Window

INFLATION = 5
"""An archive may unpack to this many times the largest upload."""


@dataclass(frozen=True)
class Desk:
    """The intake's parts, as :func:`grader.app.create_app` was given them."""

    store: Store
    identify: Callable[[str], str | None]
    window_of: Callable[[str, str, str], Window | None]
    labs_of: Callable[[str], Sequence[tuple[str, str, str, str]]]
    rules_of: Callable[[str, str], LabRules]
    receipt_key: Ed25519PrivateKey
    max_bytes: int
    inspect: Callable[[bytes, bytes], None]
    compute_of: Callable[[str], Mapping[str, Any]] = lambda _learner: {}

    def learner(self, authorization: str) -> str:
        """The person an ``Authorization`` header stands for.

        Raises:
            Refused: there is no token, or the hub does not know it.
        """
        scheme, _, token = authorization.partition(" ")
        name = self.identify(token.strip()) if scheme.lower() in ("token", "bearer") and token.strip() else None
        if not name:
            raise _no_token(is_there=bool(authorization))
        return name

    def window(self, course: str, lab: str, learner: str) -> Window:
        """When the learner may hand the lab in.

        Raises:
            Refused: the learner is not in the course, or it has no such lab.
        """
        mine = [(known, its_lab) for known, its_lab, _, _ in self.labs_of(learner)]
        if course not in {known for known, _ in mine}:
            raise _not_in_course(course)
        window = self.window_of(course, lab, learner) if (course, lab) in mine else None
        if window is None:
            raise _unknown_lab(lab, [its_lab for known, its_lab in mine if known == course])
        return window

    def fetch(self, course: str, lab: str, learner: str) -> Release:
        """The lab as learners get it.

        Raises:
            Refused: not theirs, not released, or not open yet.
        """
        window = self.window(course, lab, learner)
        release = self.store.release_bundle(course, lab)
        if release is None:
            raise _unknown_lab(lab, list(self.store.released_labs(course)))
        if self.store.now_us() < window.opens_us:
            raise _not_open(self.store.now_us(), window)
        return release

    def hand_in(self, course: str, lab: str, learner: str, archive: bytes) -> Submission:
        """Take an archive as the learner's next attempt; the same bytes again get the same receipt.

        Raises:
            Refused: and nothing is recorded, no attempt is used.
            DiskFullError: likewise.
        """
        # 1. Whose is it, and is there such a lab.
        window = self.window(course, lab, learner)
        # 2. An answer that got lost on its way is given again, even after the deadline.
        known = self.store.same_bytes(course, lab, learner, hashlib.sha256(archive).hexdigest())
        if known is not None and known.state != "failed":
            return known
        # 3. Is it time (a retry of what failed through us always is).
        if known is None:
            _check_open(self.store.now_us(), window)
        # 4. Can it be opened, and graded.
        version = self._check_content(course, lab, unpack(archive, self._caps()))
        # 5. Store, number, queue.
        rules = self.rules_of(course, lab)
        return self.store.add(
            course, lab, learner, archive, window=window, rules=rules, version=version,
            sign=lambda receipt: sign(receipt, self.receipt_key),
        )  # fmt: skip

    def feedback(self, submission_id: str, learner: str) -> bytes:
        """A zip with the feedback page of the learner's own submission.

        Raises:
            Refused: there is no such feedback for this learner.
        """
        submission = self.store.submission(submission_id)
        if submission is None or submission.learner != learner:
            raise _no_feedback()
        mine = self.store.attempts(submission.course, submission.lab, learner)
        attempt = next(one for one in mine if one.submission.id == submission_id)
        verdict = self.store.verdict(submission_id)
        if attempt.result is None or verdict is None:
            raise _no_feedback()
        items = learner_items(attempt.result, hand_released=attempt.hand_released)
        marks = self.store.hand_marks(submission_id) if attempt.hand_released else ()
        comments = {mark.grade_id: mark.comment for mark in marks if mark.comment}
        page = render_feedback(submission, attempt.result, items, verdict, comments=comments)
        return pack({f"{submission.lab}.html": page})

    def _caps(self) -> Caps:
        return Caps(inflated=self.max_bytes * INFLATION)

    def _check_content(self, course: str, lab: str, files: dict[str, bytes]) -> str:
        """Have the notebook inspected; the lab version it was made from."""
        name = f"{lab}.ipynb"
        if name not in files:
            raise _no_notebook(name, files)
        current = self.store.current_lab_version(course, lab)
        if current is None:
            raise _unknown_lab(lab, list(self.store.released_labs(course)))
        claimed = claimed_version(files[name])
        version = self.store.lab_version(course, lab, claimed) if claimed else None
        version = version or self.store.lab_version(course, lab, current)
        if version is None:
            raise AssertionError("the current version was there a moment ago; versions are never deleted")
        try:
            self.inspect(files[name], version.release)
        except NotebookRefused as error:
            raise _notebook_refused(error) from error
        return version.version


def claimed_version(notebook: bytes) -> str:
    """The lab version a notebook says it was made from; empty when it says nothing usable."""
    try:
        said = json.loads(notebook)["metadata"]["reelwright"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""


def _check_open(now_us: int, window: Window) -> None:
    if now_us < window.opens_us:
        raise _not_open(now_us, window)
    if now_us > window.closes_us:
        raise Refused(
            410,
            "window_closed",
            zh="提交已截止。你的文件没有丢失：它还在你的实验环境里。",
            en="The time to hand this lab in is over. Your work is not lost: it is still in your lab.",
            got=f"server time {now_us} us",
            expected=f"at most {window.closes_us} us",
        )


def _not_open(now_us: int, window: Window) -> Refused:
    return Refused(
        410,
        "not_open",
        zh="这个实验还没有开放。",
        en="This lab is not open yet.",
        got=f"server time {now_us} us",
        expected=f"at least {window.opens_us} us",
    )


def _no_token(*, is_there: bool) -> Refused:
    return Refused(
        401,
        "no_token",
        zh="无法确认你的身份。请重新登录后再试。",
        en="We could not tell who you are. Sign in again, then try once more.",
        got="an unknown token" if is_there else "no token",
        expected="Authorization: token <hub token>",
    )


def _not_in_course(course: str) -> Refused:
    return Refused(
        403,
        "not_in_course",
        zh="你不在这门课程的名单里。",
        en="You are not on the roster of this course.",
        got=course,
        expected="one of your courses",
    )


def _unknown_lab(lab: str, known: Sequence[str]) -> Refused:
    return Refused(
        404,
        "unknown_lab",
        zh="没有这个实验，或者它还没有发布。",
        en="There is no such lab, or it has not been released.",
        got=lab,
        expected=", ".join(known) or "a released lab",
    )


def _no_feedback() -> Refused:
    return Refused(
        404,
        "no_feedback",
        zh="还没有可以查看的反馈。",
        en="There is no feedback to show yet.",
        expected="a graded attempt",
    )


def _no_notebook(name: str, files: dict[str, bytes]) -> Refused:
    return Refused(
        422,
        "notebook_missing",
        zh=f"压缩包里没有作业文件 {name}。",
        en=f"The archive does not hold the lab's notebook {name}.",
        got=", ".join(sorted(files)[:5]) or "no files",
        expected=name,
    )


def _notebook_refused(error: NotebookRefused) -> Refused:
    return Refused(422, error.code, zh=error.zh, en=error.en, got=error.got, expected=error.expected)
