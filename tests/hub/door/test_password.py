"""What may be a password, and how it is compared."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from hub.door.common import common_passwords
from hub.door.password import hashed, matches, weakness

if TYPE_CHECKING:
    from collections.abc import Coroutine


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run in a thread of its own: a Chromium open in this session keeps a loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.mark.parametrize(
    ("password", "name", "wrong"),
    [
        ("a long sentence", "lilei", None),
        ("一二三四五六七八九十", "lilei", None),
        ("123456789", "lilei", "short"),
        ("x" * 73, "lilei", "long"),
        ("九" * 25, "lilei", "long"),
        ("1234567890", "lilei", "common"),
        ("QWERTYuiop", "lilei", "common"),
        ("aaaaaaaaaaaa", "lilei", "common"),
        ("lilei2026!", "lilei", None),
        ("li.lei.li1", "li.lei.li", "name"),
        ("XiaoMing2026", "xiaoming", "name"),
    ],
)
def test_what_is_wrong_with_a_password(password: str, name: str, wrong: str | None) -> None:
    assert weakness(password, name, common_passwords()) == wrong


def test_the_right_password_matches_and_others_do_not() -> None:
    stored = run(hashed("a long sentence"))
    assert run(matches("a long sentence", stored))
    for typed in ("a long sentencE", "", "x" * 5000, "九" * 40):
        assert not run(matches(typed, stored))
    assert not run(matches("nobody signs in with this", None))


def test_a_name_nobody_has_costs_the_same_work() -> None:
    stored = run(hashed("a long sentence"))

    def work(hash_: bytes | None) -> float:
        before = time.process_time()
        run(matches("a wrong sentence", hash_))
        return time.process_time() - before

    # CPU seconds of one bcrypt: tens of milliseconds either way, against microseconds when the hash is skipped.
    assert work(None) > work(stored) / 3
