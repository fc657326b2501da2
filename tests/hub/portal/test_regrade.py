"""An instructor asks for a class-wide regrade, watches it, and sees which certificates say something else now."""

from __future__ import annotations

from typing import Any

import pytest

from certs.certificate import State
from hub.award import claim_now
from hub.people.person import Person

PREFIX = "/services/portal"
LAB = "script-to-shots"


def _page(school: Any, lab: str = LAB) -> str:
    return f"/classes/{school.the_class.id}/regrade/{lab}"


@pytest.fixture
def certified(school: Any, cells: Any) -> Any:
    """One trainee who completed the course and was given a certificate for it."""
    school.release(LAB)
    school.worked("liming", LAB, 40)
    for lab in (LAB, "first-take"):
        school.hand_in("liming", lab, lab.encode())
        school.grade(cells.auto(4))
    asked = claim_now(school, school.course, "liming", school.config.models_dir)
    school.certificate = school.certificates.request(asked)
    school.certificates.record_signed(school.certificate, b'{"proof": {}}', {})
    return school


def _ask(school: Any, post: Any, **change: str) -> Any:
    data = {"version": "a" * 64, "reason": "第 3 场的检查有误", **change}
    return post(school.client("wang"), _page(school), _page(school), data, follow_redirects=True)


def test_a_regrade_shows_who_asked_why_and_each_score_before_and_after(certified: Any, post: Any, cells: Any) -> None:
    assert "There has been none of this lab." in certified.client("wang").get(PREFIX + _page(certified)).text
    answer = _ask(certified, post)
    assert "1 attempts are graded again." in answer.text
    assert "0 of 1 attempts graded again" in answer.text
    assert "data-refresh=" in answer.text
    certified.grade(cells.auto(1, "", "Scene 3 was not found."))
    page = certified.client("wang").get(f"{PREFIX}{_page(certified)}/progress").text
    assert "1 of 1 attempts graded again" in page
    assert "data-refresh=" not in page
    assert "第 3 场的检查有误" in page
    assert "wang, " in page
    assert (
        '<th scope="row">李明<span class="small soft">liming</span></th><td class="num">4</td><td class="num">1</td>'
        in page
    )


def test_a_certificate_that_says_another_score_is_flagged_and_left_alone(certified: Any, post: Any, cells: Any) -> None:
    before = certified.certificates.for_holder("micro-drama:liming")
    _ask(certified, post)
    certified.grade(cells.auto(1))
    page = certified.client("wang").get(PREFIX + _page(certified)).text
    assert f"http://reel.example/certs/{certified.certificate}" in page
    assert '<td class="num">100%</td><td class="num">25%</td>' in page
    assert "no longer completed" in page
    assert "No certificate was altered." in page
    assert certified.certificates.for_holder("micro-drama:liming") == before
    assert before[0].state is State.ISSUED


def test_a_certificate_whose_scores_stand_or_that_is_revoked_is_not_flagged(
    certified: Any, post: Any, cells: Any
) -> None:
    _ask(certified, post)
    certified.grade(cells.auto(4))
    assert "every certificate still says what counts" in certified.client("wang").get(PREFIX + _page(certified)).text
    _ask(certified, post)
    certified.grade(cells.auto(2))
    assert certified.certificate in certified.client("wang").get(PREFIX + _page(certified)).text
    certified.certificates.revoke(certified.certificate, "issued from a wrong score")
    assert certified.certificate not in certified.client("wang").get(PREFIX + _page(certified)).text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": " "}, "Expected 1 to 500 characters, got 0."),
        ({"version": "b" * 64}, "Choose one from the list."),
    ],
)
def test_a_regrade_without_a_reason_or_of_an_unknown_version_is_refused(
    certified: Any, post: Any, change: dict[str, str], words: str
) -> None:
    answer = _ask(certified, post, **change)
    assert answer.status_code == 422
    assert words in answer.text
    assert certified.submissions.regrade_progress("micro-drama", LAB) is None


def test_only_who_leads_the_course_may_ask(certified: Any, post: Any) -> None:
    certified.people.put_person(Person("zhao", "赵老师", frozenset({"instructor"}), "main"))
    for name in ("liming", "zhao", "fund"):
        assert certified.client(name).get(PREFIX + _page(certified)).status_code == 403
        answer = post(certified.client(name), "/join", _page(certified), {"version": "a" * 64, "reason": "x"})
        assert answer.status_code == 403
    assert certified.client("root").get(PREFIX + _page(certified)).status_code == 200
    assert certified.client("wang").get(PREFIX + _page(certified, "no-such-lab")).status_code == 404
    token_less = certified.client("wang").post(PREFIX + _page(certified), data={"reason": "x", "version": "a" * 64})
    assert token_less.status_code == 400
    assert certified.submissions.regrade_progress("micro-drama", LAB) is None
