"""For instructors only: which answers of a class are too alike, and two of them side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from grader.similarity.compare import THRESHOLD
from hub.portal.access import led_lab, only, visitor
from hub.portal.grading.likeness import side_by_side
from hub.portal.grading.regrade import names_of

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.portal.app import Portal

BASE = "/classes/<cohort_id>/similarity/<lab_id>"


def pages(portal: Portal) -> Blueprint:
    """The list of pairs, the part of it that refreshes by itself, and one pair."""
    blueprint = Blueprint("similarity", __name__)
    _overview(blueprint, portal)
    _pair(blueprint, portal)
    return blueprint


def _overview(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get(BASE)
    @only("instructor", "admin")
    def page(cohort_id: str, lab_id: str) -> str:
        return _show(portal, cohort_id, lab_id, "similarity.html")

    @blueprint.get(f"{BASE}/found")
    @only("instructor", "admin")
    def found(cohort_id: str, lab_id: str) -> str:
        return _show(portal, cohort_id, lab_id, "parts/similarity.html")

    @blueprint.post(BASE)
    @only("instructor", "admin")
    def ask(cohort_id: str, lab_id: str) -> Response:
        cohort, course, lab = led_lab(portal, cohort_id, lab_id)
        learners = [member.learner for member in portal.services.people.members(cohort.id) if member.learner]
        store = portal.services.submissions.likenesses
        if not store.ask(course.id, lab.id, cohort.id, learners, asked_by=visitor().name):
            flash(_("A comparison is under way already."), "warn")
        return redirect(url_for("similarity.page", cohort_id=cohort_id, lab_id=lab_id), 303)


def _pair(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get(f"{BASE}/<left>/<right>")
    @only("instructor", "admin")
    def pair(cohort_id: str, lab_id: str, left: str, right: str) -> str:
        cohort, course, lab = led_lab(portal, cohort_id, lab_id)
        store = portal.services.submissions.likenesses
        latest = store.latest(course.id, lab.id, cohort.id)
        asked = (left, right)
        known = latest.found if latest else ()
        found = next((one for one in known if (one.left_submission, one.right_submission) == asked), None)
        if latest is None or found is None:
            return abort(404, _("The newest comparison has no such pair."))
        rows = side_by_side(store, course.id, lab.id, left, right)
        names = names_of(portal, course)
        who = [names.get(latest.learner_of[one], latest.learner_of[one]) for one in asked]
        return render_template("pair.html", cohort=cohort, lab=lab, found=found, rows=rows, who=who)


def _show(portal: Portal, cohort_id: str, lab_id: str, template: str) -> str:
    cohort, course, lab = led_lab(portal, cohort_id, lab_id)
    latest = portal.services.submissions.likenesses.latest(course.id, lab.id, cohort.id)
    names = names_of(portal, course)
    return render_template(template, cohort=cohort, lab=lab, latest=latest, names=names, threshold=THRESHOLD)
