"""SQL: answers laid out for people to read, what they gave them, and what learners appeal.

A paper is one learner's answer to one cell: attempts that hold the same words share it, so that what was read once is
not read again. Its id is random and stands for the learner on every page a reader sees.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select, update

from grader.reading import Appeal, Reading, Sheet
from grader.store.scores import MANUAL, gather, on_papers
from grader.submission import to_hand_grade
from grader.tables import appeal as appeal_table
from grader.tables import cell, paper, reading, verdict
from grader.tables import shown as shown_table
from grader.tables import submission as table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from grader.submission import Item, LabResult

MarkKey = tuple[str, str, int, str]
"""Lab, learner, when the shown attempt was received, and cell: what a mark in the gradebook is on."""


@dataclass(frozen=True)
class FinalMark:
    """What the readings of one answer come to, for the gradebook."""

    paper_id: str
    course: str
    lab: str
    learner: str
    grade_id: str
    score: float
    comment: str


def lay_out(connection: Connection, submission_id: str) -> None:
    """Make a paper of every hand-graded answer of a submission that has none yet."""
    columns = (table.c.course, table.c.lab, table.c.learner, cell.c.grade_id, cell.c.answer_sha256, table.c.graders)
    joined = table.join(cell, cell.c.verdict_id == table.c.verdict_id)
    answered = and_(table.c.id == submission_id, cell.c.kind == MANUAL, cell.c.answered)
    for row in connection.execute(select(*columns).select_from(joined).where(answered)).all():
        place = dict(zip(("course", "lab", "learner", "grade_id", "answer_sha256"), row[:5], strict=True))
        here = and_(*(paper.c[name] == value for name, value in place.items()))
        if connection.execute(select(paper.c.id).where(here)).first() is None:
            connection.execute(insert(paper).values(id=str(uuid.uuid4()), readers=row.graders, **place))


def sheets(connection: Connection, course: str, lab: str, learners: Collection[str]) -> tuple[Sheet, ...]:
    """The answers of these learners that a person should look at, in an order that tells nothing about them."""
    here = and_(table.c.course == course, table.c.lab == lab)
    chosen = []
    for _, group in groupby(gather(connection, here), key=lambda one: one.result.learner):
        members = list(group)
        result = to_hand_grade([one.result for one in members], members[-1].counts)
        if result is not None and result.learner in learners:
            chosen.append(result)
    return _laid_out(connection, chosen)


def sheet(connection: Connection, paper_id: str) -> Sheet | None:
    """One answer by its paper, in the newest attempt that holds it."""
    newest = (
        select(table.c.id)
        .select_from(on_papers())
        .where(paper.c.id == paper_id)
        .order_by(table.c.attempt.desc())
        .limit(1)
    )
    found = connection.execute(newest).scalar()
    scored = gather(connection, table.c.id == found) if found else ()
    return next((one for one in _laid_out(connection, [s.result for s in scored]) if one.id == paper_id), None)


def _laid_out(connection: Connection, results: Sequence[LabResult]) -> tuple[Sheet, ...]:
    by_id = {result.submission_id: result for result in results}
    columns = (table.c.id.label("submission_id"), cell.c.grade_id, paper.c.id, paper.c.readers)
    rows = connection.execute(
        select(*columns).select_from(on_papers()).where(table.c.id.in_(by_id), cell.c.kind == MANUAL)
    ).all()
    read = _readings(connection, [row.id for row in rows])
    appeals = appeals_of(connection, [row.id for row in rows])
    made = []
    for row in sorted(rows, key=lambda one: one.id):
        result = by_id[row.submission_id]
        item = next(item for item in result.items if item.grade_id == row.grade_id)
        made.append(_sheet(row, result, item, tuple(read.get(row.id, ())), appeals.get(row.id)))
    return tuple(made)


def _sheet(row: Any, result: LabResult, item: Item, read: tuple[Reading, ...], asked: Appeal | None) -> Sheet:
    return Sheet(
        id=row.id,
        learner=result.learner,
        submission_id=row.submission_id,
        grade_id=row.grade_id,
        title=item.title,
        most=item.max_score,
        readers=row.readers,
        mark=item.score,
        readings=read,
        appeal=asked,
    )


def _readings(connection: Connection, paper_ids: Iterable[str]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    rows = connection.execute(select(reading).where(reading.c.paper_id.in_(list(paper_ids))).order_by(reading.c.id))
    for row in rows:
        one = Reading(row.criterion, row.role, row.reader, row.score, row.comment)
        found.setdefault(row.paper_id, []).append(one)
    return found


def appeals_of(connection: Connection, paper_ids: Iterable[str]) -> dict[str, Appeal]:
    """The appeals against these papers' marks."""
    rows = connection.execute(select(appeal_table).where(appeal_table.c.paper_id.in_(list(paper_ids))))
    return {row.paper_id: Appeal(row.reason, row.asked_us, row.decided_by, row.answer) for row in rows}


def put(connection: Connection, paper_id: str, given: Reading, now_us: int) -> None:
    """Write a reading in the place of what the same person gave the question in that role."""
    mine = and_(
        reading.c.paper_id == paper_id,
        reading.c.criterion == given.criterion,
        reading.c.role == given.role,
        reading.c.reader == given.reader,
    )
    said = {"score": given.score, "comment": given.comment, "read_us": now_us}
    if not connection.execute(update(reading).where(mine).values(said)).rowcount:
        who = {"criterion": given.criterion, "role": given.role, "reader": given.reader}
        connection.execute(insert(reading).values(paper_id=paper_id, **who, **said))


