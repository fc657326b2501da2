"""From what happened to points: nbgrader's rules, applied to what the checker saw, never to what a kernel printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grader.check import reasons
from grader.check.outputs import clean_text, text_of
from grader.check.reasons import Reason
from grader.verdict import CellScore

if TYPE_CHECKING:
    from grader.check.rebuild import Step
    from grader.check.session import Record

_MAX_OUTPUT = 4000


def score_cells(steps: tuple[Step, ...], record: Record) -> tuple[CellScore, ...]:
    """One score for each graded cell, in the lab's order."""
    return tuple(_score(number, step, record) for number, step in enumerate(steps) if step.graded is not None)


def _score(number: int, step: Step, record: Record) -> CellScore:
    tag = step.graded
    assert tag is not None  # noqa: S101  the caller's condition
    score, reason = _points(number, step, record, tag.points)
    if step.manual:
        output = text_of(record.outputs.get(number, []))
    else:
        output = "" if step.hidden else str(record.outcomes.get(number, {}).get("printed", ""))
    return CellScore(
        grade_id=tag.grade_id,
        title=step.title,
        kind="manual" if step.manual else "auto",
        score=score,
        max_score=tag.points,
        reason_zh=reason.zh,
        reason_en=reason.en,
        output=clean_text(output, _MAX_OUTPUT),
    )


def _points(number: int, step: Step, record: Record, points: float) -> tuple[float, Reason]:
    if step.missing or step.manual:
        return 0.0, reasons.MISSING if step.missing else reasons.MANUAL
    outcome: dict[str, Any] | None = record.outcomes.get(number)
    if outcome is None:
        return 0.0, record.unrun.get(number) or record.ended or reasons.ENDED["died"]
    if outcome["passed"]:
        return _credit(outcome["value"], points)
    # Of a test whose hidden lines ran, a learner is told what happened before them, or nothing.
    told = record.released.get(number, outcome)
    reason = reasons.HIDDEN if not told or told["passed"] else _why(told)
    return 0.0, _with_limit(reason, number, record)


def _why(outcome: dict[str, Any]) -> Reason:
    if outcome["complained"] and "kind" not in outcome:
        return reasons.why_complained(outcome["complained"])
    return reasons.why_failed(outcome)


def _with_limit(reason: Reason, number: int, record: Record) -> Reason:
    """``reason``, and the limit that a cell before the test met, which may be why."""
    met = [limit for cell, limit in record.limits.items() if cell < number]
    return Reason(f"{reason.zh}\n{met[-1].zh}", f"{reason.en}\n{met[-1].en}") if met else reason


def _credit(value: float | None, points: float) -> tuple[float, Reason]:
    """Apply nbgrader's partial credit: a number at the end of a test is the score, anything else is full marks."""
    if value is None or value == points:
        return points, reasons.HELD
    if not 0 <= value <= points:
        return 0.0, reasons.OUT_OF_RANGE
    return value, reasons.PARTIAL
