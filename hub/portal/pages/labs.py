"""One lab's page: the task, the rubric, every attempt with its receipt, and what each was given."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug import Response as AnyResponse

from grader.feedback import render_feedback
from grader.refusal import Refused
from grader.submission import learner_items, receipt_of
from hub.portal.access import own_course, visitor
from hub.portal.forms import Fields
from hub.portal.grading.hand_forms import told
from hub.portal.learning import LabCard, lab_card
from hub.portal.rubric import lab_rubric
from hub.portal.running import panel, running_lease

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grader.reading import Appeal
    from grader.submission import Attempt
    from hub.compute.lease import Lease
    from hub.portal.app import Portal

NOTEBOOK_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The feedback page shows what a learner's code printed: it gets no origin and runs nothing."""


LONGEST_REASON = 1000
Shown = str | tuple[str, int] | AnyResponse


@dataclass(frozen=True)
class AppealBox:
    """Until when an attempt's marks may be appealed, None when not or no more; and its appeals by cell."""

    until_us: int | None
    asked: Mapping[str, Appeal]


def pages(portal: Portal) -> Blueprint:
    """The lab page, and the part of it that refreshes by itself."""
    blueprint = Blueprint("labs", __name__)

    @blueprint.get("/course/<course_id>/lab/<lab_id>")
    def lab(course_id: str, lab_id: str) -> str:
        lease = running_lease(portal, visitor().name)
        card = _card(portal, course_id, lab_id, lease)
        shown = panel(portal, visitor().name, lease, request.args.get("stopped", ""))
        rubric = lab_rubric(portal.config.courses_dir, card.course, card.lab)
        return _show(portal, card, "lab.html", panel=shown, rubric=rubric)

    @blueprint.get("/course/<course_id>/lab/<lab_id>/attempts")
    def attempts(course_id: str, lab_id: str) -> str:
        card = _card(portal, course_id, lab_id)
        return _show(portal, card, "parts/attempts.html")

    @blueprint.post("/course/<course_id>/lab/<lab_id>/appeal/<submission_id>")
    def appeal(course_id: str, lab_id: str, submission_id: str) -> Shown:
        card = _card(portal, course_id, lab_id)
        sent = _attempt(card, submission_id).submission
        if problem := _appeal(portal, card, sent.id):
            return _show(portal, card, "appeal_refused.html", attempt=sent, problem=problem), 422
        flash(_("Your appeal is in. Somebody who has not marked this answer will read it again."), "good")
        return redirect(url_for("labs.lab", course_id=course_id, lab_id=lab_id), 303)

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


def _show(portal: Portal, card: LabCard, template: str, **shown: object) -> str:
    released = [one for one in card.attempts if one.hand_released and one.result]
    boxes = {one.submission.id: _appeals(portal, card, one.submission.id) for one in released}
    return render_template(template, card=card, items_of=learner_items, appeals=boxes, **shown)


def _appeals(portal: Portal, card: LabCard, submission_id: str) -> AppealBox:
    hand, days = portal.services.submissions.hand, card.lab.appeal_days
    until_us = hand.appeal_until_us(submission_id, days) if days else None
    is_open = until_us is not None and portal.clock() <= until_us
    return AppealBox(until_us if is_open else None, hand.appeals(submission_id))


def _appeal(portal: Portal, card: LabCard, submission_id: str) -> str:
    """Ask a third person; why not, when it is refused."""
    fields = Fields(request.form)
    reason = fields.text("reason", most=LONGEST_REASON)
    if fields.problems:
        return fields.problems["reason"]
    hand, grade_id, days = portal.services.submissions.hand, request.form.get("cell", ""), card.lab.appeal_days
    try:
        hand.appeal(submission_id, grade_id, reason, within_days=days or -1)
    except Refused as refused:
        return told(refused)
    return ""


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
