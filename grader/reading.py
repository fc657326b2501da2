"""VALUE: answers read by people, question by question: who may read what, and the mark that comes of it. No I/O.

A question is a criterion of the rubric, or a whole cell where there is none. One or two people read each answer, none
of them seeing the other's marks. Two marks that lie further apart than the rubric's gap go to a moderator; what the
learner appeals goes to a third person. The latest word counts: appeal, else moderation, else the readers' mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from grader.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Role = Literal["reading", "moderation", "appeal"]
Standing = Literal["open", "differs", "settled"]
"""``open``: readers are missing. ``differs``: a moderator is. ``settled``: the question has its mark."""
GAP_SHARE = 0.2
"""Where no rubric names a gap: the share of a question's points that two readers may differ by."""
CLOSE = 1e-9
"""Points are decimal fractions in floats: equal within this."""


@dataclass(frozen=True)
class Question:
    """One thing a person marks in the cell ``grade_id``; ``criterion`` is empty where that is the whole cell.

    ``steps`` are the points that may be given, empty where any from 0 to ``most`` may; ``gap`` is in points.
    """

    grade_id: str
    criterion: str
    most: float
    gap: float
    steps: tuple[float, ...] = ()

    def allows(self, score: float) -> bool:
        """Whether a reader may give ``score``."""
        if self.steps:
            return any(abs(score - step) < CLOSE for step in self.steps)
        return 0 <= score <= self.most


@dataclass(frozen=True)
class Reading:
    """What one person gave one question of one answer."""

    criterion: str
    role: Role
    reader: str
    score: float
    comment: str


@dataclass(frozen=True)
class Appeal:
    """A learner's appeal against the marks of one answer; open until a third person has decided."""

    reason: str
    asked_us: int
    decided_by: str = ""
    answer: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return not self.decided_by


@dataclass(frozen=True)
class Sheet:
    """One answer laid out to be read, under an id that does not tell whose it is.

    ``readers`` is how many people read it, ``mark`` what the cell was given so far, by them or in formgrader.
    """

    id: str
    learner: str
    submission_id: str
    grade_id: str
    title: str
    most: float
    readers: int
    mark: float | None
    readings: tuple[Reading, ...] = ()
    appeal: Appeal | None = None

    def of(self, question: Question, role: Role = "reading") -> tuple[Reading, ...]:
        """The readings of one question in one role, the first first."""
        return tuple(one for one in self.readings if one.criterion == question.criterion and one.role == role)


def standing(sheet: Sheet, question: Question) -> Standing:
    """How far one question of an answer has come."""
    if score_of(sheet, question) is not None:
        return "settled"
    if not sheet.readings and sheet.mark is not None:
        return "settled"  # marked as a whole, in formgrader
    return "differs" if len(sheet.of(question)) >= sheet.readers else "open"


def differs(scores: Sequence[float], gap: float) -> bool:
    """Whether marks lie further apart than ``gap`` points."""
    return max(scores) - min(scores) > gap + CLOSE


def score_of(sheet: Sheet, question: Question) -> float | None:
    """The points of one question: the third person's, else the moderator's, else the readers' mean; None before."""
    if decided := sheet.of(question, "appeal") or sheet.of(question, "moderation"):
        return decided[-1].score
    scores = [one.score for one in sheet.of(question)]
    if len(scores) < sheet.readers or differs(scores, question.gap):
        return None
    return sum(scores) / len(scores)


def final_mark(sheet: Sheet, questions: Iterable[Question]) -> tuple[float, str] | None:
    """The points of the whole cell and what was written to it; None until every question is settled.

    Written words are those of whoever decided each question, each line once.
    """
    scores, words = [], []
    for question in questions:
        score = score_of(sheet, question)
        if score is None:
            return None
        scores.append(score)
        words += [line for one in _deciding(sheet, question) for line in one.comment.splitlines()]
    if sheet.appeal and sheet.appeal.answer:
        words = [*sheet.appeal.answer.splitlines(), *words]
    return sum(scores), "\n".join(dict.fromkeys(words))


def _deciding(sheet: Sheet, question: Question) -> tuple[Reading, ...]:
    return sheet.of(question, "appeal") or sheet.of(question, "moderation") or sheet.of(question)


def waits_for(sheet: Sheet, question: Question, reader: str, role: Role) -> bool:
    """Whether ``reader`` could give this question a mark in ``role`` that is still missing."""
    try:
        check_may(sheet, question, reader, role)
    except Refused:
        return False
    return not any(one.reader == reader for one in sheet.of(question, role))


def check_may(sheet: Sheet, question: Question, reader: str, role: Role) -> None:
    """Let ``reader`` mark ``question`` in ``role``, anew or once more while nobody has built on it.

    Raises:
        Refused: it is their own, others have read it, it needs no moderator, or a third person is asked for.
    """
    if reader == sheet.learner:
        raise _refused("own-answer", "不能评阅自己的答案。", "Nobody marks their own answer.")
    if role == "appeal":
        _check_third(sheet, reader)
    elif sheet.appeal is not None:
        raise _refused("appealed", "学员已申诉，由第三人评定。", "The learner has appealed: a third person decides.")
    elif role == "moderation":
        _check_moderator(sheet, question, reader)
    else:
        _check_reader(sheet, question, reader)


def _check_reader(sheet: Sheet, question: Question, reader: str) -> None:
    read = sheet.of(question)
    if sheet.mark is not None and not sheet.readings:
        raise _refused("marked", "这个答案已在 formgrader 中评分。", "This answer was marked in formgrader.")
    is_mine_alone = all(one.reader == reader for one in read)
    if is_mine_alone:
        return
    if len(read) >= sheet.readers or any(one.reader == reader for one in read):
        raise _refused(
            "read", "这一项已经评完，不能再改。", "This question has its readers; marks can no longer change."
        )


def _check_moderator(sheet: Sheet, question: Question, reader: str) -> None:
    if any(one.reader == reader for one in sheet.of(question)):
        raise _refused("own", "复核人不能是评分人之一。", "A moderator is somebody else than the readers.")
    moderated = sheet.of(question, "moderation")
    if moderated and all(one.reader == reader for one in moderated):
        return
    if standing(sheet, question) != "differs":
        raise _refused("agreed", "这一项不需要复核。", "This question needs no moderator.")


def _check_third(sheet: Sheet, reader: str) -> None:
    if sheet.appeal is None or not sheet.appeal.is_open:
        raise _refused("no-appeal", "没有待处理的申诉。", "There is no appeal that waits.")
    if reader in past_readers(sheet.readings):
        raise _refused(
            "own", "申诉须由没有评过这份答案的人处理。", "An appeal is for somebody who has not marked it yet."
        )


def past_readers(readings: Iterable[Reading]) -> frozenset[str]:
    """Everybody who has marked any question of an answer, in any role."""
    return frozenset(one.reader for one in readings)


def _refused(code: str, zh: str, en: str) -> Refused:
    return Refused(409, code, zh=zh, en=en)
