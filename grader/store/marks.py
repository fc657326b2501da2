"""SQL: marks given by hand, what the gradebook shows and knows, and which feedback is released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, or_, select, update

from grader.store.scores import MANUAL, settle
from grader.submission import HandMark
from grader.tables import cell, feedback_release, hand_mark
from grader.tables import shown as shown_table
from grader.tables import submission as table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from grader.submission import ToShow

Place = tuple[str, str, str]
"""Course, lab and learner."""


def of_submission(connection: Connection, submission_id: str) -> tuple[HandMark, ...]:
    """The marks on a submission's cells."""
    joined = hand_mark.join(table, table.c.id == hand_mark.c.submission_id)
    chosen = select(hand_mark, table.c.learner, table.c.lab, table.c.received_us).select_from(joined)
    rows = connection.execute(chosen.where(hand_mark.c.submission_id == submission_id))
    return tuple(HandMark(row.learner, row.lab, row.received_us, row.grade_id, row.score, row.comment) for row in rows)


def carry_marks_on(connection: Connection, submission_id: str, now_us: int) -> None:
    """Give a newly graded attempt the marks that the same answers got in the learner's other attempts."""
    here = _answers(connection, table.c.id == submission_id)
    marked = {mark.grade_id for mark in of_submission(connection, submission_id)}
    for answer in here:
        if answer.grade_id in marked:
            continue
        twin = connection.execute(
            select(hand_mark.c.score, hand_mark.c.comment)
            .select_from(_answer_join().join(hand_mark, _marks_the_cell()))
            .where(_same_answer(answer))
            .order_by(hand_mark.c.marked_us.desc())
            .limit(1)
        ).first()
        if twin is not None:
            carried = HandMark("", "", 0, answer.grade_id, twin.score, twin.comment)
            _put(connection, submission_id, carried, now_us)


def record(connection: Connection, course: str, given: Sequence[HandMark], now_us: int) -> int:
    """Bring the marks of the shown attempts, and of equal answers in others, to what ``given`` says."""
    changed = 0
    attempts = _shown_attempts(connection, course)
    known = _known(connection, course)
    for mark in given:
        submission_id = attempts.get((mark.lab, mark.learner, mark.received_us))
        said = (mark.score, mark.comment)
        if submission_id is None or known.get((submission_id, mark.grade_id), (None, "")) == said:
            continue
        _put(connection, submission_id, mark, now_us)
        changed += 1
        twins = _twins(connection, submission_id, mark.grade_id)
        for twin in twins:
            _put(connection, twin, mark, now_us)
        for touched in (submission_id, *twins):
            _settle_if_graded(connection, touched)
    return changed


def give(
    connection: Connection, submission_ids: Sequence[str], grade_id: str, said: tuple[float, str], at_us: int
) -> None:
    """Put points and a comment on one cell of these submissions, in the place of what was there."""
    mark = HandMark("", "", 0, grade_id, *said)
    for submission_id in submission_ids:
        _put(connection, submission_id, mark, at_us)
        _settle_if_graded(connection, submission_id)


def _shown_attempts(connection: Connection, course: str) -> dict[tuple[str, str, int], str]:
    joined = shown_table.join(table, table.c.id == shown_table.c.submission_id)
    chosen = select(table.c.lab, table.c.learner, table.c.received_us, table.c.id).select_from(joined)
    rows = connection.execute(chosen.where(shown_table.c.course == course))
    return {(row.lab, row.learner, row.received_us): row.id for row in rows}


def _known(connection: Connection, course: str) -> dict[tuple[str, str], tuple[float | None, str]]:
    joined = hand_mark.join(table, table.c.id == hand_mark.c.submission_id)
    rows = connection.execute(select(hand_mark).select_from(joined).where(table.c.course == course))
    return {(row.submission_id, row.grade_id): (row.score, row.comment) for row in rows}


def _put(connection: Connection, submission_id: str, mark: HandMark, now_us: int) -> None:
    """Write one mark in the place of what was there; an empty one takes it away."""
    here = and_(hand_mark.c.submission_id == submission_id, hand_mark.c.grade_id == mark.grade_id)
    connection.execute(delete(hand_mark).where(here))
    if mark.score is not None or mark.comment:
        values = {"submission_id": submission_id, "grade_id": mark.grade_id, "score": mark.score}
        connection.execute(insert(hand_mark).values(**values, comment=mark.comment, marked_us=now_us))


def _answer_join() -> Any:
    return table.join(cell, cell.c.verdict_id == table.c.verdict_id)


