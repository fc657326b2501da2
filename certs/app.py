"""Wires the public certificate pages. No private key, no session, no cookie, nothing from third parties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from certs import language
from certs.display import LEVEL_WORDS, day, duration, moment, percent
from certs.files import MAX_FILE_BYTES
from certs.limit import Buckets, Rate
from certs.verification import OUTCOME_WORDS, VERDICT_WORDS
from certs.wallet import ANY_ORIGIN
from certs.web import COSTS, busy, not_found, pages, paused, too_large

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from certs.certificate import IssuerProfile
    from certs.store import Store

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
DEFAULT_RATE = Rate(per_second=5.0, burst=100.0)
"""An office behind one address opens a hundred certificates at once, or checks three batches; then five a second."""
# The multipart envelope around the largest file.
_ENVELOPE_BYTES = 16 * 1024


def create_app(
    store: Store, profile: IssuerProfile, *, prefix: str = "/certs", proxies: int = 0, rate: Rate = DEFAULT_RATE
) -> Flask:
    """The public web application under ``prefix``.

    Args:
        store: where certificates are read from.
        profile: who issues here.
        prefix: the path all addresses begin with.
        proxies: how many proxies of ours stand in front, each adding the caller's address to ``X-Forwarded-For``.
        rate: how much one address may ask (see :data:`certs.web.COSTS`).
    """
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_FILE_BYTES + _ENVELOPE_BYTES, MAX_FORM_PARTS=4)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(duration=duration, day=day, moment=moment, percent=percent)
    app.jinja_env.globals.update(
        profile=profile,
        outcome_words=OUTCOME_WORDS,
        level_words=LEVEL_WORDS,
        verdict_words={verdict.value: words for verdict, words in VERDICT_WORDS.items()},
    )
    language.install(app)
    app.register_blueprint(pages(store, profile), url_prefix=prefix)
    app.register_error_handler(404, not_found)
    app.register_error_handler(405, not_found)
    app.register_error_handler(413, too_large)
    app.register_error_handler(403, paused)
    _limit(app, Buckets(rate))
    app.after_request(_harden)
    app.after_request(_preflight)
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies)  # type: ignore[method-assign]
    return app


def _limit(app: Flask, buckets: Buckets) -> None:
    def take() -> ResponseReturnValue | None:
        wait = buckets.take(request.remote_addr or "", COSTS.get(request.endpoint or "", 1.0))
        return busy(wait, 429) if wait else None

    app.before_request(take)


def _preflight(response: Response) -> Response:
    """A wallet that is a page of another site asks first whether it may post."""
    if request.method == "OPTIONS" and request.endpoint in {"certs.wallet", "certs.exchange"}:
        response.headers.update(ANY_ORIGIN)
    return response


def _harden(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
