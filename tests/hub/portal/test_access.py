"""Who may see what: checked on the server, page by page; a form needs the token of this browser."""

from __future__ import annotations

from typing import Any

import pytest

from hub.people.person import Person

PREFIX = "/services/portal"
PAGES = {
    "/": {"liming"},
    "/compute": {"liming", "wang", "fund", "root"},
    "/course/micro-drama/lab/script-to-shots": {"liming"},
    "/course/micro-drama/lab/script-to-shots/attempts": {"liming"},
    "/join": {"liming", "wang", "fund", "root"},
    "/classes": {"wang", "root"},
    "/funding": {"fund", "root"},
    "/funding.csv": {"fund", "root"},
    "/funding.json": {"fund", "root"},
    "/admin": {"root"},
}


@pytest.mark.parametrize("name", ["liming", "wang", "fund", "root"])
def test_a_page_answers_those_it_is_for_and_nobody_else(school: Any, name: str) -> None:
    client = school.client(name)
    for path, allowed in PAGES.items():
        answer = client.get(PREFIX + path)
        if name in allowed:
            assert answer.status_code == 200, path
        elif path == "/":
            assert answer.status_code == 302
        else:
            assert answer.status_code == 403, path
            assert "This is not yours to see" in answer.text


def test_somebody_signed_out_is_sent_to_sign_in_and_back(school: Any) -> None:
    answer = school.client(None).get(f"{PREFIX}/compute")
    assert answer.location == f"/hub/login?next={PREFIX}/compute"


def test_a_name_on_no_list_is_told_so(school: Any) -> None:
    answer = school.client("stranger").get(f"{PREFIX}/")
    assert answer.status_code == 403
    assert "Not on any list yet" in answer.text


def test_an_instructor_of_another_course_cannot_open_the_class(school: Any) -> None:
    school.people.put_person(Person("zhao", "赵老师", frozenset({"instructor"}), "main"))
    answer = school.client("zhao").get(f"{PREFIX}/classes/{school.the_class.id}")
    assert answer.status_code == 403
    assert "led by others" in answer.text


def test_a_form_without_this_browsers_token_changes_nothing(school: Any) -> None:
    client, here = school.client("root"), f"/classes/{school.the_class.id}"
    for path in ("/classes", "/join", f"{here}/roster", f"{here}/grant", "/admin/invite", "/funding"):
        answer = client.post(PREFIX + path, data={"form_token": "x"})
        assert answer.status_code == 400, path
        assert "came from another page" in answer.text


def test_an_unknown_class_course_or_lab_is_not_there(school: Any) -> None:
    assert school.client("root").get(f"{PREFIX}/classes/none").status_code == 404
    assert school.client("liming").get(f"{PREFIX}/course/micro-drama/lab/none").status_code == 404
    assert school.client("liming").get(f"{PREFIX}/none").status_code == 404


def test_every_page_forbids_foreign_scripts_frames_and_caches(school: Any) -> None:
    headers = school.client("liming").get(f"{PREFIX}/").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_portal_says_it_is_up_without_anybody_signed_in(school: Any) -> None:
    assert school.client(None).get(f"{PREFIX}/health").status_code == 200


def test_a_name_with_markup_is_shown_as_text(school: Any) -> None:
    roster = "number,name\nX1,<script>alert(1)</script>\n"
    school.people.import_roster(school.the_class.id, roster.encode())
    page = school.client("wang").get(f"{PREFIX}/classes/{school.the_class.id}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
