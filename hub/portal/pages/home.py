"""The trainee's home: courses, where to go on, every lab with its state, cost and deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, url_for

from hub.portal.access import visitor
from hub.portal.learning import course_home
from hub.portal.running import panel, running_lease

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.portal.access import Visitor
    from hub.portal.app import Portal


def pages(portal: Portal) -> Blueprint:
    """The first page after signing in."""
    blueprint = Blueprint("home", __name__)

    @blueprint.get("/")
    def home() -> str | Response:
        me = visitor()
        if elsewhere := _desk(me):
            return redirect(url_for(elsewhere))
        lease = running_lease(portal, me.name)
        homes = [course_home(portal, course, me.name, lease) for course in portal.courses if course.id in me.sits_in]
        shown = panel(portal, me.name, lease, request.args.get("stopped", ""))
        return render_template("home.html", homes=homes, panel=shown)

    return blueprint


def _desk(me: Visitor) -> str | None:
    """Where somebody without a seat has work to do."""
    if me.sits_in:
        return None
    if me.holds("instructor"):
        return "cohorts.overview"
    if me.holds("admin"):
        return "admin.overview"
    return "funding.report" if me.holds("funder") else None
