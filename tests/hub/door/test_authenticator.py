"""The roster decides who comes in and what they may do; a password alone decides nothing."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jupyterhub import orm
from traitlets.config import Config as Traits

import hub.door
from hub.authenticator import ReelwrightAuthenticator
from hub.db import open_engine
from hub.door import password as passwords
from hub.door.pages import TooManyAttempts, local_address
from hub.door.refusal import StartRefused, refusal_of
from hub.people import tables
from hub.people.person import Person

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

PASSWORD = "a long sentence 9"
VISITOR = SimpleNamespace(request=SimpleNamespace(remote_ip="192.0.2.7"))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run in a thread of its own: a Chromium open in this session keeps a loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def keeper(tmp_path: Path) -> ReelwrightAuthenticator:
    url = f"sqlite:///{tmp_path / 'reelwright.db'}"
    tables.metadata.create_all(open_engine(url))
    session = orm.new_session_factory(f"sqlite:///{tmp_path / 'jupyterhub.sqlite'}")()
    keeper = ReelwrightAuthenticator(_deprecated_db_session=session, database_url=url)
    keeper.people.put_person(Person("teacher", "王老师", frozenset({"instructor"}), "main"))
    keeper.people.add_instructor("micro-drama", "teacher")
    keeper.put_login("teacher", run(passwords.hashed(PASSWORD)))
    return keeper


def sign_in(keeper: ReelwrightAuthenticator, typed: Any) -> Any:
    return run(keeper.get_authenticated_user(VISITOR, typed))


def test_groups_and_rights_come_from_the_roster(keeper: ReelwrightAuthenticator) -> None:
    model = sign_in(keeper, {"username": " Teacher", "password": PASSWORD})
    assert (model["name"], model["admin"], model["groups"]) == ("teacher", False, ["formgrade-micro-drama", "staff"])


@pytest.mark.parametrize(
    "typed",
    [
        {"username": "teacher", "password": "not the password"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "teacher"},
        {"username": "x" * 100_000, "password": "x" * 100_000},
        {"username": ["teacher"], "password": {"a": 1}},
        {},
        None,
        "teacher",
    ],
)
def test_anything_else_is_nobody(keeper: ReelwrightAuthenticator, typed: Any) -> None:
    assert sign_in(keeper, typed) is None


def test_a_password_left_over_from_a_broken_sign_up_opens_nothing(keeper: ReelwrightAuthenticator) -> None:
    keeper.put_login("ghost", run(passwords.hashed(PASSWORD)))
    assert sign_in(keeper, {"username": "ghost", "password": PASSWORD}) is None


def test_rights_follow_the_roster_while_signed_in(keeper: ReelwrightAuthenticator) -> None:
    user = SimpleNamespace(name="teacher")
    keeper.people.put_person(Person("teacher", "王老师", frozenset({"admin"}), "main"))
    cohort = keeper.people.create_cohort("sound", "main", "班", date(2026, 11, 1), date(2026, 12, 1), "teacher")
    keeper.people.import_roster(cohort.id, b"number,name\n1,a\n")
    keeper.people.claim_seat(cohort.class_code, "1", "teacher")
    model = run(keeper.refresh_user(user))
    assert model["admin"]
    assert set(model["groups"]) == {"formgrade-micro-drama", "nbgrader-sound", f"cohort-{cohort.id}", "staff"}
    assert run(keeper.refresh_user(SimpleNamespace(name="removed"))) is False
    assert not keeper.check_allowed("removed")
    assert keeper.check_allowed("teacher")


def test_parallel_guesses_are_counted_before_they_are_judged(keeper: ReelwrightAuthenticator) -> None:
    async def guess() -> str:
        try:
            found = await keeper.authenticate(VISITOR, {"username": "teacher", "password": "not the password"})
        except TooManyAttempts as refused:
            return f"wait {refused.seconds > 0}"
        return str(found)

    async def many() -> list[str]:
        return await asyncio.gather(*(guess() for _ in range(20)))

    answers = run(many())
    assert (answers.count("None"), answers.count("wait True")) == (5, 15)


def test_apply_sets_every_trait_of_the_door() -> None:
    c = Traits()
    c.JupyterHub.public_url = "https://example.org"
    hub.door.apply(c, database_url="sqlite:///x.db", locale="en")
    assert c.JupyterHub.authenticator_class == "hub.authenticator.ReelwrightAuthenticator"
    assert c.ReelwrightAuthenticator.database_url == "sqlite:///x.db"
    assert c.JupyterHub.template_paths == [str(hub.door.TEMPLATES)]
    assert c.JupyterHub.tornado_settings["cookie_options"] == {"samesite": "Lax", "secure": True}
    assert c.JupyterHub.tornado_settings["xsrf_cookie_kwargs"]["httponly"]
    plain = Traits()
    hub.door.apply(plain, database_url="sqlite:///x.db", locale="en")
    assert "secure" not in plain.JupyterHub.tornado_settings["cookie_options"]


def test_a_refused_start_is_told_in_one_language_at_a_time() -> None:
    refused = StartRefused(("额度不足", "No allowance"), label="allowance", balance=("剩 0", "0 left"), link="/x")
    assert refusal_of(refused, "zh_CN") == {"why": "额度不足", "balance": "剩 0", "remedy": "", "link": "/x"}
    assert refusal_of(refused, "en") == {"why": "No allowance", "balance": "0 left", "remedy": "", "link": "/x"}
    assert str(refused.message) == "额度不足 · No allowance"
    assert refusal_of(RuntimeError("secret"), "en") is None


@pytest.mark.parametrize(
    ("wanted", "gets"),
    [
        ("/hub/home?a=1", "/hub/home?a=1"),
        ("/services/portal/", "/services/portal/"),
        ("//evil.example/", ""),
        ("///evil.example/", ""),
        ("https://evil.example/", ""),
        ("/\\evil.example", ""),
        ("/\tx", ""),
        ("relative", ""),
        ("", ""),
    ],
)
def test_where_one_may_be_sent(wanted: str, gets: str) -> None:
    assert local_address(wanted, "/") == gets
