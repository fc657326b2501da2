"""VALUE: a lab's hand grading as its readers see it: questions, what waits for whom, and how far readers agree.

Nothing here or on the pages tells a reader whose answer they read, or what another reader gave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.agreement import Agreement, agreement, overall
from grader.reading import GAP_SHARE, Question, past_readers, standing, waits_for
from hub.portal.access import visitor
from hub.portal.rubric import lab_rubric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grader.reading import Role, Sheet
    from grader.store.phrases import Phrase
    from hub.course import Course, Lab, Text
    from hub.people.person import Cohort
    from hub.portal.app import Portal
    from hub.portal.rubric import Criterion, Rubric

CLOSE = 1e-6


@dataclass(frozen=True)
class Asked:
    """A question with its words: the cell's title, and its criterion where a rubric has one."""

    question: Question
    cell_title: str
    criterion: Criterion | None

    def title(self, locale: str) -> str:
        """What the question is called."""
        name: Text | None = self.criterion.title if self.criterion else None
        return name.in_locale(locale) if name else self.cell_title


@dataclass(frozen=True)
class QuestionRow:
    """One question across the class: how many answers wait for the visitor, in which role, and how many are settled."""

    asked: Asked
    to_read: int
    to_moderate: int
    settled: int
    answers: int
    agreement: Agreement


@dataclass(frozen=True)
class Desk:
    """A lab's hand grading for one class; ``appeals`` are those the visitor may decide, of all ``open_appeals``."""

    cohort: Cohort
    course: Course
    lab: Lab
    rubric: Rubric | None
    sheets: tuple[Sheet, ...]
    rows: tuple[QuestionRow, ...]
    overall: Agreement
    appeals: tuple[Sheet, ...]
    open_appeals: tuple[Sheet, ...]
    phrases: tuple[Phrase, ...]

    def asked(self, grade_id: str, criterion: str) -> Asked | None:
        """The question of that name."""
        named = (row.asked for row in self.rows)
        wanted = (grade_id, criterion)
        return next((one for one in named if (one.question.grade_id, one.question.criterion) == wanted), None)

    def sheet(self, paper_id: str) -> Sheet | None:
        """The answer of that id."""
        return next((one for one in (*self.open_appeals, *self.sheets) if one.id == paper_id), None)

    def next(self, question: Question, role: Role, after: str) -> Sheet | None:
        """The next answer that waits for the visitor in that role, round once from ``after``."""
        mine = [one for one in _with_cell(self.sheets, question) if waits_for(one, question, visitor().name, role)]
        return next((one for one in mine if one.id > after), mine[0] if mine else None)


def desk(portal: Portal, cohort: Cohort, course: Course, lab: Lab) -> Desk:
    """Everything a reader's pages show of one lab of one class."""
    hand = portal.services.submissions.hand
    learners = {member.learner for member in portal.services.people.members(cohort.id) if member.learner}
    rubric = lab_rubric(portal.config.courses_dir, course, lab)
    sheets = hand.sheets(course.id, lab.id, learners)
    appealed = hand.open_appeals(course.id, lab.id, learners)
    cells = {one.grade_id: one for one in (*sheets, *appealed)}
    asked = [one for _, sheet in sorted(cells.items()) for one in questions_of(rubric, sheet)]
    return Desk(
        cohort=cohort,
        course=course,
        lab=lab,
        rubric=rubric,
        sheets=sheets,
        rows=tuple(_row(one, _with_cell(sheets, one.question)) for one in asked),
        overall=overall([one.question for one in asked], sheets),
        appeals=tuple(one for one in appealed if visitor().name not in past_readers(one.readings) | {one.learner}),
        open_appeals=appealed,
        phrases=hand.phrases(course.id),
    )


def questions_of(rubric: Rubric | None, sheet: Sheet) -> tuple[Asked, ...]:
    """What is asked of one answer: the rubric's criteria where it is this cell's, else the whole cell at once."""
    if rubric is None or rubric.grade_id not in ("", sheet.grade_id) or abs(rubric.most - sheet.most) > CLOSE:
        return (Asked(Question(sheet.grade_id, "", sheet.most, sheet.most * GAP_SHARE), sheet.title, None),)
    return tuple(Asked(_question(rubric, one, sheet), sheet.title, one) for one in rubric.criteria)


def _question(rubric: Rubric, criterion: Criterion, sheet: Sheet) -> Question:
    steps = tuple(sorted({level.points for level in criterion.levels}))
    gap = rubric.gap if criterion.gap is None else criterion.gap
    return Question(sheet.grade_id, criterion.id, criterion.most, gap, steps)


def _row(asked: Asked, sheets: Sequence[Sheet]) -> QuestionRow:
    question, me = asked.question, visitor().name
    return QuestionRow(
        asked=asked,
        to_read=sum(waits_for(one, question, me, "reading") for one in sheets),
        to_moderate=sum(waits_for(one, question, me, "moderation") for one in sheets),
        settled=sum(standing(one, question) == "settled" for one in sheets),
        answers=len(sheets),
        agreement=agreement(question, sheets),
    )


def _with_cell(sheets: Sequence[Sheet], question: Question) -> list[Sheet]:
    return [one for one in sheets if one.grade_id == question.grade_id]
