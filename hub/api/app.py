"""The API's app: bearer tokens, plain answers, no cookies; one app beside the portal's, served by the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, g, jsonify, request
from werkzeug.exceptions import HTTPException

from hub.api import web

if TYPE_CHECKING:
    from hub.api.store import Tokens
    from hub.compute.ledger import Ledger

PREFIX = "/api"


def create_app(ledger: Ledger, tokens: Tokens, *, pseudonym_key: bytes) -> Flask:
    """Build the WSGI app; it answers under ``/v1``, and is mounted under :data:`PREFIX`."""
    app = Flask(__name__, static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.before_request(lambda: _identify(tokens))
    app.register_error_handler(HTTPException, _refused)
    app.register_blueprint(web.answers(ledger, pseudonym_key), url_prefix="/v1")

    @app.after_request
    def plain(response: Any) -> Any:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    return app


def _identify(tokens: Tokens) -> Any:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    token = tokens.find(text.strip()) if kind.lower() == "bearer" else None
    if token is None:
        answer = jsonify(error="got no good token, expected the header 'Authorization: Bearer TOKEN'")
        return answer, 401, {"WWW-Authenticate": 'Bearer realm="reelwright"'}
    g.token = token
    return None


def _refused(error: HTTPException) -> Any:
    return jsonify(error=error.description), error.code or 500
