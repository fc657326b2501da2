"""VALUE: a submission, the rules it is taken by, and what became of it. No I/O.

Times are integer microseconds since the epoch, UTC, by the server's clock. Points are floats as nbgrader counts them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grader.verdict import Limits

State = Literal["queued", "grading", "graded", "needs_review", "failed"]
"""``needs_review``: the automatic part is done, a person has yet to grade the rest. ``failed``: our fault, costs no
attempt."""

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US


@dataclass(frozen=True)
class Window:
    """When a learner may hand a lab in. Up to ``due_us`` in time, up to ``closes_us`` late, then no more."""

    opens_us: int
    due_us: int
    closes_us: int

    def __post_init__(self) -> None:
        if not self.opens_us <= self.due_us <= self.closes_us:
            raise ValueError(
                f"got opens {self.opens_us}, due {self.due_us}, closes {self.closes_us}: not in that order"
            )


@dataclass(frozen=True)
class LabRules:
    """How attempts at a lab are counted, what lateness costs, and what a grading run may use."""

    attempts: int
    counts: Literal["best", "last"]
    grace_minutes: int
    percent_per_day: float
    last_day: int
    limits: Limits


@dataclass(frozen=True)
class Submission:
    """One attempt handed in: the stored bytes are named by ``sha256``."""

    id: str
    learner: str
    course: str
    lab: str
    attempt: int
    sha256: str
    bytes: int
    received_us: int
    due_us: int
    late_us: int
    lab_version: str
    state: State
    reason_zh: str = ""
    reason_en: str = ""


@dataclass(frozen=True)
class Receipt:
    """The statement a learner gets for what was handed in; signed as :func:`statement` says."""

    submission_id: str
    learner: str
    course: str
    lab: str
    attempt: int
    sha256: str
    bytes: int
    received_us: int
    due_us: int
    late_us: int
    version: str


def statement(receipt: Receipt) -> bytes:
    """The canonical JSON that a receipt's signature covers: sorted keys, no spaces, UTF-8."""
    return json.dumps(asdict(receipt), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def receipt_of(submission: Submission) -> Receipt:
    """What the receipt of ``submission`` says; the same words every time it is asked for."""
    return Receipt(
        submission_id=submission.id,
        learner=submission.learner,
        course=submission.course,
        lab=submission.lab,
        attempt=submission.attempt,
        sha256=submission.sha256,
        bytes=submission.bytes,
        received_us=submission.received_us,
        due_us=submission.due_us,
        late_us=submission.late_us,
        version=submission.lab_version,
    )


@dataclass(frozen=True)
class Item:
    """One graded cell. ``score`` is None while a person has yet to give it."""

    title: str
    score: float | None
    max_score: float
    reason_zh: str
    reason_en: str
    kind: Literal["auto", "hand"]
    grade_id: str = ""


@dataclass(frozen=True)
class LabResult:
    """What one attempt was given; as a lab's result, the attempt that counts. Points are before the late deduction."""

    learner: str
    course: str
    lab: str
    submission_id: str
    attempt: int
    sha256: str
    lab_version: str
    rubric_version: str
    auto_score: float
    auto_max: float
    hand_score: float
    hand_max: float
    awaiting_hand: bool
    late_percent: float
    graded_us: int
    items: tuple[Item, ...]

    @property
    def score(self) -> float:
        """Automatic and hand-given points together, after the late deduction."""
        return (self.auto_score + self.hand_score) * (1 - self.late_percent / 100)

    @property
    def max_score(self) -> float:
        """The most points the attempt could get."""
        return self.auto_max + self.hand_max


def lateness(window: Window, received_us: int) -> int:
    """Microseconds past the due date; 0 when in time."""
    return max(0, received_us - window.due_us)


def late_penalty(rules: LabRules, late_us: int) -> float:
    """Percent of the score that lateness costs: every started day since the due date, once the grace is used up."""
    if late_us <= rules.grace_minutes * MINUTE_US:
        return 0.0
    started_days = -(-late_us // DAY_US)
    return min(100.0, rules.percent_per_day * started_days)


def counted(results: Iterable[LabResult], rules: LabRules) -> LabResult | None:
    """The attempt that counts: the last graded, or the one with most points (of equals the later). None without any."""
    by_attempt = sorted(results, key=lambda result: result.attempt)
    if not by_attempt:
        return None
    if rules.counts == "last":
        return by_attempt[-1]
    return max(by_attempt, key=lambda result: (round(result.score, 6), result.attempt))


def to_hand_grade(results: Iterable[LabResult], rules: LabRules) -> LabResult | None:
    """The attempt a person should look at: what would count by its automatic points alone. None without any."""
    by_attempt = sorted(results, key=lambda result: result.attempt)
    if not by_attempt:
        return None
    if rules.counts == "last":
        return by_attempt[-1]
    return max(by_attempt, key=lambda r: (round(r.auto_score * (1 - r.late_percent / 100), 6), r.attempt))
