"""Both languages, everywhere: the catalog is complete, and a choice stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import hub.portal
from hub.portal.language import COOKIE

PORTAL = Path(hub.portal.__file__).parent
CATALOG = PORTAL.parent / "translations" / "zh_CN" / "LC_MESSAGES" / "portal.po"
HOME = "/services/portal/"


def _used() -> set[str]:
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    found = extract_from_dir(str(PORTAL), methods, {"python": {}, "jinja2": {}})
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_every_word_of_the_portal_has_its_chinese() -> None:
    with CATALOG.open("rb") as file:
        catalog = read_po(file)
    translated = {entry.id for entry in catalog if entry.id and entry.string and not entry.fuzzy}
    assert _used() - translated == set()
    assert translated - _used() == set()


def test_placeholders_are_the_same_in_both_languages() -> None:
    with CATALOG.open("rb") as file:
        errors = [(entry.id, list(entry.check())) for entry in read_po(file) if entry.id and list(entry.check())]
    assert errors == []


@pytest.mark.parametrize(("lang", "word", "tag"), [("en", "Compute allowance", "en"), ("zh_CN", "算力额度", "zh-CN")])
def test_a_page_speaks_the_language_asked_for(school: Any, lang: str, word: str, tag: str) -> None:
    page = school.client("liming").get(f"{HOME}?lang={lang}").text
    assert word in page
    assert f'<html lang="{tag}">' in page


def test_the_choice_stays_for_the_next_page(school: Any) -> None:
    client = school.client("liming", lang="zh-CN")
    client.get(f"{HOME}?lang=en")
    assert client.get_cookie(COOKIE).value == "en"
    assert "Compute allowance" in client.get(HOME).text


def test_the_choice_is_the_person_s_so_that_their_lab_speaks_it_too(school: Any) -> None:
    school.client("liming").get(f"{HOME}?lang=zh_CN")
    assert school.people.person("liming").locale == "zh_CN"
    school.client("liming").get(f"{HOME}?lang=xx")
    assert school.people.person("liming").locale == "zh_CN"


def test_the_browser_decides_until_somebody_chooses(school: Any) -> None:
    assert "算力额度" in school.client("liming", lang="zh-CN,zh;q=0.9").get(HOME).text
    assert "Compute allowance" in school.client("liming", lang="en-GB,en;q=0.9").get(HOME).text


def test_a_persons_own_language_goes_before_the_browsers(school: Any) -> None:
    school.people.set_locale("liming", "zh_CN")
    assert "算力额度" in school.client("liming", lang="en").get(HOME).text


def test_the_language_links_keep_the_page_and_its_question(school: Any) -> None:
    page = school.client("root").get("/services/portal/admin?role=funder&lang=en").text
    assert 'href="/services/portal/admin?role=funder&amp;lang=zh_CN"' in page
