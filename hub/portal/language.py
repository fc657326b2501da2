"""Which language a page speaks: ``?lang=``, then the cookie it left, then the person's, the browser's, the site's."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlencode

from babel.dates import get_timezone_name
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import current_app, g, request
from flask_babel import Babel, Domain, get_locale

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from flask import Flask
    from werkzeug import Response

Locale = Literal["zh_CN", "en"]
LOCALES: tuple[Locale, ...] = get_args(Locale)
COOKIE = "reelwright-lang"
COOKIE_SECONDS = 365 * 24 * 3600
BROWSER_TAGS: dict[str, Locale] = {"zh": "zh_CN", "zh-CN": "zh_CN", "zh-Hans": "zh_CN", "en": "en"}


class Catalogs(Domain):
    """The ``portal`` words, read from their .po once a process: nothing has to be compiled first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(domain="portal")
        self._by_locale = {locale: _catalog(folder / locale / "LC_MESSAGES" / "portal.po") for locale in LOCALES}

    def get_translations(self) -> NullTranslations:
        """The words of the request's language; English is what the templates are written in."""
        return self._by_locale["zh_CN" if get_locale().language == "zh" else "en"]


def _catalog(source: Path) -> NullTranslations:
    if not source.is_file():
        return NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return Translations(compiled)


def install(app: Flask, translations: Path, site_locale: Locale, keep: Callable[[str, Locale], None]) -> None:
    """Make ``app`` speak both languages from the ``portal`` catalogs under ``translations``.

    ``keep`` is told the name of who chose a language, and which: their labs speak it too from the next start on.
    """
    # Stock Flask-Babel makes a new Domain, and so reads its catalogs, for every request.
    bound = type("PortalBabel", (Babel,), {"domain_instance": Catalogs(translations)})
    bound(app, default_locale="en", default_domain="portal", locale_selector=lambda: current(site_locale))
    app.after_request(lambda response: _remember(response, keep))


def current(site_locale: Locale = "zh_CN") -> Locale:
    """The language of the request being answered."""
    visitor = g.get("visitor")
    own = visitor.person.locale if visitor else None
    for candidate in (request.args.get("lang"), request.cookies.get(COOKIE), own):
        if candidate in LOCALES:
            return candidate
    asked = request.accept_languages.best_match(list(BROWSER_TAGS))
    return BROWSER_TAGS[asked] if asked else site_locale


def link(locale: Locale) -> str:
    """The page being answered, in ``locale``; a form's answer links to the page the form stands on."""
    query = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    return f"{request.path}?{urlencode([*query, ('lang', locale)])}"


def tag(locale: str) -> str:
    """The BCP 47 name of ``locale``, for ``<html lang>``."""
    return locale.replace("_", "-")


def zone_name(zone: ZoneInfo, locale: str) -> str:
    """What people call the time of ``zone``."""
    return get_timezone_name(zone, locale=locale)


def _remember(response: Response, keep: Callable[[str, Locale], None]) -> Response:
    chosen = next((locale for locale in LOCALES if request.args.get("lang") == locale), None)
    if chosen:
        visitor = g.get("visitor")
        if visitor and visitor.person.locale != chosen:
            keep(visitor.name, chosen)
        response.set_cookie(
            COOKIE,
            chosen,
            max_age=COOKIE_SECONDS,
            path="/",
            samesite="Lax",
            httponly=True,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
    return response
