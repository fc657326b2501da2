"""The trainee's compute: every session, what it cost, who paid, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from hub.compute.budget import VoucherError
from hub.portal import words
from hub.portal.access import visitor
from hub.portal.learning import enrolled_account
from hub.portal.running import panel, running_lease

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.compute.lease import Account, Session
    from hub.course import Course
    from hub.portal.app import Portal

MOST_CODE = 40


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
        return _show(portal, {})

    @blueprint.post("/compute/voucher")
    def redeem() -> str | tuple[str, int] | Response:
        try:
            given = portal.services.ledger.vouchers.redeem(
                request.form.get("code", "")[:MOST_CODE], visitor().name, visitor().sits_in
            )
        except VoucherError as error:
            return _show(portal, {"code": voucher_words()[error.why]}), 422
        flash(_("%(sum)s more for you.", sum=words.money(given.micro_yuan)), "good")
        return redirect(url_for("compute.mine"), 303)

    return blueprint


def _show(portal: Portal, problems: dict[str, str]) -> str:
    me, ledger = visitor(), portal.services.ledger
    mine = [course for course in portal.courses if course.id in me.sits_in]
    used = [CourseCompute(c, enrolled_account(portal, c, me.name), ledger.sessions(me.name, c.id)) for c in mine]
    shown = panel(portal, me.name, running_lease(portal, me.name), request.args.get("stopped", ""))
    return render_template("compute.html", used=used, panel=shown, problems=problems)


def voucher_words() -> dict[str, str]:
    """Why a voucher is not taken, and what to do."""
    return {
        "unknown": _("There is no voucher with this code. Check it against the paper or message it came on."),
        "used": _("Somebody has used this voucher. Ask whoever gave it to you for another one."),
        "expired": _("This voucher has run out. Ask whoever gave it to you for another one."),
        "course": _("This voucher is for a course in which you have no seat."),
    }
