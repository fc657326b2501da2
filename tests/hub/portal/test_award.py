"""Who is awarded what: course certificates once, editions that replace them, skills that age, whole programmes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from certs.certificate import State
from hub import award
from hub.claiming import months_later
from hub.course import CourseError
from hub.people.person import Person
from hub.programme import load_programmes

SCRIPT, FILM, WHOLE = "micro-drama", "short-film", "ai-micro-drama"
NOWHERE = Path("/nowhere")


def test_a_completed_course_is_awarded_once_and_a_failed_one_is_not(steward: Any) -> None:
    steward.completes(SCRIPT, "liming", score=1)
    assert steward.round() == 0
    steward.completes(SCRIPT, "liming")
    assert steward.round() == 1
    assert steward.round() == 0
    assert steward.held("liming", SCRIPT).state is State.ISSUED


def test_a_skill_that_ages_gives_the_certificate_its_end(steward: Any) -> None:
    steward.completes(SCRIPT, "liming")
    steward.completes(FILM, "liming")
    steward.round()
    ages = steward.store.claim_of(steward.held("liming", SCRIPT).id)
    lasts = steward.store.claim_of(steward.held("liming", FILM).id)
    assert ages.valid_until_us == months_later(ages.completed_us, 36)
    assert lasts.valid_until_us is None


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [("2026-11-22", 36, "2029-11-22"), ("2028-02-29", 12, "2029-02-28"), ("2026-12-31", 2, "2027-02-28")],
)
def test_months_are_those_of_the_calendar(day: str, months: int, later: str) -> None:
    def us(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000

    assert months_later(us(day), months) == us(later)


def test_who_holds_every_course_is_given_the_programme_over_them(steward: Any) -> None:
    steward.completes(SCRIPT, "liming")
    steward.round()
    assert steward.held("liming", WHOLE) is None
    steward.completes(FILM, "liming")
    assert steward.round() == 2
    whole = steward.held("liming", WHOLE)
    assert whole.state is State.ISSUED
    claim = steward.store.claim_of(whole.id)
    assert set(claim.members) == {steward.held("liming", SCRIPT).id, steward.held("liming", FILM).id}
    assert claim.valid_until_us == steward.store.claim_of(steward.held("liming", SCRIPT).id).valid_until_us
    assert steward.round() == 0


def test_a_re_issued_course_takes_its_programme_with_it(steward: Any) -> None:
    steward.completes(SCRIPT, "liming")
    steward.completes(FILM, "liming")
    steward.round()
    person = steward.world.people.person("liming")
    steward.world.people.put_person(replace(person, full_name="林小雨"))
    for number, course in enumerate(steward.courses):
        steward.reissue(steward.held("liming", course.id).id, number)
        steward.round()
    whole = steward.held("liming", WHOLE)
    assert (whole.state, whole.edition) == (State.ISSUED, 2)
    assert steward.store.claim_of(whole.id).holder_name == "林小雨"


def test_a_revoked_course_gives_no_programme(steward: Any) -> None:
    steward.completes(SCRIPT, "liming")
    steward.round()
    steward.store.revoke(steward.held("liming", SCRIPT).id, "graded by mistake")
    steward.completes(FILM, "liming")
    steward.round()
    assert steward.held("liming", WHOLE) is None


def test_a_new_edition_keeps_the_day_of_completion_and_says_what_counts_now(steward: Any) -> None:
    steward.completes(SCRIPT, "liming", score=3)
    steward.round()
    old = steward.held("liming", SCRIPT)
    steward.completes(SCRIPT, "liming", score=4)
    newer = steward.reissue(old.id, force=False)
    steward.sign()
    before, after = steward.store.claim_of(old.id), steward.store.claim_of(newer)
    assert (before.score_percent, after.score_percent) == (75, 100)
    assert after.completed_us == before.completed_us
    assert after.valid_until_us == before.valid_until_us
    assert steward.store.by_id(old.id).superseded_by == newer
    assert steward.reissue(newer, force=False) == newer


def test_only_what_is_completed_and_newest_is_issued_again(steward: Any) -> None:
    steward.completes(SCRIPT, "liming", score=3)
    steward.round()
    old = steward.held("liming", SCRIPT)
    stricter = steward.courses[0].completion.model_copy(update={"min_score": 90})
    now = steward.courses[0].model_copy(update={"completion": stricter})
    for wrong, course in ((old.id, now), ("0" * 32, steward.courses[0]), (old.id, steward.courses[1])):
        with pytest.raises(award.NotAwardedError):
            award.reissue(steward.platform, course, wrong, NOWHERE)
    steward.reissue(old.id)
    steward.sign()
    with pytest.raises(award.NotAwardedError, match="superseded"):
        steward.reissue(old.id)


def test_a_refused_certificate_is_asked_for_again_once_it_is_mended(steward: Any) -> None:
    steward.completes(SCRIPT, "liming")
    award.award_completed(steward.platform)
    asked = steward.held("liming", SCRIPT)
    steward.store.record_refused(asked.id, "the typesetter has no such character")
    assert steward.reissue(asked.id) == asked.id
    steward.sign()
    assert steward.held("liming", SCRIPT).state is State.ISSUED


def test_a_name_that_cannot_be_certified_holds_back_nobody_else(steward: Any) -> None:
    steward.world.people.put_person(Person("other", "A. Nobody 3rd", frozenset({"trainee"}), "main"))
    for learner in ("other", "liming"):
        steward.completes(SCRIPT, learner)
    ids, refused = award.award_class(steward.platform, steward.courses[0], ("other", "liming"), NOWHERE)
    assert len(ids) == 1
    assert "holder_name" in str(refused["other"])


def test_somebody_who_was_forgotten_is_not_awarded_again(steward: Any) -> None:
    steward.completes(SCRIPT, "liming")
    steward.round()
    steward.store.erase_holder(award.holder_ref("liming", SCRIPT))
    steward.world.people.forget("liming")
    assert steward.round() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[programmes]]\nid = 3\n", "programmes.0.id"),
        ("not toml", "not valid TOML"),
        (
            '[[programmes]]\nid="micro-drama"\nversion="1"\ntitle={zh="题",en="t"}\nsummary={zh="题",en="t"}\n',
            "names that no course has",
        ),
    ],
)
def test_a_wrong_file_of_programmes_is_refused_with_its_reason(
    tmp_path: Path, steward: Any, text: str, words: str
) -> None:
    (tmp_path / "programmes.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=words):
        load_programmes(tmp_path, steward.courses)
