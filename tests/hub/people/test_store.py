"""Cohorts, seats, roles and one-time codes, on a real database."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from hub.people.person import (
    CLASS_CODE_ALPHABET,
    InvitationRefused,
    PeopleError,
    Person,
    RosterError,
    SeatRefused,
    Site,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    from hub.people.person import Cohort
    from hub.people.store import PeopleStore

    class Clock(Protocol):
        now: int


HOUR_US = 3_600_000_000


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def refusal(people: PeopleStore, code: str, number: str, name: str) -> SeatRefused:
    with pytest.raises(SeatRefused) as refused:
        people.enrol(code, number, name)
    return refused.value


def test_a_newcomer_takes_the_seat_under_the_rosters_name(people: PeopleStore, cohort: Cohort) -> None:
    typed = f" {cohort.class_code[:4].lower()}-{cohort.class_code[4:]} "
    member = people.enrol(typed, " ａ01 ", "lilei", locale="zh_CN")
    assert (member.full_name, member.learner) == ("李雷", "lilei")
    assert people.person("lilei") == Person("lilei", "李雷", frozenset({"trainee"}), "east", "zh_CN")
    assert people.courses_of("lilei") == ("micro-drama",)
    assert people.cohorts_of("lilei") == (cohort,)
    assert people.groups_of("lilei") == {"nbgrader-micro-drama", f"cohort-{cohort.id}"}


def test_every_refusal_of_a_seat_names_nobody(people: PeopleStore, cohort: Cohort) -> None:
    people.enrol(cohort.class_code, "A01", "lilei")
    refused = [
        refusal(people, "AAAAAAAA", "A02", "x1"),
        refusal(people, cohort.class_code, "Z99", "x1"),
        refusal(people, cohort.class_code, "A01", "x1"),
    ]
    assert [one.code for one in refused] == ["class-code", "number", "seat-taken"]
    for one in refused:
        assert one.en.endswith("Check it with your instructor.")
        assert one.zh.endswith("请与班级教师核对。")
        assert not [name for name in ("李雷", "韩梅梅", "lilei") if name in one.zh + one.en]
    assert people.person("x1") is None


@pytest.mark.parametrize("name", ["teacher", "Lilei", "a", "-a", "a b", "a" * 64, "管理员"])
def test_a_name_that_is_taken_or_not_allowed_leaves_the_seat_free(
    people: PeopleStore, cohort: Cohort, name: str
) -> None:
    assert refusal(people, cohort.class_code, "A01", name).code == "name"
    assert people.person("teacher").roles == {"instructor"}
    assert people.members(cohort.id)[0].learner is None


def test_a_name_in_use_elsewhere_is_refused_only_to_those_with_a_seat(people: PeopleStore, cohort: Cohort) -> None:
    with pytest.raises(SeatRefused) as unknown:
        people.enrol("AAAAAAAA", "A01", "root1", name_taken=True)
    with pytest.raises(SeatRefused) as known:
        people.enrol(cohort.class_code, "A01", "root1", name_taken=True)
    assert (unknown.value.code, known.value.code) == ("class-code", "name")


def test_of_twenty_who_ask_for_one_seat_at_once_one_gets_it(people: PeopleStore, cohort: Cohort) -> None:
    def ask(name: str) -> bool:
        try:
            people.enrol(cohort.class_code, "A01", name)
        except SeatRefused:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        got = list(pool.map(ask, [f"asker{n}" for n in range(20)]))
    assert sum(got) == 1
    assert [member.learner for member in people.members(cohort.id)] == [f"asker{got.index(True)}", None]
    assert len(people.people("trainee")) == 1


def test_somebody_with_an_account_joins_a_second_class(people: PeopleStore, cohort: Cohort) -> None:
    other = people.create_cohort("sound", "east", "声音班", date(2026, 12, 1), date(2027, 1, 1), "teacher")
    people.import_roster(other.id, "number,name\n77,李雷\n".encode())
    people.enrol(cohort.class_code, "A01", "lilei")
    assert people.claim_seat(other.class_code, "77", "lilei").learner == "lilei"
    assert people.claim_seat(other.class_code, "77", "lilei").learner == "lilei"
    assert people.courses_of("lilei") == ("micro-drama", "sound")
    with pytest.raises(SeatRefused) as refused:
        people.claim_seat(cohort.class_code, "A02", "lilei")
    assert refused.value.code == "second-seat"
    with pytest.raises(KeyError):
        people.claim_seat(cohort.class_code, "A02", "nobody")


def test_a_freed_seat_can_be_taken_by_its_owner(people: PeopleStore, cohort: Cohort) -> None:
    people.enrol(cohort.class_code, "A01", "impostor")
    people.free_seat(cohort.id, "a01")
    assert people.groups_of("impostor") == frozenset()
    assert people.enrol(cohort.class_code, "A01", "lilei").learner == "lilei"


def test_a_second_roster_reports_row_by_row_and_removes_nobody(people: PeopleStore, cohort: Cohort) -> None:
    people.enrol(cohort.class_code, "A01", "lilei")
    report = people.import_roster(
        cohort.id, "学号,姓名,邮箱\nA01,李磊,\nA03,林涛,l@example.org\nA04,\nA02,韩梅梅,\n".encode()
    )
    assert [(row.line, row.outcome) for row in report.rows] == [
        (2, "updated"),
        (3, "added"),
        (4, "refused"),
        (5, "unchanged"),
    ]
    assert (report.added, report.updated, report.unchanged, report.refused) == (1, 1, 1, 1)
    assert [member.full_name for member in people.members(cohort.id)] == ["李磊", "韩梅梅", "林涛"]
    assert people.person("lilei").full_name == "李磊"


def test_an_unreadable_roster_changes_nothing(people: PeopleStore, cohort: Cohort) -> None:
    before = people.members(cohort.id)
    with pytest.raises(RosterError):
        people.import_roster(cohort.id, b"who,what\n1,2\n")
    with pytest.raises(KeyError):
        people.import_roster("no-such-cohort", b"number,name\n1,a\n")
    assert people.members(cohort.id) == before


def test_class_codes_are_unambiguous_and_differ(people: PeopleStore, cohort: Cohort) -> None:
    other = people.create_cohort("micro-drama", "east", "春季班", date(2027, 3, 1), date(2027, 6, 1), "teacher")
    assert other.class_code != cohort.class_code
    for code in (cohort.class_code, other.class_code):
        assert len(code) == 8
        assert set(code) <= set(CLASS_CODE_ALPHABET)
    assert people.cohort_by_code(cohort.class_code.lower()) == cohort
    assert people.cohort_by_code("") is None
    assert people.cohorts("micro-drama") == (other, cohort)
    assert people.cohort(cohort.id) == cohort


@pytest.mark.parametrize(
    ("title", "ends"), [("", date(2027, 1, 1)), ("a\nb", date(2027, 1, 1)), ("班", date(2026, 1, 1))]
)
def test_a_cohort_without_title_or_with_dates_reversed_is_refused(people: PeopleStore, title: str, ends: date) -> None:
    with pytest.raises(ValueError):
        people.create_cohort("micro-drama", "east", title, date(2026, 11, 2), ends, "teacher")


def test_who_leads_what(people: PeopleStore, cohort: Cohort) -> None:
    people.put_person(Person("boss", "管理员", frozenset({"admin"}), "east"))
    people.put_person(Person("guest", "外聘", frozenset({"instructor", "funder"}), "east"))
    assert people.instructors("micro-drama") == ("teacher",)
    assert people.cohorts_led_by("teacher") == (cohort,)
    assert people.cohorts_led_by("boss") == (cohort,)
    assert people.cohorts_led_by("guest") == ()
    people.add_instructor("micro-drama", "guest")
    people.add_instructor("micro-drama", "guest")
    assert people.courses_led_by("guest") == ("micro-drama",)
    assert people.groups_of("teacher") == {"formgrade-micro-drama", "staff"}
    assert people.groups_of("guest") == {"formgrade-micro-drama", "staff", "funders"}
    assert people.groups_of("boss") == {"staff"}
    assert people.groups_of("nobody") == frozenset()
    with pytest.raises(KeyError):
        people.add_instructor("micro-drama", "nobody")


def test_roles_for_the_whole_site_are_replaced_and_those_for_a_course_kept(people: PeopleStore) -> None:
    people.put_person(Person("teacher", "王老师", frozenset({"admin"}), "east", "en"))
    assert people.person("teacher").roles == {"admin", "instructor"}
    assert people.courses_led_by("teacher") == ("micro-drama",)
    people.put_person(Person("teacher", "王老师", frozenset(), "east"))
    assert people.person("teacher").roles == {"instructor"}
    people.set_locale("teacher", "en")
    assert people.person("teacher").locale == "en"


@pytest.mark.parametrize(
    ("name", "full_name", "roles"),
    [("A", "x", {"admin"}), ("ok", "", {"admin"}), ("ok", "a\u202eb", {"admin"}), ("ok", "x", {"king"})],
)
def test_a_person_who_cannot_be_is_refused(name: str, full_name: str, roles: set[str]) -> None:
    with pytest.raises(ValueError):
        Person(name, full_name, frozenset(roles), "east")


def test_an_invitation_works_once(people: PeopleStore, clock: Clock) -> None:
    code = people.invite("instructor", "sound", "teacher", clock.now + HOUR_US)
    assert people.invitation_role(code) == ("instructor", "sound")
    assert people.redeem_invitation(code, "newton", " 牛顿 ").full_name == "牛顿"
    assert people.person("newton") == Person("newton", "牛顿", frozenset({"instructor"}), "east")
    assert people.courses_led_by("newton") == ("sound",)
    with pytest.raises(InvitationRefused) as again:
        people.redeem_invitation(code, "second", "第二")
    with pytest.raises(InvitationRefused) as unknown:
        people.redeem_invitation("nope", "second", "第二")
    assert (again.value.code, again.value.en) == (unknown.value.code, unknown.value.en)
    assert people.person("second") is None
    assert people.invitation_role(code) is None


def test_an_invitation_expires(people: PeopleStore, clock: Clock) -> None:
    code = people.invite("admin", None, "setup", clock.now + HOUR_US)
    assert people.has_invitation("admin")
    clock.now += HOUR_US
    assert not people.has_invitation("admin")
    with pytest.raises(InvitationRefused):
        people.redeem_invitation(code, "late", "迟到")


@pytest.mark.parametrize(
    ("name", "full_name", "taken"), [("teacher", "x", False), ("ok1", "", False), ("ok1", "x", True)]
)
def test_a_refused_name_does_not_use_the_invitation_up(
    people: PeopleStore,
    clock: Clock,
    name: str,
    full_name: str,
    taken: bool,  # noqa: FBT001
) -> None:
    code = people.invite("admin", None, "setup", clock.now + HOUR_US)
    with pytest.raises(InvitationRefused):
        people.redeem_invitation(code, name, full_name, name_taken=taken)
    assert people.person("teacher").roles == {"instructor"}
    assert people.redeem_invitation(code, "boss", "管理员").roles == {"admin"}


def test_an_invitation_redeemed_ten_times_at_once_makes_one_person(people: PeopleStore, clock: Clock) -> None:
    code = people.invite("admin", None, "setup", clock.now + HOUR_US)

    def redeem(number: int) -> bool:
        try:
            people.redeem_invitation(code, f"admin{number}", "管理员")
        except PeopleError:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(redeem, range(10))) == 1
    assert len(people.people("admin")) == 1


def test_only_the_hash_of_a_one_time_code_is_kept(people: PeopleStore, clock: Clock, tmp_path: Path) -> None:
    code = people.invite("admin", None, "setup", clock.now + HOUR_US)
    with sqlite3.connect(tmp_path / "reelwright.db") as db:
        dump = "\n".join(db.iterdump())
    assert "hub_invitation" in dump
    assert code not in dump


def test_a_lab_is_due_at_the_end_of_the_day_where_the_site_is(people: PeopleStore, cohort: Cohort) -> None:
    people.enrol(cohort.class_code, "A01", "lilei")
    # Opens 2 November 00:00 in Shanghai; due at the end of 9 November there: 16:00 UTC.
    opens, due = people.deadline("micro-drama", "first-take", "lilei", 7)
    assert opens == us("2026-11-01T16:00")
    assert due == us("2026-11-09T16:00") - 1 == people.due_us(cohort, 7)
    people.put_site(Site("east", "东部基地", "East base", "Europe/London"))
    assert people.due_us(cohort, 7) == us("2026-11-10T00:00") - 1


def test_an_extension_moves_one_learners_date_for_one_lab(people: PeopleStore, cohort: Cohort) -> None:
    people.enrol(cohort.class_code, "A01", "lilei")
    people.enrol(cohort.class_code, "A02", "hanmei")
    until = people.due_us(cohort, 7) + 48 * HOUR_US
    people.extension(cohort.id, "first-take", "lilei", until - HOUR_US)
    people.extension(cohort.id, "first-take", "lilei", until)
    assert people.deadline("micro-drama", "first-take", "lilei", 7)[1] == until
    assert people.deadline("micro-drama", "other-lab", "lilei", 7)[1] == people.due_us(cohort, 7)
    assert people.deadline("micro-drama", "first-take", "hanmei", 7)[1] == people.due_us(cohort, 7)
    assert people.deadline("sound", "first-take", "lilei", 7) is None
    assert people.deadline("micro-drama", "first-take", "teacher", 7) is None


def test_in_two_cohorts_the_later_date_holds(people: PeopleStore, cohort: Cohort) -> None:
    later = people.create_cohort("micro-drama", "east", "春季班", date(2027, 3, 1), date(2027, 6, 1), "teacher")
    people.import_roster(later.id, "number,name\n5,李雷\n".encode())
    people.enrol(cohort.class_code, "A01", "lilei")
    people.claim_seat(later.class_code, "5", "lilei")
    assert people.deadline("micro-drama", "first-take", "lilei", 7)[1] == people.due_us(later, 7)