def _marks_the_cell() -> Any:
    return and_(hand_mark.c.submission_id == table.c.id, hand_mark.c.grade_id == cell.c.grade_id)


def _answers(connection: Connection, condition: Any) -> Sequence[Any]:
    columns = (table.c.id, table.c.course, table.c.lab, table.c.learner, cell.c.grade_id, cell.c.answer_sha256)
    hand = and_(cell.c.kind == MANUAL, cell.c.answer_sha256 != "")
    return connection.execute(select(*columns).select_from(_answer_join()).where(condition, hand)).all()


def _same_answer(answer: Any) -> Any:
    return and_(
        table.c.course == answer.course,
        table.c.lab == answer.lab,
        table.c.learner == answer.learner,
        table.c.id != answer.id,
        cell.c.grade_id == answer.grade_id,
        cell.c.answer_sha256 == answer.answer_sha256,
    )


def _twins(connection: Connection, submission_id: str, grade_id: str) -> list[str]:
    answers = _answers(connection, and_(table.c.id == submission_id, cell.c.grade_id == grade_id))
    if not answers:
        return []
    same = select(table.c.id).select_from(_answer_join()).where(_same_answer(answers[0]))
    return list(connection.execute(same).scalars())


def _settle_if_graded(connection: Connection, submission_id: str) -> None:
    # A submission that is queued for a regrade stays queued whatever a person marks meanwhile.
    state = connection.execute(select(table.c.state).where(table.c.id == submission_id)).scalar_one()
    if state in ("graded", "needs_review"):
        settle(connection, submission_id)


def unposted(connection: Connection) -> tuple[Place, ...]:
    """Where the gradebook lacks news."""
    news = or_(table.c.posted_verdict_id.is_(None), table.c.posted_verdict_id != table.c.verdict_id)
    columns = (table.c.course, table.c.lab, table.c.learner)
    rows = connection.execute(select(*columns).where(table.c.verdict_id.is_not(None), news).distinct())
    return tuple((row.course, row.lab, row.learner) for row in rows)


def shown(connection: Connection, course: str, lab: str, learner: str) -> str | None:
    """The submission that the gradebook shows."""
    here = _place((course, lab, learner))
    return connection.execute(select(shown_table.c.submission_id).where(here)).scalar()


def posted(connection: Connection, told_of: ToShow) -> None:
    """Note what the gradebook shows, and the verdicts it was told with it."""
    submission = told_of.submission
    course, lab, learner = submission.course, submission.lab, submission.learner
    connection.execute(delete(shown_table).where(_place((course, lab, learner))))
    connection.execute(insert(shown_table).values(course=course, lab=lab, learner=learner, submission_id=submission.id))
    for told, verdict_id in told_of.known:
        connection.execute(update(table).where(table.c.id == told).values(posted_verdict_id=verdict_id))


def repost(connection: Connection, course: str, lab: str) -> int:
    """Forget what the gradebook was told about a lab."""
    graded = and_(table.c.course == course, table.c.lab == lab, table.c.verdict_id.is_not(None))
    return connection.execute(update(table).where(graded).values(posted_verdict_id=None)).rowcount


def release_feedback(connection: Connection, place: tuple[str, str, str | None], by: str, now_us: int) -> int:
    """Flag the learner's hand feedback as released, or that of everyone who is graded."""
    course, lab, only = place
    graded = and_(table.c.course == course, table.c.lab == lab, table.c.verdict_id.is_not(None))
    if only is not None:
        graded = and_(graded, table.c.learner == only)
    learners = list(connection.execute(select(table.c.learner).where(graded).distinct()).scalars())
    for learner in learners:
        flags = feedback_release.c
        here = and_(flags.course == course, flags.lab == lab, flags.learner == learner)
        connection.execute(delete(feedback_release).where(here))
        values = {"course": course, "lab": lab, "learner": learner}
        connection.execute(insert(feedback_release).values(**values, released_us=now_us, released_by=by))
    return len(learners)


def released_us(connection: Connection, submission_id: str) -> int | None:
    """When the hand feedback on a submission's lab was released to its learner; None while it is not."""
    flags = feedback_release.c
    same = and_(flags.course == table.c.course, flags.lab == table.c.lab, flags.learner == table.c.learner)
    joined = select(flags.released_us).select_from(table.join(feedback_release, same))
    return connection.execute(joined.where(table.c.id == submission_id)).scalar()


def _place(place: Place) -> Any:
    course, lab, learner = place
    return and_(shown_table.c.course == course, shown_table.c.lab == lab, shown_table.c.learner == learner)
