"""Stopping the lab that runs, from every page that shows it, and the part of a page that waits for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _

from hub.portal.access import visitor
from hub.portal.running import panel, running_lease
from hub.portal.session import StopError

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.portal.app import Portal

SIGN_IN_TOO_WEAK = frozenset({401, 403, 404})
"""The hub's answers to a token without the right; 404 because it does not say whose servers there are."""


def pages(portal: Portal) -> Blueprint:
    """A stop is posted to the page that its button stands on, and leads back there."""
    blueprint = Blueprint("running", __name__)

    @blueprint.post("/")
    @blueprint.post("/compute")
    @blueprint.post("/course/<_course>/lab/<_lab>")
    def stop(**_page: str) -> Response:
        # The form says which session it means: a page left open must not stop the one that runs by now.
        meant = request.form.get("lease", "")[:64]
        lease = running_lease(portal, visitor().name)
        if lease is not None and str(lease.id) == meant:
            try:
                portal.session.stop_server(visitor().name)
            except StopError as error:
                flash(_why_not(error), "bad")
                return redirect(request.path, 303)
        return redirect(f"{request.path}?{urlencode({'stopped': meant})}", 303)

    @blueprint.get("/session")
    def session() -> str:
        name = visitor().name
        shown = panel(portal, name, running_lease(portal, name), request.args.get("stopped", ""))
        return render_template("parts/session.html", panel=shown, is_part=True)

    return blueprint


def _why_not(error: StopError) -> str:
    if error.status in SIGN_IN_TOO_WEAK:
        return _("This sign-in may not stop labs. Sign out, sign in again, then press “Stop the lab” once more.")
    return _(
        "The lab could not be stopped: the hub gave no usable answer (%(status)s). The lab still runs and is still"
        " charged. Try again in a minute; if it stays so, tell your instructor.",
        status=error.status or _("none"),
    )
