"""A second class for somebody who has an account: one seat, their own, and no guessing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hub.people.person import Person

PREFIX = "/services/portal"
ROSTER = "number,name\nB1,李明\nB2,张华\nB3,Ｌi  Ming\n"


@pytest.fixture
def second(school: Any) -> Any:
    """A class of another course, with seats for 李明 and others."""
    school.teach({"id": "sound", "title": {"zh": "声音设计", "en": "Sound design"}})
    cohort = school.people.create_cohort("sound", "main", "声音一班", date(2026, 11, 1), date(2026, 12, 31), "wang")
    school.people.import_roster(cohort.id, ROSTER.encode())
    return cohort


@pytest.fixture
def join(school: Any, post: Any) -> Any:
    def ask(code: str, number: str, name: str = "liming", lang: str = "en", **more: Any) -> Any:
        return post(school.client(name, lang), "/join", "/join", {"class_code": code, "number": number}, **more)

    return ask


def test_a_trainee_takes_a_seat_in_a_second_class(school: Any, second: Any, join: Any) -> None:
    spaced = f" {second.class_code[:4].lower()} {second.class_code[4:]} "
    page = join(spaced, "b1", follow_redirects=True).text
    assert "You have a seat in the class “声音一班” now." in page
    assert "Sound design" in page
    assert "AI micro-drama" in page
    assert school.people.courses_of("liming") == ("micro-drama", "sound")


def test_taking_the_same_seat_again_changes_nothing(school: Any, second: Any, join: Any) -> None:
    for _ in range(2):
        assert join(second.class_code, "B1").status_code == 303
    assert [seat.learner for seat in school.people.members(second.id)] == ["liming", None, None]


def test_the_seat_of_another_name_is_refused_without_saying_whose(school: Any, second: Any, join: Any) -> None:
    answer = join(second.class_code, "B2")
    assert answer.status_code == 422
    assert "another name at this number" in answer.text
    assert "张华" not in answer.text
    assert school.people.courses_of("liming") == ("micro-drama",)


def test_a_name_written_another_way_is_the_same_name(school: Any, second: Any, join: Any) -> None:
    school.people.put_person(Person("lm", "LI MING", frozenset({"trainee"}), "main"))
    assert join(second.class_code, "B3", "lm").status_code == 303


@pytest.mark.parametrize(
    ("code", "number", "field", "words"),
    [
        ("XXXXXXXX", "B1", "class_code", "There is no class of this code."),
        ("", "B1", "class_code", "Expected 1 to 40 characters, got 0."),
        (None, "B9", "number", "There is no seat of this number."),
        (None, "", "number", "Expected 1 to 40 characters, got 0."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    second: Any, join: Any, code: str | None, number: str, field: str, words: str
) -> None:
    answer = join(second.class_code if code is None else code, number)
    assert answer.status_code == 422
    assert f'id="{field}-problem">{words}' in answer.text


def test_a_seat_that_is_taken_or_a_second_one_is_refused(school: Any, second: Any, join: Any) -> None:
    school.people.put_person(Person("twin", "李明", frozenset({"trainee"}), "main"))
    school.people.claim_seat(second.class_code, "B1", "twin")
    assert "The seat of this number is taken." in join(second.class_code, "B1").text
    school.people.import_roster(school.the_class.id, "number,name\nA09,李明\n".encode())
    assert "You have a seat in this class already." in join(school.the_class.class_code, "A09").text


def test_refusals_speak_the_pages_language(second: Any, join: Any) -> None:
    assert "班级名册上没有这个编号" in join(second.class_code, "B9", lang="zh-CN").text


def test_guessing_is_slowed_down_for_the_guesser_alone(school: Any, second: Any, join: Any) -> None:
    school.trainee(school.the_class, "A02", "zhanghua")
    for number in range(8):
        assert "There is no seat" in join(second.class_code, f"C{number}").text
    page = join(second.class_code, "B1")
    assert page.status_code == 422
    assert "Too many tries. Wait" in page.text
    assert join(second.class_code, "B2", "zhanghua").status_code == 303
