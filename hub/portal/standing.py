"""VALUE: how far one lab has come, and the score its learner may see of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from grader.submission import Attempt, LabResult

Standing = Literal["not-started", "in-progress", "queued", "grading", "needs_review", "graded", "failed"]
TO_DO: frozenset[Standing] = frozenset({"not-started", "in-progress", "failed"})
PENDING: frozenset[Standing] = frozenset({"queued", "grading"})


@dataclass(frozen=True)
class Score:
    """Points a learner may see now; ``final`` is False while a part given by hand is missing or not released."""

    points: float
    most: float
    final: bool


def standing_of(attempts: tuple[Attempt, ...], score: Score | None, *, begun: bool) -> Standing:
    """How far a lab has come: what is being graded now says more than an older score."""
    latest = attempts[-1].submission.state if attempts else None
    if latest in PENDING or (latest is not None and score is None):
        return latest
    if score is not None:
        return "graded" if score.final else "needs_review"
    return "in-progress" if begun else "not-started"


def covered(result: LabResult, *, hand_released: bool) -> LabResult:
    """``result`` without the marks its instructor has not released yet."""
    if hand_released or not result.hand_max:
        return result
    return replace(result, hand_score=0.0, awaiting_hand=True)


def seen_by_learner(result: LabResult, *, hand_released: bool) -> Score:
    """The score of an attempt as its learner may see it; the late deduction is in it."""
    seen = covered(result, hand_released=hand_released)
    return Score(seen.score, seen.auto_max if seen.awaiting_hand else seen.max_score, final=not seen.awaiting_hand)
