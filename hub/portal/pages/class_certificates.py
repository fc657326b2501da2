"""The instructor's page of a class's certificates: issue, re-issue, revoke, confirm a name, bind an identity number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from certs.certificate import State
from certs.credential.identity import MAX_NUMBER, commit
from certs.rules import ClaimRefused
from hub import award
from hub.portal.access import course_called, led_cohort, only, visitor
from hub.portal.certifying.class_page import class_certificates
from hub.portal.forms import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug import Response

    from certs.certificate import Certificate
    from hub.course import Course
    from hub.people.person import Cohort
    from hub.portal.app import Portal

Shown = str | tuple[str, int]
LONGEST_REASON = 300


def pages(portal: Portal) -> Blueprint:
    """Everything under ``/classes/COHORT/certificates``."""
    blueprint = Blueprint("class_certificates", __name__)
    _looking(blueprint, portal)
    _issuing(blueprint, portal)
    _one(blueprint, portal)
    return blueprint


def _looking(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get("/classes/<cohort_id>/certificates")
    @only("instructor", "admin")
    def page(cohort_id: str) -> str:
        return _show(portal, cohort_id)

    @blueprint.get("/classes/<cohort_id>/certificates/progress")
    @only("instructor", "admin")
    def progress(cohort_id: str) -> str:
        cohort, course = _led(portal, cohort_id)
        shown = class_certificates(portal, cohort, course)
        return render_template("parts/issuing.html", page=shown, is_part=True)


def _issuing(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.post("/classes/<cohort_id>/certificates/<any(issue,again):what>")
    @only("instructor", "admin")
    def issue(cohort_id: str, what: str) -> Response:
        cohort, course = _led(portal, cohort_id)
        learners = [seat.learner for seat in portal.services.people.members(cohort.id) if seat.learner]
        models = portal.config.models_dir
        asks: Callable[..., tuple[tuple[str, ...], object]]
        asks = award.award_class if what == "issue" else award.reissue_class
        ids, refused = asks(portal.services, course, learners, models)
        flash(_("%(count)s certificates asked for.", count=len(ids)), "bad" if refused else "good")
        return _back(cohort)

    @blueprint.post("/classes/<cohort_id>/certificates/name")
    @only("instructor", "admin")
    def name(cohort_id: str) -> Response:
        cohort, _course = _led(portal, cohort_id)
        fields = Fields(request.form)
        seats = {seat.learner for seat in portal.services.people.members(cohort.id) if seat.learner}
        learner = fields.choice("learner", frozenset(seats))
        asked_us = fields.text("asked_us")
        if fields.problems or not (asked_us.isascii() and asked_us.isdigit()):
            abort(400, _("That could not be read"))
        flash(_decide(portal, learner, int(asked_us), granted="confirm" in request.form), "good")
        return _back(cohort)


def _one(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.post("/classes/<cohort_id>/certificates/<certificate_id>/reissue")
    @only("instructor", "admin")
    def reissue(cohort_id: str, certificate_id: str) -> Response:
        cohort, course = _led(portal, cohort_id)
        _of_class(portal, cohort, certificate_id)
        try:
            award.reissue(portal.services, course, certificate_id, portal.config.models_dir)
            flash(_("Asked for again. The new edition takes the place of the old one once it is signed."), "good")
        except award.NotAwardedError as error:
            flash(_why_not(error), "bad")
        except ClaimRefused as error:
            flash(_("It cannot be issued: %(why)s", why=error), "bad")
        return _back(cohort)

    @blueprint.post("/classes/<cohort_id>/certificates/<certificate_id>/revoke")
    @only("instructor", "admin")
    def revoke(cohort_id: str, certificate_id: str) -> Shown | Response:
        cohort, _course = _led(portal, cohort_id)
        found = _signed(_of_class(portal, cohort, certificate_id))
        fields = Fields(request.form)
        reason = fields.text("reason", most=LONGEST_REASON)
        if fields.problems:
            return _show(portal, cohort_id, {f"reason-{found.id}": fields.problems["reason"]}), 422
        portal.services.certificates.revoke(found.id, reason)
        flash(_("Revoked. Its page says so now, the signed list within a minute."), "good")
        return _back(cohort)

    @blueprint.post("/classes/<cohort_id>/certificates/<certificate_id>/identity")
    @only("instructor", "admin")
    def identity(cohort_id: str, certificate_id: str) -> Shown:
        cohort, _course = _led(portal, cohort_id)
        found = _signed(_of_class(portal, cohort, certificate_id))
        if found.revoked_us is not None or found.superseded_by is not None:
            abort(404, _("This class has no such certificate."))
        fields = Fields(request.form)
        number = fields.text("number", most=MAX_NUMBER)
        try:
            sealed = commit(number)
        except ValueError:
            return _show(portal, cohort_id, {f"number-{found.id}": _("Expected letters and digits.")}), 422
        store = portal.services.certificates
        store.reissue(found.id, replace(store.claim_of(found.id), identity_sha256=sealed.sha256))
        # In the answer itself and nowhere else: the code is not kept, so no later page can show it.
        return _show(portal, cohort_id, opening=(award.learner_of(found), sealed.opening))


def _show(
    portal: Portal, cohort_id: str, problems: dict[str, str] | None = None, opening: tuple[str, str] | None = None
) -> str:
    cohort, course = _led(portal, cohort_id)
    page = class_certificates(portal, cohort, course)
    return render_template("class_certificates.html", page=page, problems=problems or {}, opening=opening)


def _led(portal: Portal, cohort_id: str) -> tuple[Cohort, Course]:
    cohort = led_cohort(portal.services.people, cohort_id)
    return cohort, course_called(portal.courses, cohort.course)


def _back(cohort: Cohort) -> Response:
    return redirect(url_for("class_certificates.page", cohort_id=cohort.id), 303)


def _of_class(portal: Portal, cohort: Cohort, certificate_id: str) -> Certificate:
    """A certificate of the class's course that a trainee of the class holds; anything else is not there."""
    found = portal.services.certificates.by_id(certificate_id)
    seats = {seat.learner for seat in portal.services.people.members(cohort.id) if seat.learner}
    if found is None or found.course != cohort.course or award.learner_of(found) not in seats:
        abort(404, _("This class has no such certificate."))
    return found


def _signed(certificate: Certificate) -> Certificate:
    if certificate.state is not State.ISSUED:
        abort(404, _("This class has no such certificate."))
    return certificate


def _decide(portal: Portal, learner: str, asked_us: int, *, granted: bool) -> str:
    people = portal.services.people
    request_ = people.name_request(learner)
    if request_ is None or not people.decide_name(learner, asked_us, visitor().name, granted=granted):
        return _("This request was decided already.")
    if not granted:
        return _("Declined. The name stays as it is on the roster.")
    issued = award.correct_name(portal.services.certificates, learner, request_.wanted)
    return _("Roster and person say %(name)s now; %(count)s certificates are issued again.",
             name=request_.wanted, count=len(issued))  # fmt: skip


def _why_not(error: award.NotAwardedError) -> str:
    if error.code == "incomplete":
        return _(
            "By today's grades and hours the course is not completed. Revoke the certificate if it must not count."
        )
    if error.code == "appealed":
        return _("An appeal of theirs is decided first.")
    if error.code == "superseded":
        return _("There is a newer edition already.")
    return _("This class has no such certificate.")
