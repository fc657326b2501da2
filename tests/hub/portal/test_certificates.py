"""What a trainee decides about their certificates, and what an instructor corrects, against a real issuer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from certs.app import create_app as public_pages
from certs.certificate import IssuerProfile, Text
from certs.issue import issue_pending, refresh_lists

PREFIX = "/services/portal"
SCRIPT = "micro-drama"
BASE = "http://reel.example/certs"
PROFILE = IssuerProfile(f"{BASE}/issuer", Text("样片培训中心", "Sample Training Centre"), BASE)
MINE = "/certificates"


@pytest.fixture
def held(steward: Any) -> Any:
    """The steward of a class in which ``liming`` holds a certificate."""
    steward.profile = PROFILE
    steward.completes(SCRIPT, "liming")
    steward.round()
    steward.id = steward.held("liming", SCRIPT).id
    steward.public = public_pages(steward.store, PROFILE).test_client()
    steward.page = f"/classes/{steward.world.the_class.id}/certificates"
    return steward


def _public(held: Any, path: str) -> Any:
    return held.public.get(f"/certs/{path}?lang=en")


def _act(held: Any, post: Any, what: str, who: str = "liming", **data: str) -> Any:
    return post(held.world.client(who), MINE, f"{MINE}/{held.id}/{what}", data, follow_redirects=True)


def test_every_form_and_what_is_on_it_is_one_click_away(held: Any) -> None:
    page = held.world.client("liming").get(PREFIX + MINE).text
    for form in ("", ".pdf", ".png", ".svg", ".json"):
        assert f'href="http://reel.example/certs/{held.id}{form}"' in page
    assert "李明" in page
    assert "Valid until" in page
    assert '<span class="chip done">Valid</span>' in page


def test_the_holder_pauses_and_resumes_the_address(held: Any, post: Any) -> None:
    page = _act(held, post, "pause").text
    assert "Paused by the holder" in page
    assert _public(held, held.id).status_code == 403
    assert "Paused by you" in held.world.client("liming").get(f"{PREFIX}/").text
    assert "The address shows the certificate again." in _act(held, post, "resume").text
    assert _public(held, held.id).status_code == 200


def test_an_address_without_name_and_scores_is_given_out_and_ended(held: Any, post: Any) -> None:
    page = _act(held, post, "share", hide_name="1", hide_score="1").text
    (token,) = set(re.findall(r"http://reel\.example/certs/s/([0-9a-f]{32})", page))
    assert "without name and scores" in page
    shown = _public(held, f"s/{token}").text
    assert "李明" not in shown
    assert "AI micro-drama" in shown
    assert "100" not in re.sub(r"<[^>]+>", "", shown).replace("100 ", "")
    assert token not in _act(held, post, "end", token=token).text
    assert _public(held, f"s/{token}").status_code == 404


def test_what_is_left_out_is_the_holders_choice(held: Any, post: Any) -> None:
    assert "without the name" in _act(held, post, "share", hide_name="1").text
    assert "without scores" in _act(held, post, "share", hide_score="1").text
    assert "with everything, but no files" in _act(held, post, "share").text


@pytest.mark.parametrize("what", ["pause", "resume", "share", "end"])
def test_nobody_decides_for_another_holder(held: Any, post: Any, what: str) -> None:
    held.world.trainee(held.world.the_class, "A02", "zhanghua")
    assert _act(held, post, what, who="zhanghua").status_code == 404
    assert held.store.by_id(held.id).paused_us is None
    assert held.store.shares(held.id) == ()
    assert held.id not in held.world.client("zhanghua").get(PREFIX + MINE).text


def test_a_name_is_asked_for_confirmed_and_carried_into_a_new_edition(held: Any, post: Any) -> None:
    trainee, teacher = held.world.client("liming"), held.world.client("wang")
    asked = post(trainee, MINE, f"{MINE}/name", {"wanted": "黎明"}, follow_redirects=True)
    assert "You asked for 黎明" in asked.text
    assert held.world.people.person("liming").full_name == "李明", "nothing changes until it is confirmed"
    page = teacher.get(PREFIX + held.page).text
    assert "<s>李明</s> → <strong>黎明</strong>" in page
    asked_us = re.search(r'name="asked_us" value="(\d+)"', page)
    assert asked_us
    data = {"learner": "liming", "asked_us": asked_us[1], "confirm": "1"}
    done = post(teacher, held.page, f"{held.page}/name", data, follow_redirects=True)
    assert "1 certificates are issued again" in done.text
    issue_pending(held.store, held.key, PROFILE)
    assert "黎明" in _public(held, held.held("liming", SCRIPT).id).text
    old = _public(held, held.id).text
    assert "Superseded" in old
    assert held.held("liming", SCRIPT).id in old
    assert "黎明" in str(held.world.people.members(held.world.the_class.id))
    again = post(teacher, held.page, f"{held.page}/name", data, follow_redirects=True)
    assert "decided already" in again.text


def test_a_declined_name_changes_nothing_and_the_trainee_is_told(held: Any, post: Any) -> None:
    trainee, teacher = held.world.client("liming"), held.world.client("wang")
    post(trainee, MINE, f"{MINE}/name", {"wanted": "黎明"})
    request = held.world.people.name_request("liming")
    data = {"learner": "liming", "asked_us": str(request.asked_us), "decline": "1"}
    assert "Declined" in post(teacher, held.page, f"{held.page}/name", data, follow_redirects=True).text
    assert "was declined" in trainee.get(PREFIX + MINE).text
    assert held.world.people.person("liming").full_name == "李明"


@pytest.mark.parametrize("wanted", ["", "李明", "a<script>", "Nаdia", "x" * 200, "李\u202e明"])
def test_a_name_no_certificate_may_carry_is_refused(held: Any, post: Any, wanted: str) -> None:
    answer = post(held.world.client("liming"), MINE, f"{MINE}/name", {"wanted": wanted})
    assert answer.status_code == 422
    assert "Expected another name than now" in answer.text
    assert held.world.people.name_request("liming") is None


def test_the_instructor_revokes_with_a_reason_that_everybody_reads(held: Any, post: Any) -> None:
    teacher = held.world.client("wang")
    to = f"{held.page}/{held.id}/revoke"
    assert post(teacher, held.page, to, {"reason": " "}).status_code == 422
    assert held.store.by_id(held.id).revoked_us is None
    done = post(teacher, held.page, to, {"reason": "评分有误 graded by mistake"}, follow_redirects=True)
    assert "the signed list within a minute" in done.text
    assert "graded by mistake" in _public(held, held.id).text
    assert "graded by mistake" in held.world.client("liming").get(PREFIX + MINE).text
    assert refresh_lists(held.store, held.key, PROFILE) >= 1


def test_an_identity_number_is_bound_once_and_its_code_shown_once(held: Any, post: Any) -> None:
    teacher = held.world.client("wang")
    answer = post(teacher, held.page, f"{held.page}/{held.id}/identity", {"number": "11010119900307123X"})
    (opening,) = re.findall(r'<p class="code box">([0-9a-f]{32})</p>', answer.text)
    assert "11010119900307123X" not in answer.text
    assert opening not in teacher.get(PREFIX + held.page).text
    issue_pending(held.store, held.key, PROFILE)
    newest = held.held("liming", SCRIPT).id
    data = {"number": "11010119900307123x", "opening": opening}
    assert "Yes: this number" in held.public.post(f"/certs/{newest}/identity?lang=en", data=data).text
    assert "only with your code" in held.world.client("liming").get(PREFIX + MINE).text
    held.store.revoke(newest, "lost")
    assert post(teacher, held.page, f"{held.page}/{newest}/identity", {"number": "1"}).status_code == 404


def test_the_class_page_shows_progress_until_the_issuer_is_done(held: Any, post: Any) -> None:
    teacher = held.world.client("wang")
    done = post(teacher, held.page, f"{held.page}/{held.id}/reissue", {}, follow_redirects=True)
    assert "Asked for again" in done.text
    assert "0 of 1 certificates signed" in done.text
    assert "data-refresh=" in done.text
    issue_pending(held.store, held.key, PROFILE)
    part = teacher.get(f"{PREFIX}{held.page}/progress").text
    assert "data-reload" in part
    assert "data-refresh=" not in part
    for what in ("issue", "again"):
        answer = post(teacher, held.page, f"{held.page}/{what}", {}, follow_redirects=True)
        assert "0 certificates asked for." in answer.text


@pytest.mark.parametrize("who", ["liming", "fund"])
def test_only_those_who_run_the_class_reach_its_certificates(held: Any, who: str) -> None:
    assert held.world.client(who).get(PREFIX + held.page).status_code == 403


def test_a_certificate_of_another_class_is_not_there(held: Any, post: Any) -> None:
    other = held.world.people.create_cohort(
        SCRIPT, "main", "冬季班", held.world.the_class.starts, held.world.the_class.ends, "wang"
    )
    page = f"/classes/{other.id}/certificates"
    teacher = held.world.client("wang")
    for what in ("revoke", "reissue", "identity"):
        data = {"reason": "x", "number": "1"}
        assert post(teacher, held.page, f"{page}/{held.id}/{what}", data).status_code == 404
    assert held.store.by_id(held.id).revoked_us is None


def test_a_name_nobody_can_certify_is_told_to_the_instructor(steward: Any) -> None:
    steward.world.people.import_roster(steward.world.the_class.id, b"number,name\nA01,Li Ming 3\n")
    steward.completes(SCRIPT, "liming")
    steward.round()
    page = steward.world.client("wang").get(f"{PREFIX}/classes/{steward.world.the_class.id}").text
    assert "holder_name: got the characters U+0033" in page
