"""Readings, moderation and appeal on a real store, and the final mark in nbgrader's real gradebook."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from grader.gradebook import Gradebooks, open_gradebook
from grader.jobs import Worker
from grader.reading import Question, Sheet
from grader.refusal import Refused
from grader.store import Store
from grader.store.hand import Given

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from grader.submission import LabRules, Window
    from grader.verdict import LabVersion

CLEAR = Question("essay", "clear", 3, 1, (0, 1, 2, 3))
TRUE = Question("essay", "true", 2, 0, (0, 1, 2))
BOTH = [CLEAR, TRUE]
DAY_US = 86_400_000_000


class Class:
    """A class in small whose answers are read on pages of ours, and a clock that can be set."""

    def __init__(self, store: Store, worker: Worker, folder: Path, add: Callable[[bytes, str], str]) -> None:
        self.store, self.worker, self.folder, self._add = store, worker, folder, add
        self.hand = store.hand

    def hand_in(self, archive: bytes, learner: str = "ada") -> str:
        submission_id = self._add(archive, learner)
        assert self.worker.work_once()
        return submission_id

    def sheet(self, learner: str = "ada") -> Sheet:
        (found,) = self.hand.sheets("film", "squares", {learner})
        return found

    def read(self, reader: str, clear: float, true: float, learner: str = "ada", comment: str = "") -> None:
        paper = self.sheet(learner).id
        for question, score in ((CLEAR, clear), (TRUE, true)):
            self.hand.give(paper, "reading", reader, Given(question, score, comment), BOTH)

    def result(self, learner: str = "ada") -> Any:
        return next(one for one in self.store.results("film", learner))

    def in_gradebook(self, learner: str = "ada") -> tuple[float | None, bool, str | None]:
        with open_gradebook(self.folder, "film") as gradebook:
            grade = gradebook.find_grade("essay", "squares", "squares", learner)
            comment = gradebook.find_comment("essay", "squares", "squares", learner)
            return grade.manual_score, grade.needs_manual_grade, comment.manual_comment

    def mark_in_formgrader(self, score: float | None, learner: str = "ada") -> None:
        with open_gradebook(self.folder, "film") as gradebook:
            grade = gradebook.find_grade("essay", "squares", "squares", learner)
            grade.manual_score, grade.needs_manual_grade = score, score is None
            gradebook.db.commit()
        self.worker.look_after_gradebooks()


@pytest.fixture
def make(store: Store, courses_dir: Path, window: Window, lab_version: LabVersion, judge: Any) -> Callable[..., Class]:
    def build(rules: LabRules) -> Class:
        worker = Worker(store, judge, Gradebooks(courses_dir), lambda _course, _lab: rules, "w1")

        def add(archive: bytes, learner: str) -> str:
            version = lab_version.version
            return store.add("film", "squares", learner, archive, window=window, rules=rules, version=version).id

        return Class(store, worker, courses_dir / "film", add)

    return build


@pytest.fixture
def twice(make: Callable[..., Class], rules: LabRules) -> Class:
    """A lab that two people read."""
    return make(replace(rules, graders=2))


@pytest.fixture
def once(make: Callable[..., Class], rules: LabRules) -> Class:
    return make(rules)


def test_what_two_readers_agree_on_is_the_mark_everywhere(twice: Class, fill_in: Callable[..., bytes]) -> None:
    twice.hand_in(fill_in())
    twice.read("wang", 2, 1, comment="Clear.")
    twice.worker.look_after_gradebooks()
    assert twice.result().awaiting_hand
    assert twice.in_gradebook() == (None, True, None)
    twice.read("zhao", 3, 1, comment="True.")
    twice.worker.look_after_gradebooks()
    assert (twice.result().hand_score, twice.result().awaiting_hand) == (3.5, False)
    assert twice.in_gradebook() == (3.5, False, "Clear.\nTrue.")
    assert twice.hand.undelivered() == ()
    twice.worker.look_after_gradebooks()
    assert twice.result().hand_score == 3.5


def test_readers_who_differ_need_a_moderator_before_there_is_a_mark(
    twice: Class, fill_in: Callable[..., bytes]
) -> None:
    twice.hand_in(fill_in())
    twice.read("wang", 0, 2)
    twice.read("zhao", 3, 2)
    twice.worker.look_after_gradebooks()
    assert twice.result().awaiting_hand
    paper = twice.sheet().id
    with pytest.raises(Refused):
        twice.hand.give(paper, "moderation", "wang", Given(CLEAR, 2), BOTH)
    twice.hand.give(paper, "moderation", "qian", Given(CLEAR, 2, "Mostly clear."), BOTH)
    twice.worker.look_after_gradebooks()
    assert twice.result().hand_score == 4
    assert twice.in_gradebook() == (4, False, "Mostly clear.")


def test_formgrader_cannot_overrule_two_readers_nor_go_before_them(twice: Class, fill_in: Callable[..., bytes]) -> None:
    twice.hand_in(fill_in())
    twice.mark_in_formgrader(5)
    assert twice.result().awaiting_hand
    assert twice.in_gradebook()[:2] == (None, True)
    twice.read("wang", 2, 1)
    twice.read("zhao", 2, 1)
    twice.worker.look_after_gradebooks()
    twice.mark_in_formgrader(5)
    assert twice.result().hand_score == 3
    assert twice.in_gradebook()[:2] == (3, False)


def test_one_reader_and_formgrader_go_together(once: Class, fill_in: Callable[..., bytes]) -> None:
    once.hand_in(fill_in())
    once.hand_in(fill_in(essay="Bob's."), "bob")
    once.mark_in_formgrader(5)
    with pytest.raises(Refused, match="formgrader"):
        once.read("wang", 2, 1)
    once.read("wang", 2, 1, learner="bob")
    once.worker.look_after_gradebooks()
    assert (once.result().hand_score, once.result("bob").hand_score) == (5, 3)
    once.mark_in_formgrader(4, "bob")
    assert once.result("bob").hand_score == 4


def test_readings_follow_an_unchanged_answer_and_not_a_changed_one(twice: Class, fill_in: Callable[..., bytes]) -> None:
    twice.hand_in(fill_in(code="pass", essay="Same words."))
    twice.read("wang", 2, 1)
    before = twice.sheet()
    twice.hand_in(fill_in(essay="Same words."))
    assert (twice.sheet().id, twice.sheet().readings) == (before.id, before.readings)
    twice.read("zhao", 2, 1)
    twice.worker.look_after_gradebooks()
    attempts = twice.store.attempts("film", "squares", "ada")
    assert [one.result.hand_score for one in attempts if one.result] == [3, 3]
    assert twice.in_gradebook()[0] == 3
    twice.hand_in(fill_in(code="def square(x):\n    # x * x\n    return x * x", essay="Other words."))
    assert (twice.sheet().id == before.id, twice.sheet().readings) == (False, ())


def test_a_worker_that_dies_before_the_gradebook_knows_leaves_the_mark_to_the_next(
    once: Class, fill_in: Callable[..., bytes]
) -> None:
    once.hand_in(fill_in())
    once.read("wang", 2, 1)
    (final,) = once.hand.undelivered()
    assert once.hand.settle(final) is not None  # and dies here
    assert once.in_gradebook() == (None, True, None)
    successor = Worker(once.store, once.worker.grade, once.worker.gradebooks, once.worker.rules_of, "w2")
    successor.look_after_gradebooks()
    assert (once.hand.undelivered(), once.in_gradebook()[0], once.result().hand_score) == ((), 3, 3)


def test_an_appeal_goes_to_a_third_person_within_its_time(twice: Class, fill_in: Callable[..., bytes]) -> None:
    submission_id = twice.hand_in(fill_in())
    with pytest.raises(Refused, match="not released yet"):
        twice.hand.appeal(submission_id, "essay", "Too few.", within_days=7)
    twice.read("wang", 1, 1)
    twice.read("zhao", 1, 1)
    twice.worker.look_after_gradebooks()
    twice.store.release_feedback("film", "squares", None, released_by="wang")
    with pytest.raises(Refused, match="no such answer"):
        twice.hand.appeal(submission_id, "test-square", "Too few.", within_days=7)
    twice.hand.appeal(submission_id, "essay", "The essay is clear.", within_days=7)
    with pytest.raises(Refused, match="appealed before"):
        twice.hand.appeal(submission_id, "essay", "Once more.", within_days=7)
    paper = twice.sheet().id
    with pytest.raises(Refused, match="has not marked it yet"):
        twice.hand.decide(paper, "zhao", [Given(CLEAR, 3), Given(TRUE, 2)], "No.")
    assert twice.hand.appeals(submission_id)["essay"].is_open
    assert twice.result().open_appeals == 1
    twice.hand.decide(paper, "qian", [Given(CLEAR, 3), Given(TRUE, 1)], "It is clear indeed.")
    assert twice.result().open_appeals == 1, "decided, and the new mark is still on its way"
    twice.worker.look_after_gradebooks()
    assert twice.result().open_appeals == 0
    assert (twice.result().hand_score, twice.result().items[1].reason_en) == (4, "It is clear indeed.")
    assert twice.in_gradebook() == (4, False, "It is clear indeed.")
    appealed = twice.hand.appeals(submission_id)["essay"]
    assert (appealed.decided_by, appealed.answer) == ("qian", "It is clear indeed.")


def test_an_appeal_after_its_time_or_with_points_that_are_none_is_refused(
    once: Class, fill_in: Callable[..., bytes], tmp_path: Path
) -> None:
    submission_id = once.hand_in(fill_in())
    once.mark_in_formgrader(3)
    once.store.release_feedback("film", "squares", None, released_by="wang")
    later = Store(once.store._engine, tmp_path / "blobs", clock=lambda: once.store.now_us() + 7 * DAY_US + 1)
    with pytest.raises(Refused, match="is over"):
        later.hand.appeal(submission_id, "essay", "Too few.", within_days=7)
    once.hand.appeal(submission_id, "essay", "Too few.", within_days=7)
    with pytest.raises(Refused, match="cannot be given"):
        once.hand.decide(once.sheet().id, "qian", [Given(CLEAR, 2.5), Given(TRUE, 1)], "")
    once.hand.decide(once.sheet().id, "qian", [Given(CLEAR, 3), Given(TRUE, 1)], "Right.")
    once.mark_in_formgrader(5)
    assert once.result().hand_score == 4


def test_a_regrade_keeps_what_was_read(twice: Class, fill_in: Callable[..., bytes]) -> None:
    submission_id = twice.hand_in(fill_in())
    twice.read("wang", 2, 1)
    twice.read("zhao", 2, 1)
    twice.worker.look_after_gradebooks()
    assert twice.store.ask_regrade(submission_id, asked_by="wang", reason="mended")
    assert twice.worker.work_once()
    assert (twice.result().hand_score, len(twice.sheet().readings)) == (3, 4)


def test_comments_are_kept_once_for_the_course(twice: Class) -> None:
    for text in ("Show, don't tell.", "Show, don't tell.", "Cut the adverbs."):
        twice.hand.keep_phrase("film", text, "wang")
    first, second = twice.hand.phrases("film")
    assert (first.text, second.text) == ("Show, don't tell.", "Cut the adverbs.")
    twice.hand.drop_phrase("music", first.id)
    twice.hand.drop_phrase("film", second.id)
    assert [one.text for one in twice.hand.phrases("film")] == ["Show, don't tell."]


def test_of_many_who_read_at_once_two_are_taken(twice: Class, fill_in: Callable[..., bytes]) -> None:
    twice.hand_in(fill_in())
    paper, refused = twice.sheet().id, []
    gate = threading.Barrier(6)

    def read(reader: str) -> None:
        gate.wait()
        try:
            twice.hand.give(paper, "reading", reader, Given(CLEAR, 2), BOTH)
        except Refused as error:
            refused.append(error.code)

    threads = [threading.Thread(target=read, args=(f"reader{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(twice.sheet().readings), refused) == (2, ["read"] * 4)
