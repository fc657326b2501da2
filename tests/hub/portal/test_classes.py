"""What an instructor does: opens a class, imports its roster, sees it on one page, extends, grants and releases."""

from __future__ import annotations

import io
from typing import Any

import pytest

from hub.award import claim_now
from hub.compute.lease import DAY_US
from hub.people.person import Person

PREFIX = "/services/portal"
NEW = {"course": "micro-drama", "title": "冬季班", "starts": "2026-12-01", "ends": "2027-01-31"}


def _class(school: Any) -> str:
    return f"/classes/{school.the_class.id}"


def test_a_new_class_has_a_code_to_read_out(school: Any, post: Any) -> None:
    client = school.client("wang")
    answer = post(client, "/classes", "/classes", NEW)
    assert answer.status_code == 303
    made = next(cohort for cohort in school.people.cohorts() if cohort.title == "冬季班")
    page = client.get(answer.location).text
    assert f"{made.class_code[:4]} {made.class_code[4:]}" in page
    assert "Import its roster next" in page


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("course", "cooking", "Choose one from the list."),
        ("title", "", "Expected 1 to 100 characters, got 0."),
        ("starts", "1.12.2026", "Got “1.12.2026”, expected a day as YYYY-MM-DD."),
        ("ends", "2026-11-01", "The last day lies before the first one."),
    ],
)
def test_a_wrong_field_is_named_and_what_was_typed_stays(
    school: Any, post: Any, field: str, typed: str, words: str
) -> None:
    answer = post(school.client("wang"), "/classes", "/classes", {**NEW, field: typed})
    assert answer.status_code == 422
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text
    if field != "title":
        assert 'value="冬季班"' in answer.text
    assert [cohort.title for cohort in school.people.cohorts()] == ["2026 秋季一班"]


def test_a_roster_is_reported_row_by_row(school: Any, post: Any) -> None:
    roster = "number,name\nA03,王芳\nA04,\nA01,李明\n".encode()
    files = {"roster": (io.BytesIO(roster), "roster.csv")}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/roster", files)
    assert answer.status_code == 200
    assert "1 added, 0 corrected, 1 as they were, 1 refused." in answer.text
    assert "王芳" in answer.text
    assert len(school.people.members(school.the_class.id)) == 3


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"name\nx\n"])
def test_a_file_that_is_no_roster_is_refused_whole(school: Any, post: Any, content: bytes) -> None:
    files = {"roster": (io.BytesIO(content), "roster.csv")}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/roster", files)
    assert answer.status_code == 422
    assert 'id="roster-problem"' in answer.text
    assert len(school.people.members(school.the_class.id)) == 2


def test_a_file_over_the_limit_is_refused_before_it_is_read(school: Any, post: Any) -> None:
    files = {"roster": (io.BytesIO(b"x" * 3_000_000), "roster.csv")}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/roster", files)
    assert answer.status_code == 413
    assert "That file is too large" in answer.text


def test_the_class_is_on_one_page(busy: Any) -> None:
    page = busy.client("wang").get(PREFIX + _class(busy)).text
    assert "7 <small>of 9 on the roster" in page
    assert "/services/formgrader-micro-drama/formgrader/gradebook/script-to-shots" in page
    assert page.count("not signed up yet") == 2
    assert "Submitted, in the queue" in page
    assert "7 h 21 min" in page
    assert "¥3.67" in page


def test_a_learner_who_met_the_rule_is_shown_as_completed(school: Any, cells: Any) -> None:
    school.worked("liming", "script-to-shots", 40)
    school.hand_in("liming", "script-to-shots", b"1")
    school.grade(cells.auto(4), cells.essay())
    school.mark("liming", "script-to-shots", 4, "")
    school.hand_in("liming", "first-take", b"2")
    school.grade(cells.auto(4))
    page = school.client("wang").get(PREFIX + _class(school)).text
    assert '<span class="chip done">Completed</span>' in page
    assert "100%" in page


def test_a_refused_certificate_tells_the_instructor_why(school: Any, cells: Any) -> None:
    school.worked("liming", "script-to-shots", 40)
    for lab, cell in (("script-to-shots", cells.auto(4)), ("first-take", cells.auto(4))):
        school.hand_in("liming", lab, lab.encode())
        school.grade(cell)
    page = school.client("wang").get(PREFIX + _class(school)).text
    assert "Certificate refused" not in page
    asked = claim_now(school, school.course, "liming", school.config.models_dir)
    school.certificates.record_refused(school.certificates.request(asked), "holder_name: got <b>x</b>, expected a name")
    page = school.client("wang").get(PREFIX + _class(school)).text
    assert "Certificate refused" in page
    assert "holder_name: got &lt;b&gt;x&lt;/b&gt;, expected a name" in page
    assert "holder_name" not in school.client("liming").get(f"{PREFIX}/").text


