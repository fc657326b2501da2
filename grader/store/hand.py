"""HandGrading: what people read, gave and appealed. Part of the store; every method is one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grader.reading import Reading, check_may, final_mark
from grader.refusal import Refused
from grader.store import marks, papers, phrases
from grader.submission import DAY_US, HandMark

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from grader.blobs import Blobs
    from grader.reading import Appeal, Question, Role, Sheet
    from grader.store.papers import FinalMark, MarkKey
    from grader.store.phrases import Phrase

    Opens = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class KeptFile:
    """A file that the learner's cells left behind, by its place in the verdict's list."""

    number: int
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Given:
    """What somebody gives one question."""

    question: Question
    score: float
    comment: str = ""


class HandGrading:
    """Readings, appeals and reusable comments on the store's own connections, blobs and clock."""

    def __init__(self, reading: Opens, writing: Opens, blobs: Blobs, clock: Callable[[], int]) -> None:
        self._reading, self._writing, self._blobs, self._clock = reading, writing, blobs, clock

    # What is to be read

    def sheets(self, course: str, lab: str, learners: Collection[str]) -> tuple[Sheet, ...]:
        """The answers of these learners that a person should look at, the same order for every reader."""
        with self._reading() as connection:
            return papers.sheets(connection, course, lab, learners)

    def open_appeals(self, course: str, lab: str, learners: Collection[str]) -> tuple[Sheet, ...]:
        """The appealed answers of these learners that wait for a third person."""
        with self._reading() as connection:
            return papers.open_appeals(connection, course, lab, learners)

    def notebook(self, sheet: Sheet) -> tuple[bytes, tuple[KeptFile, ...]]:
        """The notebook as it ran, and the files its cells left behind, without their bytes."""
        with self._reading() as connection:
            found = papers.notebook_of(connection, sheet.submission_id)
        if found is None:
            return b"", ()
        files = json.loads(found[1])
        kept = (KeptFile(n, one["path"], one["sha256"], one["bytes"]) for n, one in enumerate(files) if one["kept"])
        return self._blobs.get(found[0]), tuple(kept)

    def file(self, kept: KeptFile) -> bytes:
        """The bytes of a file that was left behind."""
        return self._blobs.get(kept.sha256)

    # What readers give

    def give(self, paper_id: str, role: Role, reader: str, given: Given, questions: Sequence[Question]) -> None:
        """Record what ``reader`` gives one question; ``questions`` are all of the cell, to see whether it is settled.

        Raises:
            Refused: the points are none of those that may be given, or it is not this reader's to give.
        """
        with self._writing() as connection:
            sheet = self._held(connection, paper_id)
            _check(given)
            check_may(sheet, given.question, reader, role)
            self._put(connection, sheet, [_reading(given, role, reader)], questions)

    def decide(self, paper_id: str, reader: str, given: Sequence[Given], answer: str) -> None:
        """Record a third person's marks on every question of an appealed answer, and what the learner is told.

        Raises:
            Refused: there is no open appeal, or this person has marked the answer before.
        """
        with self._writing() as connection:
            sheet = self._held(connection, paper_id)
            for one in given:
                _check(one)
                check_may(sheet, one.question, reader, "appeal")
            papers.decide(connection, paper_id, reader, answer, self._clock())
            decided = replace(sheet, appeal=sheet.appeal and replace(sheet.appeal, decided_by=reader, answer=answer))
            readings = [_reading(one, "appeal", reader) for one in given]
            self._put(connection, decided, readings, [one.question for one in given])

    def _held(self, connection: Connection, paper_id: str) -> Sheet:
        sheet = papers.sheet(connection, paper_id) if papers.lock(connection, paper_id) else None
        if sheet is None:
            raise Refused(404, "no-paper", zh="没有这份答案。", en="There is no such answer.")
        return sheet

    def _put(
        self, connection: Connection, sheet: Sheet, readings: Sequence[Reading], questions: Sequence[Question]
    ) -> None:
        for one in readings:
            papers.put(connection, sheet.id, one, self._clock())
        fresh = papers.sheet(connection, sheet.id)
        papers.finish(connection, sheet.id, final_mark(fresh, questions) if fresh else None)

    # Appeals

    def appeal(self, submission_id: str, grade_id: str, reason: str, *, within_days: int) -> None:
        """Ask a third person to mark an answer again, within so many days of the release of its marks.

        Raises:
            Refused: its marks are not released, the time is over, or it was appealed before.
        """
        with self._writing() as connection:
            paper_id = papers.paper_of(connection, submission_id).get(grade_id)
            sheet = self._held(connection, paper_id or "")
            released_us = marks.released_us(connection, submission_id)
            if released_us is None or sheet.mark is None:
                raise Refused(409, "not-released", zh="评分尚未发布。", en="Its marks are not released yet.")
            if sheet.appeal is not None:
                raise Refused(409, "appealed", zh="已经申诉过了。", en="It was appealed before.")
            if self._clock() > released_us + within_days * DAY_US:
                raise Refused(409, "too-late", zh="申诉期限已过。", en="The time for an appeal is over.")
            papers.ask(connection, sheet.id, reason, self._clock())

    def appeals(self, submission_id: str) -> Mapping[str, Appeal]:
        """The appeals against the marks of a submission, by cell."""
        with self._reading() as connection:
            by_cell = papers.paper_of(connection, submission_id)
            asked = papers.appeals_of(connection, by_cell.values())
        return {grade_id: asked[paper_id] for grade_id, paper_id in by_cell.items() if paper_id in asked}

    def appeal_until_us(self, submission_id: str, within_days: int) -> int | None:
        """Until when the marks of a submission may be appealed; None before they are released."""
        with self._reading() as connection:
            released_us = marks.released_us(connection, submission_id)
        return None if released_us is None else released_us + within_days * DAY_US

    # The gradebook's side

    def undelivered(self) -> tuple[FinalMark, ...]:
        """The final marks that the gradebook has not been told."""
        with self._reading() as connection:
            return papers.undelivered(connection)

    def settle(self, final: FinalMark) -> HandMark | None:
        """Give the mark to every attempt that holds the answer; the one that the gradebook shows, if it is among them.

        For who holds the course's gradebook alone.
        """
        with self._writing() as connection:
            said = (final.score, final.comment)
            marks.give(
                connection, papers.holders(connection, final.paper_id), final.grade_id, said, self._clock()
            )  # fmt: skip
            received_us = papers.is_shown(connection, final)
        return None if received_us is None else HandMark(final.learner, final.lab, received_us, final.grade_id, *said)

    def delivered(self, final: FinalMark) -> None:
        """Note that the gradebook has been told of this mark."""
        with self._writing() as connection:
            papers.delivered(connection, final)

    def ruled(self, course: str) -> Mapping[MarkKey, tuple[float | None, str]]:
        """What the shown cells have that formgrader may not overrule: read by two people, or decided by a third."""
        with self._reading() as connection:
            return papers.ruled(connection, course)

    # Comments for reuse

    def phrases(self, course: str) -> tuple[Phrase, ...]:
        """The comments that the course's graders use again."""
        with self._reading() as connection:
            return phrases.of_course(connection, course)

    def keep_phrase(self, course: str, text: str, written_by: str) -> None:
        """Keep a comment for reuse; one that is there already changes nothing."""
        with self._writing() as connection:
            phrases.keep(connection, course, text, written_by, self._clock())

    def drop_phrase(self, course: str, phrase_id: int) -> None:
        """Take a comment from the list; where it was used it stays."""
        with self._writing() as connection:
            phrases.drop(connection, course, phrase_id)


def _reading(given: Given, role: Role, reader: str) -> Reading:
    return Reading(given.question.criterion, role, reader, given.score, given.comment)


def _check(given: Given) -> None:
    question = given.question
    if not question.allows(given.score):
        expected = ", ".join(f"{step:g}" for step in question.steps) or f"0 to {question.most:g}"
        raise Refused(422, "points", zh="不能给这个分数。", en="These points cannot be given.",
                      got=f"{given.score:g}", expected=expected)  # fmt: skip
