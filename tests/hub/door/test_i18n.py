"""Which language a visitor gets, and that every word of the door has both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from hub import i18n

HUB = Path(i18n.__file__).parent


def said() -> set[str]:
    """Return every message the hub's templates and the door's code say."""
    found: set[str] = set()
    for file in (HUB / "templates").glob("*.html"):
        found |= {
            message
            for _, message, _, _ in extract_from_file("jinja2.ext:babel_extract", str(file), keywords={"_": None})
        }
    for file in (HUB / "door").glob("*.py"):
        found |= {message for _, message, _, _ in extract_from_file("python", str(file), keywords={"say": None})}
    return found


def test_the_chinese_catalog_says_everything_and_nothing_else() -> None:
    with (i18n.TRANSLATIONS / "zh_CN" / "LC_MESSAGES" / "door.po").open("rb") as file:
        catalog = {message.id: message for message in read_po(file) if message.id}
    assert set(catalog) == said()
    assert not [message.id for message in catalog.values() if not message.string or message.fuzzy]
    for message in catalog.values():
        assert re.findall(r"%\(\w+\)\w", message.id) == re.findall(r"%\(\w+\)\w", message.string), message.id


def test_words_come_in_the_language_asked_for() -> None:
    assert i18n.say("zh_CN", "Sign in") == "登录"
    assert i18n.say("en", "Sign in") == "Sign in"
    assert i18n.say("zh_CN", "Too many attempts. Wait %(seconds)d seconds, then try again.", seconds=15) == (
        "尝试次数过多。请等 15 秒再试。"
    )


@pytest.mark.parametrize(
    ("asked", "cookie", "accept", "site", "gets"),
    [
        ("en", "zh_CN", "zh-CN", "zh_CN", "en"),
        (None, "en", "zh-CN", "zh_CN", "en"),
        (None, None, "zh-CN,zh;q=0.9", "en", "zh_CN"),
        (None, None, "zh-TW", "en", "zh_CN"),
        (None, None, "en-GB,en;q=0.9", "zh_CN", "en"),
        (None, None, "fr-FR", "zh_CN", "zh_CN"),
        (None, None, "fr-FR, en;q=0.5", "zh_CN", "en"),
        (None, None, None, "en", "en"),
        ("../../etc", "xx", "%%%", "zh_CN", "zh_CN"),
    ],
)
def test_the_language_of_a_request(
    asked: str | None, cookie: str | None, accept: str | None, site: i18n.Locale, gets: str
) -> None:
    assert i18n.wanted(asked, cookie, accept, site) == gets


def test_a_message_in_both_languages_is_halved() -> None:
    assert i18n.one_side("正在打开 · Opening", "zh_CN") == "正在打开"
    assert i18n.one_side("正在打开 · Opening", "en") == "Opening"
    assert i18n.one_side("Server ready", "zh_CN") == "Server ready"
