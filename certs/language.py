"""Which language a page speaks (``?lang=``, else the browser's), and the words for it, straight from the .po file."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import g, request, url_for
from flask_babel import Babel, Domain, get_locale

if TYPE_CHECKING:
    from flask import Flask

    from certs.certificate import Text

LOCALES = ("zh_CN", "en")
_CATALOG = Path(__file__).parent / "translations" / "zh_CN" / "LC_MESSAGES" / "messages.po"


class _Words(Domain):  # type: ignore[misc]
    """The Chinese catalog, or the English the templates are written in."""

    def get_translations(self) -> NullTranslations:
        return _chinese() if current().startswith("zh") else NullTranslations()


def install(app: Flask) -> None:
    """Make ``app`` speak both languages."""
    babel = Babel(app, default_locale="en", locale_selector=_select)
    babel.domain_instance = _Words()
    app.jinja_env.globals["here"] = here
    app.jinja_env.filters["local"] = local
    app.context_processor(lambda: {"locale": current(), "lang": asked()})


def current() -> str:
    """The language of this request: ``zh_CN`` or ``en``."""
    if "certs_language" not in g:
        g.certs_language = "zh_CN" if get_locale().language == "zh" else "en"
    return str(g.certs_language)


def asked() -> str | None:
    """The language named in the address, which links carry on."""
    named = request.args.get("lang")
    return named if named in LOCALES else None


def here(locale: str) -> str:
    """The address of this page in another language; an answer to an upload has none and leads to the start."""
    if request.endpoint is None or request.method != "GET":
        return url_for("certs.home", lang=locale)
    kept = {name: value for name, value in request.args.items() if name == "id"}
    return url_for(request.endpoint, **{**(request.view_args or {}), **kept, "lang": locale})


def local(text: Text) -> str:
    """The words of ``text`` in the language of this request."""
    return text.in_locale(current())


def _select() -> str:
    if named := asked():
        return named
    # Browsers say zh, zh-CN, zh-Hans-CN; all of them read our one Chinese.
    best = request.accept_languages.best_match(["zh-CN", "zh", "en"], default="zh-CN")
    return "en" if best == "en" else "zh_CN"


@functools.cache
def _chinese() -> Translations:
    compiled = io.BytesIO()
    with _CATALOG.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return Translations(compiled)
