"""The instructor's pages: classes, their rosters, one class on one page, and what may be done for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from hub.people.person import RosterError
from hub.portal import class_forms, language, links
from hub.portal.access import course_called, led_cohort, only, visitor
from hub.portal.teaching import class_book

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.course import Course
    from hub.portal.app import Portal

Shown = str | tuple[str, int]


def pages(portal: Portal) -> Blueprint:
    """Everything under ``/classes``."""
    blueprint = Blueprint("cohorts", __name__)
    _overview(blueprint, portal)
    _one_class(blueprint, portal)
    return blueprint


def _overview(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get("/classes")
    @only("instructor", "admin")
    def overview() -> str:
        return _show_overview(portal, {})

    @blueprint.post("/classes")
    @only("instructor", "admin")
    def create() -> Shown | Response:
        made, problems = class_forms.create(portal, request.form, _led_courses(portal))
        if made is None:
            return _show_overview(portal, problems), 422
        flash(_("The class is open. Import its roster next."), "good")
        return redirect(url_for("cohorts.one", cohort_id=made.id), 303)


def _one_class(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get("/classes/<cohort_id>")
    @only("instructor", "admin")
    def one(cohort_id: str) -> str:
        return _show_class(portal, cohort_id)

    @blueprint.post("/classes/<cohort_id>/roster")
    @only("instructor", "admin")
    def roster(cohort_id: str) -> Shown:
        cohort = led_cohort(portal.services.people, cohort_id)
        uploaded = request.files.get("roster")
        try:
            report = portal.services.people.import_roster(cohort.id, uploaded.read() if uploaded else b"")
        except RosterError as error:
            return _show_class(portal, cohort_id, problems={"roster": error.in_locale(language.current())}), 422
        return _show_class(portal, cohort_id, report=report)

    @blueprint.post("/classes/<cohort_id>/<any(extend,grant,release,schedule,cancel):what>")
    @only("instructor", "admin")
    def act(cohort_id: str, what: str) -> Shown | Response:
        cohort = led_cohort(portal.services.people, cohort_id)
        done, problems = class_forms.ACTIONS[what](portal, request.form, cohort)
        if problems:
            return _show_class(portal, cohort_id, problems={f"{what}-{name}": p for name, p in problems.items()}), 422
        flash(done, "good")
        return redirect(url_for("cohorts.one", cohort_id=cohort.id), 303)


def _show_overview(portal: Portal, problems: dict[str, str]) -> str:
    led = portal.services.people.cohorts_led_by(visitor().name)
    titles = {course.id: course.title.in_locale(language.current()) for course in portal.courses}
    offered = _led_courses(portal)
    mine = portal.services.people.courses_led_by(visitor().name)
    taught = tuple(course for course in portal.courses if course.id in mine)
    return render_template(
        "classes.html", cohorts=led, titles=titles, courses=offered, taught=taught, problems=problems
    )


def _show_class(portal: Portal, cohort_id: str, **more: object) -> str:
    cohort = led_cohort(portal.services.people, cohort_id)
    course = course_called(portal.courses, cohort.course)
    shown = {
        "classes": class_forms.windows(portal, cohort),
        "problems": {},
        "report": None,
        "signup_url": links.sign_up(portal.config.server.public_url),
    } | more
    return render_template("class.html", book=class_book(portal, cohort, course), **shown)


def _led_courses(portal: Portal) -> tuple[Course, ...]:
    if visitor().holds("admin"):
        return portal.courses
    led = portal.services.people.courses_led_by(visitor().name)
    return tuple(course for course in portal.courses if course.id in led)