def lock(connection: Connection, paper_id: str) -> bool:
    """Hold a paper until the transaction ends, so that of two readers who come at once one comes first."""
    held = select(paper.c.id).where(paper.c.id == paper_id).with_for_update()
    return connection.execute(held).first() is not None


def finish(connection: Connection, paper_id: str, final: tuple[float, str] | None) -> None:
    """Note what the readings come to, as news for the gradebook when it is."""
    if final is None:
        return
    score, comment = final
    changed = or_(paper.c.final_score.is_(None), paper.c.final_score != score, paper.c.final_comment != comment)
    here = and_(paper.c.id == paper_id, changed)
    connection.execute(update(paper).where(here).values(final_score=score, final_comment=comment, is_news=True))


def open_appeals(connection: Connection, course: str, lab: str, learners: Collection[str]) -> tuple[Sheet, ...]:
    """The appealed answers of these learners that wait for a third person, whatever was handed in since."""
    waiting = and_(paper.c.course == course, paper.c.lab == lab, appeal_table.c.decided_us.is_(None))
    joined = paper.join(appeal_table, appeal_table.c.paper_id == paper.c.id)
    columns = select(paper.c.id, paper.c.learner).select_from(joined)
    rows = connection.execute(columns.where(waiting).order_by(paper.c.id)).all()
    found = (sheet(connection, row.id) for row in rows if row.learner in learners)
    return tuple(one for one in found if one is not None)


def ask(connection: Connection, paper_id: str, reason: str, now_us: int) -> None:
    """Note a learner's appeal."""
    connection.execute(insert(appeal_table).values(paper_id=paper_id, reason=reason, asked_us=now_us))


def decide(connection: Connection, paper_id: str, decided_by: str, answer: str, now_us: int) -> None:
    """Close an appeal."""
    said = {"decided_by": decided_by, "answer": answer, "decided_us": now_us}
    connection.execute(update(appeal_table).where(appeal_table.c.paper_id == paper_id).values(said))


def paper_of(connection: Connection, submission_id: str) -> Mapping[str, str]:
    """The papers of a submission's answers, by cell."""
    rows = connection.execute(
        select(cell.c.grade_id, paper.c.id).select_from(on_papers()).where(table.c.id == submission_id)
    )
    return {row.grade_id: row.id for row in rows}


def undelivered(connection: Connection) -> tuple[FinalMark, ...]:
    """The final marks that the gradebook has not been told."""
    rows = connection.execute(select(paper).where(paper.c.is_news, paper.c.final_score.is_not(None))).all()
    return tuple(
        FinalMark(row.id, row.course, row.lab, row.learner, row.grade_id, row.final_score, row.final_comment)
        for row in rows
    )


def holders(connection: Connection, paper_id: str) -> Sequence[str]:
    """The submissions that hold a paper's answer."""
    chosen = select(table.c.id).select_from(on_papers()).where(paper.c.id == paper_id)
    return list(connection.execute(chosen).scalars())


def is_shown(connection: Connection, final: FinalMark) -> int | None:
    """When the attempt that the gradebook shows was received, if it holds this answer."""
    place = and_(
        shown_table.c.course == final.course, shown_table.c.lab == final.lab, shown_table.c.learner == final.learner
    )
    shown = connection.execute(select(shown_table.c.submission_id).where(place)).scalar()
    if shown not in holders(connection, final.paper_id):
        return None
    return connection.execute(select(table.c.received_us).where(table.c.id == shown)).scalar()


def delivered(connection: Connection, final: FinalMark) -> None:
    """Note that the gradebook has this mark, unless it has changed since."""
    same = and_(paper.c.final_score == final.score, paper.c.final_comment == final.comment)
    connection.execute(update(paper).where(paper.c.id == final.paper_id, same).values(is_news=False))


def ruled(connection: Connection, course: str) -> dict[MarkKey, tuple[float | None, str]]:
    """What the cells that formgrader may not overrule were given: read by two, or decided by a third person."""
    decided = appeal_table.c.decided_us.is_not(None)
    columns = (table.c.lab, table.c.learner, table.c.received_us, cell.c.grade_id)
    joined = (
        on_papers()
        .join(shown_table, shown_table.c.submission_id == table.c.id)
        .outerjoin(appeal_table, appeal_table.c.paper_id == paper.c.id)
    )
    said = (paper.c.final_score, paper.c.final_comment)
    here = and_(table.c.course == course, cell.c.kind == MANUAL, or_(paper.c.readers > 1, decided))
    rows = connection.execute(select(*columns, *said).select_from(joined).where(here))
    return {tuple(row[:4]): (row.final_score, row.final_comment) for row in rows}


def notebook_of(connection: Connection, submission_id: str) -> tuple[str, str] | None:
    """The digest of the notebook as it ran, and the JSON of what its cells left behind."""
    joined = table.join(verdict, verdict.c.id == table.c.verdict_id)
    columns = select(verdict.c.notebook_sha256, verdict.c.files).select_from(joined)
    row = connection.execute(columns.where(table.c.id == submission_id)).first()
    return None if row is None else (row.notebook_sha256, row.files)
