"""What an administrator does: invites, sees who is who, and whether the platform keeps up."""

from __future__ import annotations

import re
from typing import Any

import pytest

PREFIX = "/services/portal"
INVITE = {"role": "instructor", "course": "micro-drama", "days": "7"}


def _code(page: str) -> str:
    found = re.search(r"http://reel\.example/hub/welcome\?code=([\w-]+)", page)
    assert found
    return found[1]


@pytest.mark.parametrize(("role", "course"), [("instructor", "micro-drama"), ("funder", ""), ("admin", "")])
def test_an_invitation_shows_a_link_that_works(school: Any, post: Any, role: str, course: str) -> None:
    page = post(school.client("root"), "/admin", "/admin/invite", {**INVITE, "role": role}).text
    assert "It works once, until Thu 12 Nov 2026, 12:00" in page
    assert school.people.invitation_role(_code(page)) == (role, course)


def test_the_link_is_shown_once(school: Any, post: Any) -> None:
    client = school.client("root")
    code = _code(post(client, "/admin", "/admin/invite", INVITE).text)
    assert code not in client.get(f"{PREFIX}/admin").text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"role": "trainee"}, "Choose one from the list."),
        ({"course": "none"}, "Choose one from the list."),
        ({"days": "400"}, "Got “400”, expected a whole number from 1 to 30."),
        ({"days": "²"}, "expected a whole number"),
        ({"days": "000000005000"}, "expected a whole number"),
    ],
)
def test_an_invitation_that_makes_no_sense_is_refused(
    school: Any, post: Any, change: dict[str, str], words: str
) -> None:
    answer = post(school.client("root"), "/admin", "/admin/invite", {**INVITE, **change})
    assert answer.status_code == 422
    assert words in answer.text
    assert "hub/welcome" not in answer.text


def test_people_are_listed_by_role(school: Any) -> None:
    client = school.client("root")
    staff, trainees = client.get(f"{PREFIX}/admin").text, client.get(f"{PREFIX}/admin?role=trainee").text
    assert "王老师" in staff
    assert "李明" not in staff
    assert "李明" in trainees
    assert client.get(f"{PREFIX}/admin?role=emperor").status_code == 200


def test_what_waits_to_be_graded_and_what_runs_is_counted(school: Any) -> None:
    school.hand_in("liming", "script-to-shots")
    school.worked("liming", "script-to-shots", 20, ended=False)
    page = school.client("root").get(f"{PREFIX}/admin").text
    assert "<dt>Submissions being graded or waiting</dt><dd>1</dd>" in page
    assert "<dt>Labs running now</dt><dd>1</dd>" in page
