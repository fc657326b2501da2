"""One lab's page: the task, the rubric, every attempt with its receipt, and what each was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, render_template
from flask_babel import gettext as _

from grader.submission import learner_items
from hub.portal.access import own_course, visitor
from hub.portal.learning import LabCard, lab_card, running_lease
from hub.portal.rubric import Rubric, load_rubric

if TYPE_CHECKING:
    from hub.course import Course, Lab
    from hub.portal.app import Portal


def pages(portal: Portal) -> Blueprint:
    """The lab page, and the part of it that refreshes by itself."""
    blueprint = Blueprint("labs", __name__)

    @blueprint.get("/course/<course_id>/lab/<lab_id>")
    def lab(course_id: str, lab_id: str) -> str:
        card = _card(portal, course_id, lab_id)
        open_lab = running_lease(portal, visitor().name)
        rubric = _rubric(portal, card.course, card.lab)
        return render_template("lab.html", card=card, open_lab=open_lab, rubric=rubric, items_of=learner_items)

    @blueprint.get("/course/<course_id>/lab/<lab_id>/attempts")
    def attempts(course_id: str, lab_id: str) -> str:
        card = _card(portal, course_id, lab_id)
        return render_template("parts/attempts.html", card=card, items_of=learner_items)

    return blueprint


def _card(portal: Portal, course_id: str, lab_id: str) -> LabCard:
    course = own_course(portal.courses, course_id)
    try:
        return lab_card(portal, course, course.lab(lab_id), visitor().name)
    except KeyError:
        abort(404, _("This course has no such lab."))


def _rubric(portal: Portal, course: Course, lab: Lab) -> Rubric | None:
    return load_rubric(portal.config.courses_dir / course.id / lab.rubric) if lab.rubric else None
