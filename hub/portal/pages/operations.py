"""The operator's page of money and proof: budgets, vouchers, API tokens, and what second witnesses saw otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from hub.api.store import LONGEST_DAYS
from hub.compute.budget import SCOPES, Allotment, new_order
from hub.compute.lease import DAY_US, LedgerError, plain_text
from hub.portal import words
from hub.portal.access import only, visitor
from hub.portal.forms import Fields

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from werkzeug import Response

    from hub.portal.app import Portal

Shown = str | tuple[str, int]
MOST_VOUCHERS = 200
MOST_SHOWN = 200


def pages(portal: Portal) -> Blueprint:
    """Everything under ``/operations``; what is shown once is shown in the answer to its form."""
    blueprint = Blueprint("operations", __name__)

    @blueprint.get("/operations")
    @only("admin")
    def overview() -> str:
        return _show(portal)

    @blueprint.post("/operations/<any(allot,issue,token):what>")
    @only("admin")
    def act(what: str) -> Shown:
        fields = Fields(request.form)
        made = ACTIONS[what](portal, fields)
        if fields.problems:
            return _show(portal, problems={f"{what}-{name}": said for name, said in fields.problems.items()}), 422
        return _show(portal, made=made, made_of=what)

    @blueprint.post("/operations/tokens/<uuid:token_id>/revoke")
    @only("admin")
    def revoke(token_id: UUID) -> Response:
        if not portal.services.tokens.revoke(token_id):
            abort(404, _("There is no such token, or it was revoked before."))
        flash(_("The token is revoked. What uses it gets no answers from now on."), "good")
        return redirect(url_for("operations.overview"), 303)

    return blueprint


def allot(portal: Portal, fields: Fields) -> tuple[str, ...]:
    """Give a site or a class more, or take back."""
    scope, _space, who = fields.choice("whose", frozenset(_purses(portal))).partition(" ")
    takes_back = fields.choice("way", frozenset({"give", "take"})) == "take"
    amount, why = fields.micro_yuan("yuan"), plain_text(fields.text("why"))
    if fields.problems:
        return ()
    given = Allotment(
        scope=scope, who=who, micro_yuan=-amount if takes_back else amount, why=why, by=visitor().name,
        at_us=portal.clock(),
    )  # fmt: skip
    try:
        standing = portal.services.ledger.budgets.allot(given)
    except LedgerError as error:
        fields.problems["yuan"] = str(error)
        return ()
    flash(_("%(sum)s left in this budget.", sum=words.money(standing.left_uy)), "good")
    return ()


def issue(portal: Portal, fields: Fields) -> tuple[str, ...]:
    """Issue vouchers; their codes."""
    course = fields.choice("course", frozenset(course.id for course in portal.courses))
    count, days = fields.whole("count", 1, MOST_VOUCHERS), fields.whole("days", 1, LONGEST_DAYS)
    amount, why = fields.micro_yuan("yuan"), plain_text(fields.text("why"))
    if fields.problems:
        return ()
    until_us = portal.clock() + days * DAY_US
    # A form that is sent twice has the same order, so it shows the same codes again.
    sent = request.form.get("order", "")
    order = sent if len(sent) == len(new_order()) else ""
    return portal.services.ledger.vouchers.issue(count, course, amount, until_us, why, visitor().name, order=order)


def token(portal: Portal, fields: Fields) -> tuple[str, ...]:
    """Make an API token; its text."""
    name, days = plain_text(fields.text("name")), fields.whole("days", 1, LONGEST_DAYS)
    scopes = [scope for scope in _scopes(portal) if scope in request.form.getlist("scope")]
    if not scopes:
        fields.problems["scope"] = _("Choose what it may read.")
    if fields.problems:
        return ()
    return (portal.services.tokens.make(name, scopes, days, visitor().name)[1],)


ACTIONS: dict[str, Callable[[Portal, Fields], tuple[str, ...]]] = {"allot": allot, "issue": issue, "token": token}


def _show(
    portal: Portal, *, problems: dict[str, str] | None = None, made: tuple[str, ...] = (), made_of: str = ""
) -> str:
    services = portal.services
    return render_template(
        "operations.html",
        budgets=services.ledger.budgets.all(),
        purses=_purses(portal),
        vouchers=services.ledger.vouchers.all()[:MOST_SHOWN],
        tokens=services.tokens.all(),
        scopes=_scopes(portal),
        differences=services.ledger.differences()[:MOST_SHOWN],
        courses=portal.courses,
        problems=problems or {},
        made=made,
        made_of=made_of,
        order=new_order(),
    )


def _purses(portal: Portal) -> dict[str, str]:
    """Whose budgets there may be, by scope and id, as people call them."""
    site = portal.config.site
    known = {f"site {site.id}": _("Site: %(name)s", name=site.id)}
    for cohort in portal.services.people.cohorts_led_by(visitor().name):
        known[f"cohort {cohort.id}"] = _("Class: %(name)s", name=cohort.title)
    known |= {
        f"{one.scope} {one.who}": _("Site: %(name)s", name=one.who)
        for one in portal.services.ledger.budgets.all()
        if one.scope == SCOPES[0]
    }
    return known


def _scopes(portal: Portal) -> dict[str, str]:
    """What a token may read, as people call it."""
    site = portal.config.site.id
    narrower = {
        f"report:cohort={cohort.id}": _("Report of one class: %(name)s", name=cohort.title)
        for cohort in portal.services.people.cohorts_led_by(visitor().name)
    }
    return {
        "report": _("Report of all sites"),
        f"report:site={site}": _("Report of this site"),
        **narrower,
        "claims": _("Claims and evidence packs"),
        "metrics": _("Metrics"),
    }
