"""VALUE: a submission, the rules it is taken by, and what became of it. No I/O.

Times are integer microseconds since the epoch, UTC, by the server's clock. Points are floats as nbgrader counts them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


class LatePolicy(Protocol):
    """What lateness costs at a lab."""

    @property
    def grace_minutes(self) -> int:
        """Minutes past the due date that cost nothing."""

    @property
    def percent_per_day(self) -> float:
        """Percent of the score for every started day."""


@dataclass(frozen=True)
class LabRules:
    """How attempts at a lab are counted, what lateness costs, and what a grading run may use."""

    attempts: int
    counts: Literal["best", "last"]
    grace_minutes: int
    percent_per_day: float
    last_day: int
    limits: Limits
    graders: int = 1
    """How many people read each hand-graded answer, blind to each other."""
    gpu: str = ""
    """UUID of the GPU that grading has for this lab; empty for none: the lab's code runs on the CPU."""


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
    signature: str = ""
    """The intake's signature of the receipt, base64; empty where nobody signed."""


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
    kind: Literal["auto", "manual"]
    grade_id: str = ""
    is_answered: bool = True


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
    open_appeals: int = 0
    """Appeals against its hand marks that a third person has not decided, or whose new mark has not arrived yet."""

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


def late_penalty(rules: LatePolicy, late_us: int) -> float:
    """Percent of the score that lateness costs: every started day since the due date, once the grace is used up."""
    if late_us <= rules.grace_minutes * MINUTE_US:
        return 0.0
    started_days = -(-late_us // DAY_US)
    return min(100.0, rules.percent_per_day * started_days)


def counted(results: Iterable[LabResult], rules: LabRules) -> LabResult | None:
    """The attempt that counts under ``rules``; None without any."""
    return best_or_last(results, rules.counts)


def best_or_last(results: Iterable[LabResult], counts: str) -> LabResult | None:
    """The last graded attempt, or the one with most points (of equals the later). None without any."""
    return _pick(results, counts, lambda result: result.score)


def to_hand_grade(results: Iterable[LabResult], counts: str) -> LabResult | None:
    """The attempt a person should look at: what would count by its automatic points alone. None without any."""
    return _pick(results, counts, lambda result: result.auto_score * (1 - result.late_percent / 100))


def _pick(results: Iterable[LabResult], counts: str, points: Callable[[LabResult], float]) -> LabResult | None:
    if counts == "last":
        return max(results, key=lambda result: result.attempt, default=None)
    # Rounded, so that two sums of the same points in another order are equal.
    return max(results, key=lambda result: (round(points(result), 6), result.attempt), default=None)


@dataclass(frozen=True)
class Attempt:
    """One attempt with what became of it; ``result`` is None until it is graded."""

    submission: Submission
    result: LabResult | None
    hand_released: bool
    """Whether the instructor has released what was graded by hand."""


@dataclass(frozen=True)
class HandMark:
    """What a person gave a cell of the attempt that the gradebook shows; ``score`` None takes a mark back.

    ``received_us`` says which attempt that was: a mark read while the gradebook is moving on must not go to the next.
    """

    learner: str
    lab: str
    received_us: int
    grade_id: str
    score: float | None
    comment: str


@dataclass(frozen=True)
class ToShow:
    """What the gradebook ought to show of a learner's lab, and every verdict (by submission) that was known for it."""

    submission: Submission
    result: LabResult
    marks: tuple[HandMark, ...]
    known: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RegradeChange:
    """One attempt of a class-wide regrade: automatic points before and after; None where there were or are none yet."""

    learner: str
    attempt: int
    submission_id: str
    before: float | None
    after: float | None
    is_done: bool


@dataclass(frozen=True)
class RegradeProgress:
    """A class-wide regrade: who asked for it and why, and how far it has come."""

    course: str
    lab: str
    version: str
    asked_by: str
    reason: str
    asked_us: int
    changes: tuple[RegradeChange, ...]

    @property
    def total(self) -> int:
        """How many attempts are graded again."""
        return len(self.changes)

    @property
    def done(self) -> int:
        """How many have been."""
        return sum(change.is_done for change in self.changes)


@dataclass(frozen=True)
class RegradeEffect:
    """A learner whose counted score at a lab a regrade has changed; ``before`` None where nothing counted before.

    Scores include hand marks and the late deduction, both as they stand now.
    """

    learner: str
    course: str
    lab: str
    before: float | None
    after: float
    submission_before: str | None
    submission_after: str


WAITING_ZH = "等待教师评分。"
WAITING_EN = "Waits for a person to grade it."


def learner_items(result: LabResult, *, hand_released: bool) -> tuple[Item, ...]:
    """The items as the learner may see them: hand marks stay covered until the instructor releases them."""
    if hand_released:
        return result.items
    return tuple(
        replace(item, score=None, reason_zh=WAITING_ZH, reason_en=WAITING_EN) if item.kind == "manual" else item
        for item in result.items
    )
