"""The trainee's certificates: where each leads, what of it is shown to whom, and another spelling of the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from certs.rules import name_problem
from certs.store import UnknownCertificateError
from hub.award import holder_ref
from hub.people.person import tidy
from hub.portal.access import visitor
from hub.portal.certifying.held import held_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug import Response

    from certs.certificate import Certificate
    from certs.store import Store
    from hub.portal.app import Portal

Shown = str | tuple[str, int]


def pages(portal: Portal) -> Blueprint:
    """Everything under ``/certificates``."""
    blueprint = Blueprint("certificates", __name__)
    store = portal.services.certificates

    @blueprint.get("/certificates")
    def mine() -> str:
        return _show(portal, {})

    @blueprint.post("/certificates/<certificate_id>/<any(pause,resume,share,end):what>")
    def act(certificate_id: str, what: str) -> Response:
        certificate = _mine(store, certificate_id)
        try:
            flash(_act(store, certificate, what, request.form), "good")
        except UnknownCertificateError:
            abort(404, _("There is no such certificate of yours."))
        except ValueError:
            flash(_("There are very many addresses of this certificate already. End an old one first."), "bad")
        return redirect(url_for("certificates.mine"), 303)

    @blueprint.post("/certificates/name")
    def name() -> Shown | Response:
        wanted = tidy(request.form.get("wanted", ""))
        if name_problem(wanted) is not None or wanted == visitor().person.full_name:
            problem = _("Expected another name than now: letters of one alphabet, single spaces and . ' - · only.")
            return _show(portal, {"wanted": problem}), 422
        portal.services.people.ask_for_name(visitor().name, wanted)
        flash(_("Your instructor has your request. Nothing changes until they confirm it."), "good")
        return redirect(url_for("certificates.mine"), 303)

    return blueprint


def _show(portal: Portal, problems: dict[str, str]) -> str:
    me = visitor().name
    asked = portal.services.people.name_request(me)
    return render_template("certificates.html", held=held_by(portal, me), asked=asked, problems=problems)


def _mine(store: Store, certificate_id: str) -> Certificate:
    """The visitor's own certificate of that id; anybody else's is not there for them."""
    found = store.by_id(certificate_id)
    if found is None or found.holder_ref != holder_ref(visitor().name, found.course):
        abort(404, _("There is no such certificate of yours."))
    return found


def _act(store: Store, certificate: Certificate, what: str, typed: Mapping[str, str]) -> str:
    """Do what the holder decided; the sentence that says so."""
    if what == "pause":
        store.pause(certificate.id)
        return _("The address shows nothing now. Files that you gave away still verify.")
    if what == "resume":
        store.resume(certificate.id)
        return _("The address shows the certificate again.")
    if what == "end":
        store.end_share(certificate.id, typed.get("token", "")[:64])
        return _("That address has ended for good.")
    store.share(certificate.id, hide_name="hide_name" in typed, hide_score="hide_score" in typed)
    return _("A new address is there. Whoever has it sees the certificate without what you left out.")
