"""Wires the portal: what it needs is handed in, nothing is global."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import Flask, g, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from hub.authoring.bench import Bench
from hub.authoring.live import LiveCourses
from hub.authoring.shelf import Shelf
from hub.compute.subsidy import read_subsidies
from hub.portal import forms, frame, language, words
from hub.portal.access import Visitor
from hub.portal.pages import (
    admin,
    authoring,
    callback,
    certificates,
    claims,
    class_certificates,
    cohorts,
    compute,
    dashboard,
    funding,
    hand,
    home,
    join,
    labs,
    operations,
    regrade,
    running,
    similarity,
)
from hub.portal.session import SignInError

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug import Response

    from certs.store import Store as CertificateStore
    from grader.store import Store as SubmissionStore
    from hub.api.store import Tokens
    from hub.compute.ledger import Ledger
    from hub.compute.subsidy import SubsidyBook
    from hub.config import Config
    from hub.course import Course
    from hub.footage.store import Footage
    from hub.people.store import PeopleStore
    from hub.portal.session import SignIn
    from hub.reclaim.sessions import Sessions

PREFIX = "/services/portal"
TRANSLATIONS = Path(__file__).parent.parent / "translations"
DEFAULT_ZONE = "Asia/Shanghai"
MOST_UPLOAD_BYTES = 2 * 1024 * 1024  # a roster of ten thousand people is a fifth of it
OPEN_ENDPOINTS = frozenset({"static", "callback.oauth_callback", "callback.health"})
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True)
class PortalServices:
    """The stores the pages read and write; each does its own SQL."""

    people: PeopleStore
    ledger: Ledger
    submissions: SubmissionStore
    certificates: CertificateStore
    sessions: Sessions
    tokens: Tokens
    footage: Footage


@dataclass(frozen=True)
class Portal:
    """Everything a page may use: stores, sign-in, courses, settings, subsidies' names, the site's zone, and a clock."""

    services: PortalServices
    session: SignIn
    live: LiveCourses
    bench: Bench
    config: Config
    subsidies: SubsidyBook
    zone: ZoneInfo
    clock: Callable[[], int]

    @property
    def courses(self) -> tuple[Course, ...]:
        """The courses as they are now, released authored labs included."""
        return self.live.now()


def _now_us() -> int:
    return time.time_ns() // 1000


def create_app(
    services: PortalServices,
    *,
    session: SignIn,
    courses: tuple[Course, ...],
    config: Config,
    prefix: str = PREFIX,
    clock: Callable[[], int] = _now_us,
    bench: Bench | None = None,
) -> Flask:
    """Build the portal's WSGI app, answering under ``prefix``; ``clock`` gives microseconds since the epoch.

    ``courses`` are those that were shipped; authored ones join them. ``bench`` does the work on drafts.
    """
    site = services.people.site(config.site.id)
    zone = ZoneInfo(site.timezone if site else DEFAULT_ZONE)
    bench = bench or Bench(Shelf(config.data_dir / "authored"), os.environ, config.data_dir / "authoring.log")
    live, subsidies = LiveCourses(courses, bench.shelf), read_subsidies(config.policy.subsidies)
    portal = Portal(services, session, live, bench, config, subsidies, zone, clock)
    app = Flask(__name__, static_url_path=f"{prefix}/static")
    app.secret_key = session.key
    app.config.update(
        SESSION_COOKIE_NAME="reelwright-portal",
        SESSION_COOKIE_PATH=prefix,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.server.public_url.startswith("https://"),
        MAX_CONTENT_LENGTH=MOST_UPLOAD_BYTES,
    )
    app.before_request(lambda: _identify(session, services.people))
    app.before_request(_guard_forms)
    app.after_request(_harden)
    app.context_processor(lambda: frame.around(portal))
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(SignInError, _sign_in_failed)
    language.install(app, TRANSLATIONS, config.site.locale, services.people.set_locale)
    words.install(app, portal.zone, clock)
    app.register_blueprint(callback.pages(session), url_prefix=prefix)
    for pages in (
        home,
        labs,
        compute,
        running,
        certificates,
        join,
        cohorts,
        class_certificates,
        similarity,
        hand,
        regrade,
        authoring,
        funding,
        admin,
        claims,
        dashboard,
        operations,
    ):
        app.register_blueprint(pages.pages(portal), url_prefix=prefix)
    return app


def _identify(session: SignIn, people: PeopleStore) -> Response | tuple[str, int] | None:
    g.visitor = None
    if request.endpoint in OPEN_ENDPOINTS:
        return None
    name = session.name(request)
    if name is None:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else request.path
        return session.begin(wanted)
    person = people.person(name)
    if person is None:
        return render_template("stranger.html", name=name), 403
    g.visitor = Visitor(person, people.courses_of(name))
    return None


def _guard_forms() -> None:
    if request.endpoint not in OPEN_ENDPOINTS:
        forms.guard()


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _refuse(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    titles = {
        400: _("That could not be read"),
        403: _("This is not yours to see"),
        404: _("There is nothing here"),
        405: _("That cannot be done here"),
        413: _("That file is too large"),
    }
    ours = isinstance(error.description, str) and error.description != type(error).description
    reason = error.description if ours else ""
    return render_template("refused.html", title=titles.get(code, _("Something went wrong")), reason=reason), code


def _sign_in_failed(error: SignInError) -> tuple[str, int]:
    return render_template("sign_in_failed.html", reason=str(error)), 503