def test_an_extension_moves_the_trainees_deadline(school: Any, post: Any) -> None:
    data = {"learner": "liming", "lab": "script-to-shots", "until": "2026-11-20T18:00"}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/extend", data, follow_redirects=True)
    assert "Script to shots may be handed in until Fri 20 Nov 2026, 18:00 by 李明." in answer.text
    assert "Fri 20 Nov 2026, 18:00" in school.client("liming").get(f"{PREFIX}/").text


def test_an_extension_gives_back_what_lateness_cost_before_it(school: Any, post: Any, cells: Any) -> None:
    school.hand_in("liming", "script-to-shots", late_us=DAY_US)
    school.grade(cells.auto(4))
    (before,) = school.submissions.attempts("micro-drama", "script-to-shots", "liming")
    assert before.result.late_percent == 10
    school.submissions.posted(school.submissions.to_show("micro-drama", "script-to-shots", "liming"))
    assert school.submissions.unposted() == ()
    data = {"learner": "liming", "lab": "script-to-shots", "until": "2026-11-20T18:00"}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/extend", data, follow_redirects=True)
    assert "given back (attempts: 1)" in answer.text
    (after,) = school.submissions.attempts("micro-drama", "script-to-shots", "liming")
    assert after.result.late_percent == 0
    assert after.submission == before.submission, "what the receipt says stays"
    assert school.submissions.unposted() == (("micro-drama", "script-to-shots", "liming"),)
    again = post(school.client("wang"), _class(school), f"{_class(school)}/extend", data, follow_redirects=True)
    assert "given back" not in again.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"until": "2026-11-01T18:00"}, "This moment is past."),
        ({"until": "soon"}, "Got “soon”, expected a day and a time."),
        ({"learner": "wang"}, "Choose one from the list."),
        ({"lab": "none"}, "Choose one from the list."),
    ],
)
def test_an_extension_that_makes_no_sense_is_refused(
    school: Any, post: Any, change: dict[str, str], words: str
) -> None:
    data = {"learner": "liming", "lab": "script-to-shots", "until": "2026-11-20T18:00", **change}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/extend", data)
    assert answer.status_code == 422
    assert words in answer.text


def test_more_allowance_reaches_everybody_of_the_class_once(school: Any, post: Any) -> None:
    school.trainee(school.the_class, "A02", "zhanghua")
    data = {"learner": "*", "yuan": "12.50", "why": "长片段练习", "once": "abc"}
    for _ in range(2):
        answer = post(school.client("wang"), _class(school), f"{_class(school)}/grant", data, follow_redirects=True)
    assert "¥12.50 more for 2 trainees." in answer.text
    for name in ("liming", "zhanghua"):
        assert school.ledger.account(name, "micro-drama").granted_uy == 12_500_000


@pytest.mark.parametrize("typed", ["0", "-5", "NaN", "1e9", "12.345", "", "twelve"])
def test_a_sum_that_is_none_is_refused(school: Any, post: Any, typed: str) -> None:
    data = {"learner": "liming", "yuan": typed, "why": "x", "once": "abc"}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/grant", data)
    assert answer.status_code == 422
    assert "expected an amount in yuan" in answer.text
    assert school.ledger.account("liming", "micro-drama").granted_uy == 0


def test_released_feedback_reaches_the_trainee(school: Any, post: Any, cells: Any) -> None:
    school.hand_in("liming", "script-to-shots")
    school.grade(cells.auto(4), cells.essay())
    school.mark("liming", "script-to-shots", 3, "The hook is clear.")
    data = {"learner": "*", "lab": "script-to-shots"}
    answer = post(school.client("wang"), _class(school), f"{_class(school)}/release", data, follow_redirects=True)
    assert "Feedback on Script to shots: 1 released." in answer.text
    lab = school.client("liming").get(f"{PREFIX}/course/micro-drama/lab/script-to-shots").text
    assert "The hook is clear." in lab


def test_an_instructor_without_a_course_is_told_whom_to_ask(school: Any) -> None:
    school.people.put_person(Person("zhao", "赵老师", frozenset({"instructor"}), "main"))
    page = school.client("zhao").get(f"{PREFIX}/classes").text
    assert "Ask an administrator for an invitation" in page


def test_a_lab_more_costs_the_class_page_no_query_more(busy: Any, count_queries: Any) -> None:
    def asked() -> int:
        client = busy.client("wang")
        with count_queries() as statements:
            assert client.get(PREFIX + _class(busy)).status_code == 200
        return len(statements)

    before = asked()
    labs = busy.course.model_dump()["labs"]
    busy.teach({"labs": [*labs, {**labs[1], "id": "second-take"}, {**labs[1], "id": "third-take"}]})
    assert asked() == before
