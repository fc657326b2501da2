"""VALUE: whether a learner has completed a course, condition by condition; pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grader.submission import LabResult
    from hub.compute.lease import Metered
    from hub.course import Course

Kind = Literal["labs", "hand", "lab_score", "score", "rubric", "minutes", "appeal"]


@dataclass(frozen=True)
class Condition:
    """One part of the completion rule; ``got`` and ``expected`` in the unit of its kind (labs, percent …)."""

    kind: Kind
    held: bool
    got: float
    expected: float


@dataclass(frozen=True)
class Completion:
    """How far a learner is: all conditions, and the score in percent so far (weights of all labs, missing ones 0)."""

    conditions: tuple[Condition, ...]
    score_percent: float

    @property
    def completed(self) -> bool:
        """Whether every condition holds."""
        return all(condition.held for condition in self.conditions)


def percent(result: LabResult) -> float:
    """A lab's score in percent of its points, the late penalty taken off."""
    return 100 * result.score / result.max_score if result.max_score else 0.0


def rubric_percent(results: Sequence[LabResult]) -> float | None:
    """Hand-given points in percent of those there are so far; None where there are none."""
    most = sum(result.hand_max for result in results)
    return 100 * sum(result.hand_score for result in results) / most if most else None


def evaluate(course: Course, results: Sequence[LabResult], metered: Metered) -> Completion:
    """Hold one learner's counted results and metered lab time against the course's rule."""
    by_lab: Mapping[str, LabResult] = {result.lab: result for result in results if _belongs(course, result)}
    weights = sum(lab.weight for lab in course.labs)
    scores = {lab.id: percent(by_lab[lab.id]) if lab.id in by_lab else 0.0 for lab in course.labs}
    score = sum(lab.weight * scores[lab.id] for lab in course.labs) / weights
    lowest, rule = min(scores.values()), course.completion
    graded = sum(not result.awaiting_hand for result in by_lab.values())
    minutes = metered.lab_seconds / 60
    appeals = sum(result.open_appeals for result in by_lab.values())
    conditions = (
        Condition("labs", len(by_lab) == len(course.labs), len(by_lab), len(course.labs)),
        Condition("hand", graded == len(by_lab), graded, len(by_lab)),
        Condition("lab_score", lowest >= rule.min_lab_score, lowest, rule.min_lab_score),
        Condition("score", score >= rule.min_score, score, rule.min_score),
        _rubric(course, by_lab),
        Condition("minutes", minutes >= rule.min_lab_minutes, minutes, rule.min_lab_minutes),
        # What a third person is about to change is not certified before.
        Condition("appeal", appeals == 0, 0, appeals),
    )
    return Completion(conditions, score)


def _rubric(course: Course, by_lab: Mapping[str, LabResult]) -> Condition:
    """Held when it stays held: a lab with a rubric that is not graded yet could still take the points away."""
    expected = course.completion.min_rubric
    is_complete = all(lab.id in by_lab for lab in course.labs if lab.rubric)
    so_far = rubric_percent(list(by_lab.values()))
    got = so_far if so_far is not None else 100.0 if is_complete else 0.0
    return Condition("rubric", got >= expected and (is_complete or not expected), got, expected)


def _belongs(course: Course, result: LabResult) -> bool:
    return any(lab.id == result.lab for lab in course.labs)
