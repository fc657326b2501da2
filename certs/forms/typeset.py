"""Prints a signed credential: PDF (A4, QR, the credential attached), and the badge as PNG and SVG (it is baked in).

Everything printed is read from the signed document and nothing else, and the same document always gives the same
bytes: a verifier can print again and compare.
"""

from __future__ import annotations

import functools
import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pylopdf_fonts_zh_cn
import typst
from openbadgeslib.baking import ITXT_KEYWORD_OB3, bake_png

from certs.credential.opened import open_credential
from certs.display import day, duration, percent, short_digest
from certs.forms.code import qr_svg
from certs.forms.png import add_software
from certs.forms.svg import bake_svg

if TYPE_CHECKING:
    from certs.credential.facts import Facts

ATTACHMENT = "credential.json"
_FOLDER = Path(__file__).parent
LAYOUT = "Reelwright layout 1"
"""Goes up with every change to a template that moves ink: a print is compared only with one of the same layout."""
SOFTWARE = f"{LAYOUT}, typst {metadata.version('typst')}"
_BADGE_PPI = 144


class PrintError(Exception):
    """The certificate cannot be printed; the message names the template and what the typesetter said."""


def print_forms(document: bytes) -> dict[str, bytes]:
    """Every printed form of a credential of ours, by kind."""
    return {"pdf": print_pdf(document), "png": print_png(document), "svg": print_svg(document)}


def print_pdf(document: bytes) -> bytes:
    """The certificate as PDF/A-3 with the exact credential attached."""
    return _compile("certificate.typ", document, format="pdf", pdf_standards=["a-3a"])


def print_png(document: bytes) -> bytes:
    """The badge as PNG with the exact credential baked in (an ``iTXt`` chunk, as Open Badges 3.0 says)."""
    picture = _compile("badge.typ", document, format="png", ppi=_BADGE_PPI)
    return bytes(bake_png(add_software(picture, SOFTWARE), document.decode(), keyword=ITXT_KEYWORD_OB3))


def print_svg(document: bytes) -> bytes:
    """The badge as SVG with the exact credential baked in; it scales, and carries no font and no script."""
    return bake_svg(_compile("badge.typ", document, format="svg"), document, SOFTWARE)


def _compile(template: str, document: bytes, **options: Any) -> bytes:
    facts = open_credential(document).facts()
    inputs = {
        "data": json.dumps(_printed(facts), ensure_ascii=False),
        "qr": qr_svg(facts.id),
        "credential": document.decode(),
    }
    source = (_FOLDER / template).read_bytes()
    try:
        printed = typst.compile(
            source,
            root=str(_FOLDER),
            font_paths=_fonts(),
            sys_inputs=inputs,
            timestamp=facts.valid_from_us // 1_000_000,
            **options,
        )
    except typst.TypstError as error:
        raise PrintError(f"{template}: {error}") from error
    if not isinstance(printed, bytes):
        raise PrintError(f"{template}: got several pages, expected one picture")
    return printed


@functools.cache
def _fonts() -> typst.Fonts:
    # Never the system's fonts: what is printed must not depend on the machine.
    folder = pylopdf_fonts_zh_cn.sans_path().parent
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(folder)])


def _printed(facts: Facts) -> dict[str, Any]:
    """The strings the templates set, in both languages; no template computes or decides anything."""
    record = facts.record
    return {
        "layout": SOFTWARE,
        "address": facts.id,
        "issuer": _both(facts.issuer_name),
        "holder": facts.holder_name or "",
        "title": _both(facts.title),
        "issued": _both(day(facts.valid_from_us)),
        "score": "" if record is None else percent(record.score_percent),
        "hours": None if record is None else _both(duration(record.lab_seconds)),
        "gpu": None if record is None else _both(duration(record.gpu_seconds)),
        "subsidised": None if record is None else _both(duration(record.subsidised_seconds)),
        "skills": [_both(skill.title) for skill in facts.skills],
        "criteria": None if facts.criteria is None else _both(facts.criteria),
        "ai_use": None if facts.ai_use is None else _both(facts.ai_use),
        "courses": [_course(member) for member in facts.members],
        "labs": [
            {
                "title": _both(lab.title),
                "score": percent(lab.score_percent),
                "parts": [percent(lab.auto_percent), "" if lab.hand_percent is None else percent(lab.hand_percent)],
                "graded": _both(day(lab.graded_us)),
                "digest": short_digest(lab.submission_sha256),
            }
            for lab in facts.labs
        ],
    }


def _course(facts: Facts) -> dict[str, Any]:
    record = facts.record
    return {
        "title": _both(facts.title),
        "score": "" if record is None else percent(record.score_percent),
        "hours": _both(duration(0 if record is None else record.lab_seconds)),
        "gpu": _both(duration(0 if record is None else record.gpu_seconds)),
        "issued": _both(day(facts.valid_from_us)),
    }


def _both(text: Any) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}
