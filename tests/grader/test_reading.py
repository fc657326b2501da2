"""Who may read what, and the mark that comes of it."""

from dataclasses import replace

import pytest

from grader.reading import (
    Appeal,
    Question,
    Reading,
    Role,
    Sheet,
    check_may,
    final_mark,
    past_readers,
    score_of,
    standing,
    waits_for,
)
from grader.refusal import Refused

HOOK = Question("essay", "hook", 4, 1, (0, 1, 3, 4))
END = Question("essay", "end", 3, 0.5, (0, 2, 3))
BLANK = Sheet("p1", "ada", "s1", "essay", "Essay", 7, readers=2, mark=None)


def read(sheet: Sheet, *given: tuple[str, str, float], role: Role = "reading") -> Sheet:
    more = tuple(
        Reading(criterion, role, reader, score, f"{reader} on {criterion}") for criterion, reader, score in given
    )
    return replace(sheet, readings=sheet.readings + more)


def test_two_marks_within_the_gap_settle_at_their_mean() -> None:
    one = read(BLANK, ("hook", "wang", 3))
    assert (standing(one, HOOK), score_of(one, HOOK)) == ("open", None)
    two = read(one, ("hook", "zhao", 4))
    assert (standing(two, HOOK), score_of(two, HOOK)) == ("settled", 3.5)
    assert final_mark(two, [HOOK, END]) is None
    whole = read(two, ("end", "wang", 2), ("end", "zhao", 2))
    assert final_mark(whole, [HOOK, END]) == (5.5, "wang on hook\nzhao on hook\nwang on end\nzhao on end")


def test_marks_further_apart_than_the_gap_wait_for_a_moderator_whose_word_counts() -> None:
    apart = read(BLANK, ("end", "wang", 2), ("end", "zhao", 3))
    assert standing(apart, END) == "differs"
    for reader in ("wang", "zhao"):
        with pytest.raises(Refused, match="somebody else than the readers"):
            check_may(apart, END, reader, "moderation")
    check_may(apart, END, "qian", "moderation")
    decided = read(apart, ("end", "qian", 3), role="moderation")
    assert (standing(decided, END), score_of(decided, END)) == ("settled", 3)
    assert final_mark(decided, [END]) == (3, "qian on end")


def test_a_gap_that_floats_cannot_write_is_still_within() -> None:
    tenths = Question("essay", "", 1, 0.1)
    assert score_of(read(BLANK, ("", "wang", 0.3), ("", "zhao", 0.2)), tenths) == pytest.approx(0.25)


def test_a_reader_may_correct_until_the_second_has_read() -> None:
    one = read(BLANK, ("hook", "wang", 3))
    check_may(one, HOOK, "wang", "reading")
    assert not waits_for(one, HOOK, "wang", "reading")
    assert waits_for(one, HOOK, "zhao", "reading")
    two = read(one, ("hook", "zhao", 4))
    for reader in ("wang", "zhao", "qian"):
        with pytest.raises(Refused, match="has its readers"):
            check_may(two, HOOK, reader, "reading")
    with pytest.raises(Refused, match="needs no moderator"):
        check_may(two, HOOK, "qian", "moderation")


def test_one_reader_settles_alone_where_the_course_asks_for_one() -> None:
    alone = read(replace(BLANK, readers=1), ("hook", "wang", 3))
    assert (standing(alone, HOOK), score_of(alone, HOOK)) == ("settled", 3)
    check_may(alone, HOOK, "wang", "reading")
    with pytest.raises(Refused):
        check_may(alone, HOOK, "zhao", "reading")


@pytest.mark.parametrize("role", ["reading", "moderation", "appeal"])
def test_nobody_marks_their_own_answer(role: Role) -> None:
    apart = read(BLANK, ("hook", "wang", 0), ("hook", "zhao", 4))
    sheet = {"reading": BLANK, "moderation": apart, "appeal": replace(apart, appeal=Appeal("Too few.", 1))}[role]
    with pytest.raises(Refused, match="their own answer"):
        check_may(sheet, HOOK, "ada", role)


def test_what_was_marked_in_formgrader_is_not_read_again() -> None:
    marked = replace(BLANK, readers=1, mark=5.0)
    assert standing(marked, HOOK) == "settled"
    with pytest.raises(Refused, match="formgrader"):
        check_may(marked, HOOK, "wang", "reading")


def test_an_appeal_is_for_somebody_who_has_not_marked_the_answer_in_any_role() -> None:
    apart = read(BLANK, ("end", "wang", 0), ("end", "zhao", 3), ("hook", "wang", 4), ("hook", "zhao", 4))
    decided = read(apart, ("end", "qian", 2), role="moderation")
    assert past_readers(decided.readings) == {"wang", "zhao", "qian"}
    asked = replace(decided, appeal=Appeal("The ending is open.", 1))
    for reader in ("wang", "zhao", "qian"):
        with pytest.raises(Refused, match="has not marked it yet"):
            check_may(asked, END, reader, "appeal")
    check_may(asked, END, "sun", "appeal")
    with pytest.raises(Refused, match="a third person decides"):
        check_may(asked, END, "qian", "moderation")
    third = read(asked, ("end", "sun", 3), ("hook", "sun", 3), role="appeal")
    answered = replace(third, appeal=Appeal("The ending is open.", 1, "sun", "You are right about the ending."))
    assert final_mark(answered, [HOOK, END]) == (6, "You are right about the ending.\nsun on hook\nsun on end")
    with pytest.raises(Refused, match="no appeal that waits"):
        check_may(answered, END, "li", "appeal")


@pytest.mark.parametrize(("score", "allowed"), [(3, True), (2, False), (-1, False), (float("nan"), False)])
def test_only_points_of_the_rubric_may_be_given(score: float, *, allowed: bool) -> None:
    assert HOOK.allows(score) is allowed
    assert Question("essay", "", 4, 1).allows(score) is (score in (3, 2))
