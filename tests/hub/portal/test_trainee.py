"""What a trainee sees: where they stand, what a lab costs, what is left, and what an attempt was given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from grader.receipt import is_ours
from grader.submission import Receipt

PREFIX = "/services/portal"
LAB = f"{PREFIX}/course/micro-drama/lab/script-to-shots"
NOTEBOOK = "/user/liming/lab/tree/micro-drama/script-to-shots/script-to-shots.ipynb"


def _home(school: Any, name: str = "liming") -> str:
    return school.client(name).get(f"{PREFIX}/").text


def _links(page: str, start: str) -> list[str]:
    return [part.split('"')[0].replace("&amp;", "&") for part in page.split('href="')[1:] if part.startswith(start)]


def test_the_first_page_says_what_comes_next_when_it_is_due_and_what_it_costs(school: Any) -> None:
    page = _home(school)
    assert "Next for you" in page
    assert "Wed 11 Nov 2026, 23:59" in page
    assert "in 6 days" in page
    assert "¥0.50, all of it paid by the subsidy" in page
    assert "¥60.00</strong> left of ¥60.00" in page


def test_one_click_starts_the_lab_and_goes_on_to_its_notebook(school: Any) -> None:
    start = urlsplit(_links(_home(school), "/hub/spawn/")[0])
    assert start.path == "/hub/spawn/liming"
    assert parse_qs(start.query) == {
        "opt-lab": ["script-to-shots"],
        "opt-course": ["micro-drama"],
        "opt-profile": ["cpu"],
        "next": [NOTEBOOK],
    }


def test_the_page_goes_on_with_the_lab_that_was_worked_on_last(school: Any) -> None:
    school.worked("liming", "first-take", 20)
    page = _home(school)
    assert "Continue where you left off" in page
    assert _links(page, "/hub/spawn/")[0].startswith("/hub/spawn/liming?opt-lab=first-take")


def test_a_lab_that_has_not_opened_says_when_it_does(school: Any) -> None:
    school.now_us -= 10 * 86_400_000_000
    page = _home(school)
    assert "Opens Sun 1 Nov 2026, 00:00" in page
    assert "/hub/spawn/" not in page


def test_a_lab_that_nobody_began_before_it_closed_is_not_offered(school: Any) -> None:
    school.now_us += 12 * 86_400_000_000
    page = _home(school)
    assert _links(page, "/hub/spawn/")  # late work is taken for three days more
    school.now_us += 3 * 86_400_000_000
    assert "Next for you" in _home(school)  # the second lab, which is open still
    page = school.client("liming").get(LAB).text
    assert "Closed since Sun 15 Nov 2026, 00:09" in page
    assert "/hub/spawn/" not in page
    school.now_us += 20 * 86_400_000_000
    page = _home(school)
    assert "Closed before you began them: 2 labs." in page
    assert "You have handed in every lab" not in page


@pytest.mark.parametrize(("sessions", "words"), [(19, "More than half"), (26, "More than 70%"), (30, "More than 80%")])
def test_what_is_left_is_said_in_words_as_it_runs_out(school: Any, sessions: int, words: str) -> None:
    for number in range(sessions):
        school.worked("liming", "script-to-shots", 200, number + 1)
    assert words in _home(school)


def test_a_start_that_cannot_be_paid_is_not_offered(school: Any) -> None:
    for number in range(35):
        school.worked("liming", "script-to-shots", 200, number + 1)
    page = _home(school)
    assert "short of what a session may use at most" in page
    assert "/hub/spawn/" not in page


def test_every_session_is_listed_with_its_charge_and_who_paid(school: Any) -> None:
    school.worked("liming", "script-to-shots", 42)
    page = school.client("liming").get(f"{PREFIX}/compute").text
    assert "42 min" in page
    assert "¥0.35" in page
    assert "Script to shots" in page


def test_the_rubric_is_there_before_anything_is_handed_in(school: Any) -> None:
    page = school.client("liming").get(LAB).text
    assert "Nothing handed in yet." in page
    assert "A question within ten seconds that must be answered." in page


def test_a_queued_attempt_has_its_receipt_and_asks_the_page_to_refresh(school: Any) -> None:
    sent = school.hand_in("liming", "script-to-shots")
    page = school.client("liming").get(LAB).text
    assert sent.sha256 in page
    assert f'data-refresh="{LAB}/attempts"' in page
    assert "Submitted, in the queue" in page


def test_a_graded_attempt_shows_every_part_with_its_reason(school: Any, cells: Any) -> None:
    school.hand_in("liming", "first-take")
    school.grade(cells.auto(3, "少一个镜头。", "One shot is missing."))
    page = school.client("liming").get(LAB.replace("script-to-shots", "first-take")).text
    assert "One shot is missing." in page
    assert "3</strong> / 4" in page
    assert "data-refresh" not in page
    assert "Graded" in _home(school)


def test_marks_given_by_hand_stay_hidden_until_they_are_released(school: Any, cells: Any) -> None:
    school.hand_in("liming", "script-to-shots")
    school.grade(cells.auto(4), cells.essay())
    school.mark("liming", "script-to-shots", 3, "The hook is clear.")
    for page in (school.client("liming").get(LAB).text, _home(school)):
        assert "The hook is clear." not in page
        assert "7</strong>" not in page
        assert "4</strong> / 4" in page
    school.submissions.release_feedback("micro-drama", "script-to-shots", "liming", released_by="wang")
    assert "The hook is clear." in school.client("liming").get(LAB).text
    assert "7</strong> / 8" in _home(school)


def test_a_late_attempt_says_what_lateness_cost(school: Any, cells: Any) -> None:
    school.hand_in("liming", "first-take", late_us=3_600_000_000)
    school.grade(cells.auto(4))
    page = school.client("liming").get(LAB.replace("script-to-shots", "first-take")).text
    assert "10% of the points are taken off" in page
    assert "3.6</strong> / 4" in page


def test_a_failure_of_ours_says_so_and_costs_no_attempt(school: Any) -> None:
    school.hand_in("liming", "script-to-shots")
    for _ in range(3):
        school.now_us += 3_600_000_000
        claim = school.submissions.claim("worker-0")
        school.submissions.give_back(claim, "磁盘已满", "the disk is full")
    page = school.client("liming").get(LAB).text
    assert "Grading failed, not your fault" in page
    assert "5 of 5 left" in page


def test_feedback_is_the_learners_own_and_runs_nothing(school: Any, cells: Any) -> None:
    school.trainee(school.the_class, "A02", "zhanghua")
    sent = school.hand_in("liming", "script-to-shots")
    school.grade(cells.auto(4), cells.essay())
    answer = school.client("liming").get(f"{LAB}/feedback/{sent.id}")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert school.client("zhanghua").get(f"{LAB}/feedback/{sent.id}").status_code == 404


def test_the_signed_receipt_is_a_file_that_its_key_confirms(school: Any) -> None:
    school.trainee(school.the_class, "A02", "zhanghua")
    sent = school.hand_in("liming", "script-to-shots")
    address = f"{LAB}/receipt/{sent.id}.json"
    assert f'href="{address}"' in school.client("liming").get(LAB).text
    answer = school.client("liming").get(address)
    assert answer.headers["Content-Disposition"].endswith('filename="micro-drama--script-to-shots--attempt-1.json"')
    receipt, key = Receipt(**answer.json["receipt"]), school.receipt_key.public_key()
    assert receipt.sha256 == sent.sha256
    assert is_ours(receipt, answer.json["signature"], key)
    assert not is_ours(replace(receipt, late_us=1), answer.json["signature"], key)
    assert school.client("zhanghua").get(address).status_code == 404


def test_a_trainee_sees_no_attempt_of_another(school: Any, cells: Any) -> None:
    school.trainee(school.the_class, "A02", "zhanghua")
    sent = school.hand_in("liming", "script-to-shots")
    school.grade(cells.auto(4), cells.essay())
    assert sent.sha256 not in school.client("zhanghua").get(LAB).text


def test_a_home_page_asks_few_questions_of_the_database(busy: Any, count_queries: Any) -> None:
    client = busy.client("liming")
    with count_queries() as asked:
        client.get(f"{PREFIX}/")
    assert len(asked) < 36, asked
