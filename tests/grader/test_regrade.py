"""A test was wrong and is mended: everybody is graded again in the background, and nothing else changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from grader.grade import grade
from grader.gradebook import Gradebooks, open_gradebook
from grader.jobs import Worker
from grader.refusal import Refused
from grader.release import release_lab
from grader.sandbox.box import open_sandbox
from grader.submission import RegradeChange, receipt_of
from grader.verdict import GradingJob, LabVersion, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from grader.store import Store
    from grader.submission import LabRules, Window

pytestmark = pytest.mark.slow
RIGHT = "def square(x):\n    return x * x"
NO_NEGATIVES = "def square(x):\n    return x * abs(x)"


@pytest.fixture
def release_with(store: Store, course_folder: Path, tmp_path: Path) -> Callable[[bytes, bytes], LabVersion]:
    """Release the lab with some of its source's bytes replaced."""

    def release(old: bytes, new: bytes) -> LabVersion:
        source = tmp_path / "mended" / "film" / "source" / "squares"
        source.mkdir(parents=True, exist_ok=True)
        content = (course_folder / "source" / "squares" / "squares.ipynb").read_bytes()
        assert old in content
        (source / "squares.ipynb").write_bytes(content.replace(old, new))
        (source / "data.csv").write_bytes((course_folder / "source" / "squares" / "data.csv").read_bytes())
        return release_lab(tmp_path / "mended" / "film", tmp_path / "mended-work" / "film", "squares", store=store)

    return release


@pytest.fixture
def mended(release_with: Callable[[bytes, bytes], LabVersion], lab_version: LabVersion) -> LabVersion:
    """A version whose hidden test no longer asks for what the lab never taught."""
    version = release_with(b"square(-4) == 16", b"square(4) == 16")
    assert version.version != lab_version.version
    return version


@pytest.fixture
def hand_in(store: Store, window: Window, rules: LabRules, lab_version: LabVersion) -> Callable[..., str]:
    def add(archive: bytes, learner: str) -> str:
        version = lab_version.version
        return store.add("film", "squares", learner, archive, window=window, rules=rules, version=version).id

    return add


@pytest.fixture
def worker(store: Store, courses_dir: Path, rules: LabRules) -> Worker:
    sandbox = open_sandbox(warm=False)
    return Worker(
        store, lambda job: grade(job, sandbox), Gradebooks(courses_dir), lambda _course, _lab: rules, "regrader"
    )


def score(store: Store, learner: str) -> float:
    (attempt,) = store.attempts("film", "squares", learner)
    assert attempt.result is not None
    return attempt.result.auto_score


def test_everybody_is_graded_again_and_hand_marks_receipts_and_reasons_are_kept(
    store: Store,
    worker: Worker,
    courses_dir: Path,
    hand_in: Callable[..., str],
    fill_in: Callable[..., bytes],
    lab_version: LabVersion,
    release_with: Callable[[bytes, bytes], LabVersion],
) -> None:
    ids = {
        learner: hand_in(fill_in(code=code, essay=f"by {learner}"), learner)
        for learner, code in (("ada", RIGHT), ("bob", NO_NEGATIVES))
    }
    while worker.work_once():
        pass
    assert (score(store, "ada"), score(store, "bob")) == (2, 0)
    with open_gradebook(courses_dir / "film", "film") as gradebook:
        gradebook.find_grade("essay", "squares", "squares", "ada").manual_score = 4
        gradebook.find_comment("essay", "squares", "squares", "ada").manual_comment = "Well argued."
        gradebook.db.commit()
    worker.look_after_gradebooks()
    receipts = {learner: receipt_of(store.submission(one)) for learner, one in ids.items()}  # type: ignore[arg-type]

    mended = release_with(b"square(-4) == 16", b"square(4) == 16")
    why = "the hidden test asked for negative numbers"
    assert store.ask_class_regrade("film", "squares", asked_by="teacher", reason=why) == 2
    progress = store.regrade_progress("film", "squares")
    assert progress is not None
    assert (progress.asked_by, progress.reason, progress.version) == ("teacher", why, mended.version)
    assert (progress.done, progress.total) == (0, 2)
    assert (score(store, "ada"), score(store, "bob")) == (2, 0)
    assert store.regrade_effects("film", "squares") == ()

    # Who hands in meanwhile does not wait for the class, and is graded by the mended tests although from the old lab.
    ids["carl"] = hand_in(fill_in(code=NO_NEGATIVES), "carl")
    assert worker.work_once()
    assert score(store, "carl") == 2
    assert store.regrade_progress("film", "squares") == progress
    while worker.work_once():
        pass
    assert (score(store, "ada"), score(store, "bob")) == (2, 2)
    progress = store.regrade_progress("film", "squares")
    assert progress is not None
    assert progress.changes == (
        RegradeChange("ada", 1, ids["ada"], 2, 2, is_done=True),
        RegradeChange("bob", 1, ids["bob"], 0, 2, is_done=True),
    )
    (ada,) = store.attempts("film", "squares", "ada")
    assert ada.result is not None
    assert (ada.result.hand_score, ada.result.awaiting_hand, ada.submission.state) == (4, False, "graded")
    assert ada.result.items[1].reason_en == "Well argued."
    assert ada.result.lab_version == mended.version
    assert {learner: receipt_of(store.submission(ids[learner])) for learner in receipts} == receipts  # type: ignore[arg-type]
    assert receipts["ada"].version == lab_version.version

    (effect,) = store.regrade_effects("film", "squares")
    assert (effect.learner, effect.before, effect.after) == ("bob", 0, 2)
    assert effect.submission_before == effect.submission_after == ids["bob"]


def test_a_worker_that_is_at_it_by_the_old_version_writes_nothing(
    store: Store,
    hand_in: Callable[..., str],
    fill_in: Callable[..., bytes],
    judge: Callable[[GradingJob], Verdict],
    lab_version: LabVersion,
    mended: LabVersion,
) -> None:
    submission_id = hand_in(fill_in(), "ada")
    old = store.claim("old")
    assert old is not None
    assert old.version == lab_version.version
    assert store.ask_class_regrade("film", "squares", asked_by="teacher", reason="mended") == 1
    assert not store.record(old, judge(GradingJob(submission_id, lab_version, lab_version.release)))
    new = store.claim("new")
    assert new is not None
    assert (new.submission.id, new.version) == (submission_id, mended.version)
    assert store.record(new, judge(GradingJob(submission_id, mended, mended.release)))
    assert store.queue_depth() == 0
    (effect,) = store.regrade_effects("film", "squares")
    assert (effect.before, effect.submission_before, effect.after) == (None, None, 0)


def test_a_version_with_other_cells_is_refused_and_nothing_is_queued(
    store: Store,
    hand_in: Callable[..., str],
    fill_in: Callable[..., bytes],
    worker: Worker,
    release_with: Callable[[bytes, bytes], LabVersion],
) -> None:
    hand_in(fill_in(), "ada")
    assert worker.work_once()
    other = release_with(json.dumps("test-square").encode(), json.dumps("test-squares").encode())
    with pytest.raises(Refused, match=r"differs in test-square, test-squares"):
        store.ask_class_regrade("film", "squares", asked_by="teacher", reason="renamed")
    with pytest.raises(Refused, match="no such version"):
        store.ask_class_regrade("film", "squares", asked_by="teacher", reason="typo", version="0" * 64)
    assert store.queue_depth() == 0
    assert store.regrade_progress("film", "squares") is None
    assert store.current_lab_version("film", "squares") == other.version
