"""SQL: verdicts, cells and hand marks put together to what an attempt was given."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, func, or_, select, update

from grader.submission import WAITING_EN, WAITING_ZH, Item, LabResult
from grader.tables import appeal, cell, hand_mark, lab_version, paper, verdict
from grader.tables import submission as table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

MANUAL: Literal["manual"] = "manual"
NO_ANSWER_ZH = "没有作答。"
NO_ANSWER_EN = "There is no answer."


@dataclass(frozen=True)
class Scored:
    """A graded attempt with the best-or-last rule it was handed in under."""

    result: LabResult
    counts: str


def gather(connection: Connection, condition: Any) -> tuple[Scored, ...]:
    """What every graded attempt that meets ``condition`` (on the submission table) was given, the first first."""
    with_verdict = table.join(verdict, verdict.c.id == table.c.verdict_id).outerjoin(
        lab_version,
        and_(
            lab_version.c.course == table.c.course,
            lab_version.c.lab == table.c.lab,
            lab_version.c.version == verdict.c.lab_version,
        ),
    )
    graded_by = verdict.c.lab_version.label("graded_by")
    columns = (table, verdict.c.graded_us, graded_by, lab_version.c.rubric_version)
    chosen = select(*columns).select_from(with_verdict).where(condition)
    rows = connection.execute(chosen.order_by(table.c.course, table.c.lab, table.c.learner, table.c.attempt)).all()
    cells, appeals = _cells(connection, condition), _open_appeals(connection, condition)
    return tuple(Scored(_result(row, cells[row.id], appeals.get(row.id, 0)), row.counts) for row in rows)


def _cells(connection: Connection, condition: Any) -> dict[str, list[Any]]:
    joined = table.join(cell, cell.c.verdict_id == table.c.verdict_id).outerjoin(
        hand_mark, and_(hand_mark.c.submission_id == table.c.id, hand_mark.c.grade_id == cell.c.grade_id)
    )
    marked = hand_mark.c.score.label("mark")
    chosen = select(table.c.id.label("submission_id"), cell, marked, hand_mark.c.comment.label("comment"))
    cells: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(chosen.select_from(joined).where(condition).order_by(cell.c.position)):
        cells[row.submission_id].append(row)
    return cells


def on_papers() -> Any:
    """Submissions with their graded cells and the papers of the answers there."""
    same = and_(
        paper.c.course == table.c.course,
        paper.c.lab == table.c.lab,
        paper.c.learner == table.c.learner,
        paper.c.grade_id == cell.c.grade_id,
        paper.c.answer_sha256 == cell.c.answer_sha256,
    )
    return table.join(cell, cell.c.verdict_id == table.c.verdict_id).join(paper, same)


def _open_appeals(connection: Connection, condition: Any) -> dict[str, int]:
    """How many answers of each submission were appealed and have not got the mark that comes of it."""
    joined = on_papers().join(appeal, appeal.c.paper_id == paper.c.id)
    is_open = or_(appeal.c.decided_us.is_(None), paper.c.is_news)
    chosen = select(table.c.id, func.count()).select_from(joined).where(condition, is_open).group_by(table.c.id)
    return {row[0]: row[1] for row in connection.execute(chosen)}


def _result(row: Any, cells: Iterable[Any], open_appeals: int) -> LabResult:
    items = tuple(_item(graded) for graded in cells)
    hand = [item for item in items if item.kind == MANUAL]
    auto = [item for item in items if item.kind != MANUAL]
    return LabResult(
        learner=row.learner,
        course=row.course,
        lab=row.lab,
        submission_id=row.id,
        attempt=row.attempt,
        sha256=row.sha256,
        lab_version=row.graded_by,
        rubric_version=row.rubric_version or "",
        auto_score=sum(item.score or 0.0 for item in auto),
        auto_max=sum(item.max_score for item in auto),
        hand_score=sum(item.score or 0.0 for item in hand),
        hand_max=sum(item.max_score for item in hand),
        awaiting_hand=any(item.score is None for item in hand),
        late_percent=row.late_percent,
        graded_us=row.graded_us,
        items=items,
        open_appeals=open_appeals,
    )


def _item(row: Any) -> Item:
    """A cell's item: a person's mark goes before the automatic one, the comment before the automatic reason."""
    waits = row.kind == MANUAL and row.mark is None and row.answered
    score = None if waits else row.score if row.mark is None else row.mark
    reason_zh, reason_en = row.reason_zh, row.reason_en
    if row.comment:
        reason_zh = reason_en = row.comment
    elif waits:
        reason_zh, reason_en = WAITING_ZH, WAITING_EN
    elif row.kind == MANUAL:
        reason_zh, reason_en = ("", "") if row.answered else (NO_ANSWER_ZH, NO_ANSWER_EN)
    return Item(
        title=row.title,
        score=score,
        max_score=row.max_score,
        reason_zh=reason_zh,
        reason_en=reason_en,
        kind=row.kind,
        grade_id=row.grade_id,
        is_answered=row.answered,
    )


def settle(connection: Connection, submission_id: str) -> None:
    """Put a graded submission into the state that its hand-graded cells call for."""
    for scored in gather(connection, table.c.id == submission_id):
        state = "needs_review" if scored.result.awaiting_hand else "graded"
        connection.execute(update(table).where(table.c.id == submission_id).values(state=state))
