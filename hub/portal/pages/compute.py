"""The trainee's compute: every session, what it cost, who paid, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request

from hub.portal.access import visitor
from hub.portal.learning import enrolled_account
from hub.portal.running import panel, running_lease

if TYPE_CHECKING:
    from hub.compute.lease import Account, Session
    from hub.course import Course
    from hub.portal.app import Portal


@dataclass(frozen=True)
class CourseCompute:
    """The learner's sessions in one course, newest first, and the balance they leave."""

    course: Course
    account: Account
    sessions: tuple[Session, ...]


def pages(portal: Portal) -> Blueprint:
    """The page of one's own sessions."""
    blueprint = Blueprint("compute", __name__)

    @blueprint.get("/compute")
    def mine() -> str:
        me, ledger = visitor(), portal.services.ledger
        mine = [course for course in portal.courses if course.id in me.sits_in]
        used = [CourseCompute(c, enrolled_account(portal, c, me.name), ledger.sessions(me.name, c.id)) for c in mine]
        shown = panel(portal, me.name, running_lease(portal, me.name), request.args.get("stopped", ""))
        return render_template("compute.html", used=used, panel=shown)

    return blueprint
