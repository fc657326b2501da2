"""The language of the hub's own pages: which one a request wants, and the words of the ``door`` catalog.

JupyterHub's templates are not given the request, but every one is given ``static_url``, a method bound to the handler
that answers; a function Jinja passes its context finds the request there. The catalog is read from its .po at start,
so nothing has to be compiled.
"""

from __future__ import annotations

import gettext
import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import pass_context
from jinja2.ext import Extension
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

Locale = Literal["zh_CN", "en"]
LOCALES: tuple[Locale, ...] = get_args(Locale)
COOKIE = "reelwright-lang"
"""Shared with the portal: a language chosen on one side holds on the other."""
COOKIE_DAYS = 365
TRANSLATIONS = Path(__file__).parent / "translations"
_BROWSER_TAGS: dict[str, Locale] = {"zh": "zh_CN", "zh-CN": "zh_CN", "zh-Hans": "zh_CN", "en": "en"}


@cache
def catalog(locale: Locale) -> gettext.NullTranslations:
    """Return the ``door`` words of ``locale``; English is written in the pages themselves."""
    source = TRANSLATIONS / locale / "LC_MESSAGES" / "door.po"
    if not source.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=locale))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def say(locale: Locale, message: str, **values: object) -> str:
    """Return ``message`` (English, ``%(name)s`` for values) in ``locale``."""
    text = catalog(locale).gettext(message)
    return text % values if values else text


def wanted(asked: str | None, cookie: str | None, accept: str | None, site: Locale) -> Locale:
    """Return the language for a request: ``?lang=``, then the cookie, then Accept-Language, then the site's."""
    for candidate in (asked, cookie):
        for locale in LOCALES:
            if candidate == locale:
                return locale
    best = parse_accept_header(accept, LanguageAccept).best_match(list(_BROWSER_TAGS))
    return _BROWSER_TAGS[best] if best else site


def locale_of(request: Any, site: Locale) -> Locale:
    """Return the language a Tornado request wants."""
    asked = [value.decode("utf-8", "replace") for value in request.query_arguments.get("lang", [])[-1:]]
    cookie = request.cookies.get(COOKIE)
    chosen = cookie.value if cookie else None
    return wanted(asked[0] if asked else None, chosen, request.headers.get("Accept-Language"), site)


def one_side(text: str, locale: Locale) -> str:
    """Return the half of a ``中文 · English`` message that ``locale`` reads; one language alone is left whole."""
    chinese, dot, english = text.partition(" · ")
    if not dot:
        return text
    return chinese if locale == "zh_CN" else english


class Language(Extension):
    """Gives every hub template ``_()``, ``locale()``, ``lang_tag()``, ``in_language()`` and ``one_side()``."""

    site_locale: Locale = "zh_CN"

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(
            _=self._translate, locale=self._locale, lang_tag=self._tag, in_language=self._link, one_side=self._side
        )

    @classmethod
    def _request(cls, context: Context) -> Any:
        return context["static_url"].__self__.request

    @classmethod
    def _of(cls, context: Context) -> Locale:
        return locale_of(cls._request(context), cls.site_locale)

    @pass_context
    def _translate(self, context: Context, message: str, **values: object) -> str:
        return say(self._of(context), message, **values)

    @pass_context
    def _locale(self, context: Context) -> Locale:
        return self._of(context)

    @pass_context
    def _tag(self, context: Context) -> str:
        return self._of(context).replace("_", "-")

    @pass_context
    def _link(self, context: Context, locale: Locale) -> str:
        here = quote(self._request(context).uri, safe="")
        return f"{context['base_url']}lang?to={locale}&next={here}"

    @pass_context
    def _side(self, context: Context, text: str) -> str:
        return one_side(text, self._of(context))


def jinja_options(site_locale: Locale, *more: type[Extension]) -> dict[str, Any]:
    """Return what ``c.JupyterHub.jinja_environment_options`` must hold for pages in both languages."""
    bound = type("SiteLanguage", (Language,), {"site_locale": site_locale})
    return {"extensions": [bound, *more], "trim_blocks": True, "lstrip_blocks": True}
