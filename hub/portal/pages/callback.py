"""What answers without anybody signed in: the way back from the hub's sign-in, and the sign of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

if TYPE_CHECKING:
    from werkzeug import Response

    from hub.portal.session import SignIn


def pages(session: SignIn) -> Blueprint:
    """The address the hub sends people back to, and the one that says the portal is up."""
    blueprint = Blueprint("callback", __name__)

    @blueprint.get("/oauth_callback")
    def oauth_callback() -> Response:
        return session.complete(request)

    @blueprint.get("/health")
    def health() -> str:
        return "ok"

    return blueprint
