"""The instructor's pages for a course's labs: begin one, look at it as a learner, check, release and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from grader.feedback import shown_cells
from hub.authoring.preview import PreviewRefused
from hub.authoring.shelf import UnknownDraft, WasReleased
from hub.authoring.starter import starters
from hub.portal import authoring_forms, language, links
from hub.portal.access import led_course, only, visitor
from hub.portal.authoring import draft_page, lab_rows

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.course import Course
    from hub.portal.app import Portal
    from hub.portal.authoring import DraftPage

Shown = str | tuple[str, int]


def pages(portal: Portal) -> Blueprint:
    """Everything under ``/courses/COURSE/labs``."""
    blueprint = Blueprint("authoring", __name__)
    _overview(blueprint, portal)
    _one_lab(blueprint, portal)
    _work(blueprint, portal)
    _ending(blueprint, portal)
    return blueprint


def _overview(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get("/courses/<course_id>/labs")
    @only("instructor")
    def overview(course_id: str) -> str:
        course = led_course(portal, course_id)
        return render_template("course_labs.html", course=course, rows=lab_rows(portal, course), starters=starters())

    @blueprint.get("/courses/<course_id>/labs/new")
    @only("instructor")
    def new(course_id: str) -> str:
        return _show_new(portal, led_course(portal, course_id), request.args.get("starter", ""), {})

    @blueprint.post("/courses/<course_id>/labs/new")
    @only("instructor")
    def begin(course_id: str) -> Shown | Response:
        course = led_course(portal, course_id)
        made, problems = authoring_forms.begin(portal, course, request.form)
        if made is None:
            return _show_new(portal, course, request.form.get("starter", ""), problems), 422
        flash(_("The lab is begun. Open its notebook, and send it back when it is done."), "good")
        return redirect(url_for("authoring.one", course_id=course.id, lab_id=made.lab.id), 303)


def _one_lab(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get("/courses/<course_id>/labs/<lab_id>")
    @only("instructor")
    def one(course_id: str, lab_id: str) -> str:
        return _show_draft(portal, _page(portal, course_id, lab_id), {})

    @blueprint.get("/courses/<course_id>/labs/<lab_id>/progress")
    @only("instructor")
    def progress(course_id: str, lab_id: str) -> str:
        page = _page(portal, course_id, lab_id)
        return render_template("parts/draft_check.html", page=page, reloads=not page.is_working)

    @blueprint.get("/courses/<course_id>/labs/<lab_id>/preview")
    @only("instructor")
    def preview(course_id: str, lab_id: str) -> Shown:
        page = _page(portal, course_id, lab_id)
        opened = links.edit(visitor().name, course_id, lab_id, as_learner=True)
        try:
            files = portal.bench.learners_version(course_id, lab_id)
        except PreviewRefused as refused:
            reason = refused.zh if language.current() == "zh_CN" else str(refused)
            return render_template("draft_preview.html", page=page, cells=(), files=(), reason=reason), 422
        cells = shown_cells(files.pop(f"{lab_id}.ipynb"))
        return render_template(
            "draft_preview.html", page=page, cells=cells, files=sorted(files), reason="", open_url=opened
        )

    @blueprint.post("/courses/<course_id>/labs/<lab_id>/settings")
    @only("instructor")
    def settings(course_id: str, lab_id: str) -> Shown | Response:
        page = _page(portal, course_id, lab_id)
        problems = authoring_forms.settle(portal, page.course, lab_id, request.form)
        if problems:
            return _show_draft(portal, page, problems), 422
        flash(_("The settings are saved."), "good")
        return redirect(url_for("authoring.one", course_id=course_id, lab_id=lab_id), 303)


def _work(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.post("/courses/<course_id>/labs/<lab_id>/check")
    @only("instructor")
    def check(course_id: str, lab_id: str) -> Response:
        _page(portal, course_id, lab_id)
        if not portal.bench.ask(course_id, lab_id, "check", visitor().name):
            flash(_("It is being looked at already."), "warn")
        return redirect(url_for("authoring.one", course_id=course_id, lab_id=lab_id, _anchor="check"), 303)

    @blueprint.post("/courses/<course_id>/labs/<lab_id>/release")
    @only("instructor")
    def release(course_id: str, lab_id: str) -> Response:
        page = _page(portal, course_id, lab_id)
        if not page.may_release:
            flash(_("Check it first: only what the gate let pass is released."), "warn")
        elif not portal.bench.ask(course_id, lab_id, "release", visitor().name):
            flash(_("It is being looked at already."), "warn")
        return redirect(url_for("authoring.one", course_id=course_id, lab_id=lab_id, _anchor="check"), 303)


def _ending(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.post("/courses/<course_id>/labs/<lab_id>/take-back")
    @only("instructor")
    def take_back(course_id: str, lab_id: str) -> Response:
        page = _page(portal, course_id, lab_id)
        # The entry first: for a moment a lab that cannot be fetched must not count towards anybody's certificate.
        portal.bench.shelf.change(course_id, lab_id, is_released=False)
        portal.services.submissions.withdraw(course_id, lab_id)
        title = page.draft.lab.title.in_locale(language.current())
        flash(_("“%(lab)s” is taken back. What was handed in stays.", lab=title), "good")
        return redirect(url_for("authoring.one", course_id=course_id, lab_id=lab_id), 303)

    @blueprint.post("/courses/<course_id>/labs/<lab_id>/delete")
    @only("instructor")
    def delete(course_id: str, lab_id: str) -> Response:
        page = _page(portal, course_id, lab_id)
        here = redirect(url_for("authoring.one", course_id=course_id, lab_id=lab_id), 303)
        if "sure" not in request.form:
            flash(_("Tick the box first: the lab is deleted for every instructor of the course."), "warn")
            return here
        if page.is_working:
            flash(_("It is being looked at already."), "warn")
            return here
        try:
            portal.bench.shelf.delete(course_id, lab_id, at_us=portal.clock())
        except WasReleased:
            flash(_("Trainees had this lab: it can be taken back, not deleted."), "warn")
            return here
        title = page.draft.lab.title.in_locale(language.current())
        flash(_("“%(lab)s” is deleted.", lab=title), "good")
        return redirect(url_for("authoring.overview", course_id=course_id), 303)


def _page(portal: Portal, course_id: str, lab_id: str) -> DraftPage:
    course = led_course(portal, course_id)
    try:
        return draft_page(portal, course, lab_id)
    except UnknownDraft:
        return abort(404, _("No lab of this id is made here."))


def _show_new(portal: Portal, course: Course, starter_id: str, problems: dict[str, str]) -> str:
    known = starters()
    chosen = next((starter for starter in known if starter.id == starter_id), known[0])
    entry = {"title": {}, "summary": {}, "weight": 1, "due_after_days": 14, "attempts": 5, "profile": "cpu"}
    limits = {"minutes": chosen.minutes, "time_limit_seconds": chosen.time_limit_seconds, "skills": ()}
    return render_template(
        "new_lab.html", course=course, starters=known, chosen=chosen, problems=problems,
        blank_lab={**entry, **limits}, profiles=portal.config.profiles,
    )  # fmt: skip


def _show_draft(portal: Portal, page: DraftPage, problems: dict[str, str]) -> str:
    edit_url = links.edit(visitor().name, page.course.id, page.draft.lab.id)
    return render_template(
        "draft.html", page=page, course=page.course, problems=problems, edit_url=edit_url,
        profiles=portal.config.profiles,
    )  # fmt: skip
