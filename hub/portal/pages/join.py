"""A seat in one more class, for somebody who is signed in: the class code and the number on its roster."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from hub.door.throttle import Limit, Throttle
from hub.people.person import SeatRefused, number_key
from hub.portal import language
from hub.portal.access import visitor
from hub.portal.forms import Fields

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.people.person import Cohort
    from hub.people.store import PeopleStore
    from hub.portal.app import Portal

GUESSES = Limit(free=8, first_wait=15, longest_wait=900)
FIELD_OF = {"number": "number", "seat-taken": "number"}
"""The field a refusal is about; the class code otherwise."""


def pages(portal: Portal) -> Blueprint:
    """The form, and taking the seat."""
    blueprint = Blueprint("join", __name__)
    throttle = Throttle({"seat": GUESSES})

    @blueprint.get("/join")
    def form() -> str:
        return render_template("join.html", problems={})

    @blueprint.post("/join")
    def take() -> tuple[str, int] | Response:
        fields = Fields(request.form)
        code, number = fields.text("class_code", most=40), fields.text("number", most=40)
        problems = fields.problems or _guess(throttle) or _take(portal.services.people, code, number)
        if problems:
            return render_template("join.html", problems=problems), 422
        throttle.forgive([], clear=[("seat", visitor().name)])
        cohort = portal.services.people.cohort_by_code(code)
        flash(_("You have a seat in the class “%(title)s” now.", title=cohort.title if cohort else code), "good")
        return redirect(url_for("home.home"), 303)

    return blueprint


def _guess(throttle: Throttle) -> dict[str, str]:
    """Count one attempt of the visitor; a problem when they have tried too often."""
    if wait := throttle.attempt([("seat", visitor().name)]):
        return {"class_code": _("Too many tries. Wait %(count)s seconds, then try again.", count=wait)}
    return {}


def _take(people: PeopleStore, code: str, number: str) -> dict[str, str]:
    """Take the seat; what was wrong, by field."""
    cohort = people.cohort_by_code(code)
    if cohort and _is_for_another(people, cohort, number):
        # The certificate bears the name the person signed up with: nobody sits in a seat of another name.
        return {"number": _("The roster has another name at this number than yours. Check it with your instructor.")}
    try:
        people.claim_seat(code, number, visitor().name)
    except SeatRefused as refused:
        return {FIELD_OF.get(refused.code, "class_code"): refused.in_locale(language.current())}
    return {}


def _is_for_another(people: PeopleStore, cohort: Cohort, number: str) -> bool:
    seats = {number_key(seat.number): seat for seat in people.members(cohort.id)}
    seat = seats.get(number_key(number))
    return seat is not None and seat.learner is None and _plain(seat.full_name) != _plain(visitor().person.full_name)


def _plain(name: str) -> str:
    """A name without what two rosters may write differently: width of letters, case and spaces."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
