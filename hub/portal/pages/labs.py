"""One lab's page: the task, the rubric, every attempt with its receipt, and what each was given."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, render_template, request
from flask_babel import gettext as _

from grader.feedback import render_feedback
from grader.submission import learner_items, receipt_of
from hub.portal.access import own_course, visitor
from hub.portal.learning import LabCard, lab_card
from hub.portal.rubric import Rubric, load_rubric
from hub.portal.running import panel, running_lease

if TYPE_CHECKING:
    from grader.submission import Attempt
    from hub.compute.lease import Lease
    from hub.course import Course, Lab
    from hub.portal.app import Portal

NOTEBOOK_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The feedback page shows what a learner's code printed: it gets no origin and runs nothing."""


def pages(portal: Portal) -> Blueprint:
    """The lab page, and the part of it that refreshes by itself."""
    blueprint = Blueprint("labs", __name__)

    @blueprint.get("/course/<course_id>/lab/<lab_id>")
    def lab(course_id: str, lab_id: str) -> str:
        lease = running_lease(portal, visitor().name)
        card = _card(portal, course_id, lab_id, lease)
        shown = panel(portal, visitor().name, lease, request.args.get("stopped", ""))
        rubric = _rubric(portal, card.course, card.lab)
        return render_template("lab.html", card=card, panel=shown, rubric=rubric, items_of=learner_items)

    @blueprint.get("/course/<course_id>/lab/<lab_id>/attempts")
    def attempts(course_id: str, lab_id: str) -> str:
        card = _card(portal, course_id, lab_id)
        return render_template("parts/attempts.html", card=card, items_of=learner_items)

    @blueprint.get("/course/<course_id>/lab/<lab_id>/feedback/<submission_id>")
    def feedback(course_id: str, lab_id: str, submission_id: str) -> Response:
        attempt = _attempt(_card(portal, course_id, lab_id), submission_id)
        verdict = portal.services.submissions.verdict(submission_id)
        if attempt.result is None or verdict is None:
            abort(404, _("This attempt has not been graded yet."))
        items = learner_items(attempt.result, hand_released=attempt.hand_released)
        page = render_feedback(attempt.submission, attempt.result, items, verdict)
        return Response(page, headers={"Content-Security-Policy": NOTEBOOK_POLICY})

    @blueprint.get("/course/<course_id>/lab/<lab_id>/receipt/<submission_id>.json")
    def receipt(course_id: str, lab_id: str, submission_id: str) -> Response:
        sent = _attempt(_card(portal, course_id, lab_id), submission_id).submission
        if not sent.signature:
            abort(404, _("This attempt has no signed receipt."))
        # The same two members as in the file that the lab wrote into the learner's home.
        kept = json.dumps({"receipt": asdict(receipt_of(sent)), "signature": sent.signature}, indent=2)
        answer = Response(kept + "\n", mimetype="application/json")
        name = f"{sent.course}--{sent.lab}--attempt-{sent.attempt}.json"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    return blueprint


def _attempt(card: LabCard, submission_id: str) -> Attempt:
    """The visitor's own attempt of that id; anybody else's is not there for them."""
    for attempt in card.attempts:
        if attempt.submission.id == submission_id:
            return attempt
    return abort(404, _("There is no such attempt of yours."))


def _card(portal: Portal, course_id: str, lab_id: str, running: Lease | None = None) -> LabCard:
    """The visitor's card of a lab of a course they sit in."""
    course = own_course(portal.courses, course_id)
    try:
        return lab_card(portal, course, course.lab(lab_id), visitor().name, running)
    except KeyError:
        return abort(404, _("This course has no such lab."))


def _rubric(portal: Portal, course: Course, lab: Lab) -> Rubric | None:
    return load_rubric(portal.config.courses_dir / course.id / lab.rubric) if lab.rubric else None
