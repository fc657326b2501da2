"""The instructor's page of a lab's class-wide regrade: ask for one, watch it, see whom it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from grader.refusal import Refused
from hub.portal import language
from hub.portal.access import led_lab, only, visitor
from hub.portal.forms import Fields
from hub.portal.grading.regrade import regrade_page

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.course import Course, Lab
    from hub.portal.app import Portal

Shown = str | tuple[str, int]
LONGEST_REASON = 500


def pages(portal: Portal) -> Blueprint:
    """The page, the part of it that refreshes by itself, and the form."""
    blueprint = Blueprint("regrade", __name__)

    @blueprint.get("/classes/<cohort_id>/regrade/<lab_id>")
    @only("instructor", "admin")
    def page(cohort_id: str, lab_id: str) -> str:
        return _show(portal, cohort_id, lab_id, {})

    @blueprint.get("/classes/<cohort_id>/regrade/<lab_id>/progress")
    @only("instructor", "admin")
    def progress(cohort_id: str, lab_id: str) -> str:
        cohort, course, lab = led_lab(portal, cohort_id, lab_id)
        return render_template("parts/regrade.html", cohort=cohort, page=regrade_page(portal, course, lab))

    @blueprint.post("/classes/<cohort_id>/regrade/<lab_id>")
    @only("instructor", "admin")
    def ask(cohort_id: str, lab_id: str) -> Shown | Response:
        _cohort, course, lab = led_lab(portal, cohort_id, lab_id)
        done, problems = _ask(portal, course, lab)
        if problems:
            return _show(portal, cohort_id, lab_id, problems), 422
        flash(done, "good")
        return redirect(url_for("regrade.page", cohort_id=cohort_id, lab_id=lab_id), 303)

    return blueprint


def _show(portal: Portal, cohort_id: str, lab_id: str, problems: dict[str, str]) -> str:
    cohort, course, lab = led_lab(portal, cohort_id, lab_id)
    shown = regrade_page(portal, course, lab)
    return render_template("regrade.html", cohort=cohort, page=shown, problems=problems)


def _ask(portal: Portal, course: Course, lab: Lab) -> tuple[str, dict[str, str]]:
    """What was done, or the problems by field."""
    store = portal.services.submissions
    fields = Fields(request.form)
    known = frozenset(note.version for note in store.lab_versions(course.id, lab.id))
    version, reason = fields.choice("version", known), fields.text("reason", most=LONGEST_REASON)
    if fields.problems:
        return "", fields.problems
    try:
        count = store.ask_class_regrade(
            course.id, lab.id, asked_by=visitor().name, reason=reason, version=version
        )  # fmt: skip
    except Refused as refused:
        said = refused.zh if language.current() == "zh_CN" else refused.en
        return "", {"version": f"{said} ({refused.got})"}
    return _("%(count)s attempts are graded again. Scores stay as they are until the new ones are there.",
             count=count), {}  # fmt: skip
