"""What an instructor types of a lab: parsed once, refused field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import gettext as _

from hub.authoring.draft import Draft
from hub.authoring.shelf import Taken
from hub.authoring.starter import first_files, starters
from hub.course import Lab
from hub.portal.access import visitor
from hub.portal.forms import Fields
from hub.spawner.options import SLUG

if TYPE_CHECKING:
    from werkzeug.datastructures import ImmutableMultiDict

    from hub.course import Course
    from hub.portal.app import Portal

LONGEST_TITLE = 60
LONGEST_SUMMARY = 300
MOST_MINUTES = 600
MOST_DAYS = 365
MOST_ATTEMPTS = 50
LEAST_LIMIT, MOST_LIMIT = 5, 3600


def begin(
    portal: Portal, course: Course, typed: ImmutableMultiDict[str, str]
) -> tuple[Draft | None, dict[str, str]]:  # fmt: skip
    """Begin a lab from a starter; the draft, or the problems by field."""
    fields = Fields(typed)
    kinds = {starter.id: starter for starter in starters()}
    kind, lab_id = fields.choice("starter", frozenset(kinds)), _new_id(portal, course, fields)
    values = _values(portal, course, fields, typed)
    if fields.problems:
        return None, fields.problems
    starter = kinds[kind]
    lab = Lab.model_validate({"id": lab_id, "needs_model": starter.needs_model, **values})
    draft = Draft(lab=lab, starter=kind, made_by=visitor().name, made_us=portal.clock())
    try:
        portal.bench.shelf.add(course.id, draft, first_files(starter, lab))
    except Taken:
        return None, {"id": _taken()}
    return draft, {}


def settle(portal: Portal, course: Course, lab_id: str, typed: ImmutableMultiDict[str, str]) -> dict[str, str]:
    """Change a lab's entry; the problems by field.

    Raises:
        UnknownDraft: there is none of that id.
    """
    known, fields = portal.bench.shelf.draft(course.id, lab_id).lab, Fields(typed)
    values = _values(portal, course, fields, typed)
    if not fields.problems:
        lab = Lab.model_validate({**known.model_dump(), **values})
        portal.bench.shelf.change(course.id, lab_id, lab=lab)
    return fields.problems


def _new_id(portal: Portal, course: Course, fields: Fields) -> str:
    lab_id = fields.typed.get("id", "").strip()
    if not SLUG.fullmatch(lab_id):
        fields.problems["id"] = _(
            "Got “%(got)s”, expected small letters, digits and hyphens, such as night-scene.", got=lab_id[:40]
        )
        return lab_id
    known = {lab.id for lab in course.labs} | {draft.lab.id for draft in portal.bench.shelf.drafts(course.id)}
    # An id with a past would show its submissions as the new lab's.
    if lab_id in known or portal.services.submissions.lab_versions(course.id, lab_id):
        fields.problems["id"] = _taken()
    return lab_id


def _values(
    portal: Portal, course: Course, fields: Fields, typed: ImmutableMultiDict[str, str]
) -> dict[str, object]:  # fmt: skip
    """What the form says of a lab's entry; problems go to ``fields``."""
    known = frozenset(skill.id for skill in course.skills)
    skills = tuple(dict.fromkeys(typed.getlist("skills")))
    if set(skills) - known:
        fields.problems["skills"] = _("Choose among the skills of this course.")
    return {
        "title": {each: _line(fields, f"title_{each}", LONGEST_TITLE) for each in ("zh", "en")},
        "summary": {each: _line(fields, f"summary_{each}", LONGEST_SUMMARY) for each in ("zh", "en")},
        "skills": skills,
        "minutes": fields.whole("minutes", 1, MOST_MINUTES),
        "weight": fields.whole("weight", 1, 100),
        "due_after_days": fields.whole("due_after_days", 1, MOST_DAYS),
        "attempts": fields.whole("attempts", 1, MOST_ATTEMPTS),
        "time_limit_seconds": fields.whole("time_limit_seconds", LEAST_LIMIT, MOST_LIMIT),
        "profile": fields.choice("profile", frozenset(portal.config.profiles)),
    }


def _line(fields: Fields, name: str, most: int) -> str:
    text = fields.text(name, most)
    if name not in fields.problems and not text.isprintable():
        fields.problems[name] = _("It holds characters that cannot be shown on one line.")
    return text


def _taken() -> str:
    return _("This course has, or had, a lab of this id. Choose another.")
