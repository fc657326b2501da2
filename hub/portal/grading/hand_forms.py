"""What a reader does: each parses its form and does one thing.

Every action answers the problems by field, none when it was done.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flask import request
from flask_babel import gettext as _

from grader.refusal import Refused
from grader.store.hand import Given
from hub.portal import language
from hub.portal.access import visitor
from hub.portal.forms import Fields
from hub.portal.grading.hand import questions_of

if TYPE_CHECKING:
    from grader.reading import Question, Role, Sheet
    from hub.portal.app import Portal
    from hub.portal.grading.hand import Asked, Desk

LONGEST_COMMENT = 2000
Problems = dict[str, str]


def give(portal: Portal, desk: Desk, sheet: Sheet, asked: Asked, role: Role) -> Problems:
    """Record the visitor's points and comment for one question of an answer; keep the comment if they want to."""
    fields = Fields(request.form)
    score, typed = _score(fields, "score", asked.question), _comment(fields, "comment")
    comment = "\n".join([*_ticked(desk), typed]).strip()
    if len(comment) > LONGEST_COMMENT:
        fields.problems["comment"] = _too_long(len(comment))
    if fields.problems:
        return fields.problems
    hand = portal.services.submissions.hand
    questions = [one.question for one in questions_of(desk.rubric, sheet)]
    try:
        hand.give(sheet.id, role, visitor().name, Given(asked.question, score, comment), questions)
    except Refused as refused:
        return {"score": told(refused)}
    if "keep" in request.form and typed:
        hand.keep_phrase(desk.course.id, typed, visitor().name)
    return {}


def decide(portal: Portal, sheet: Sheet, asked: tuple[Asked, ...]) -> Problems:
    """Record the visitor's marks on every question of an appealed answer."""
    fields = Fields(request.form)
    given = [Given(one.question, _score(fields, f"score-{n}", one.question)) for n, one in enumerate(asked)]
    answer = fields.text("answer", most=LONGEST_COMMENT)
    if fields.problems:
        return fields.problems
    try:
        portal.services.submissions.hand.decide(sheet.id, visitor().name, given, answer)
    except Refused as refused:
        return {"answer": told(refused)}
    return {}


def told(refused: Refused) -> str:
    """The refusal in the language of the page."""
    return refused.zh if language.current() == "zh_CN" else refused.en


def _score(fields: Fields, name: str, question: Question) -> float:
    typed = fields.typed.get(name, "").strip()
    try:
        score = float(typed)
    except ValueError:
        score = math.nan
    if not question.allows(score):
        if question.steps:
            fields.problems[name] = _("Choose one of the levels.")
        else:
            most = f"{question.most:g}"
            fields.problems[name] = _("Got “%(got)s”, expected points from 0 to %(most)s.", got=typed[:40], most=most)
    return score


def _comment(fields: Fields, name: str) -> str:
    return fields.typed.get(name, "").replace("\r\n", "\n").strip()


def _ticked(desk: Desk) -> list[str]:
    chosen = set(request.form.getlist("phrase"))
    return [phrase.text for phrase in desk.phrases if str(phrase.id) in chosen]


def _too_long(count: int) -> str:
    return _("Expected 1 to %(most)s characters, got %(count)s.", most=LONGEST_COMMENT, count=count)
