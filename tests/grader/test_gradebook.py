import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import text

from grader.gradebook import GradebookError, Gradebooks, open_gradebook
from grader.jobs import Worker, sync_hand_marks
from grader.release import converter_config
from grader.store import Store
from grader.submission import LabResult, LabRules, Window, learner_items
from grader.verdict import GradingJob, LabVersion, ProducedFile, Verdict

Judge = Callable[[GradingJob], Verdict]


class Class:
    """A class in small: learners hand in, an instructor marks in nbgrader's own gradebook."""

    def __init__(self, store: Store, worker: Worker, courses_dir: Path, add: Callable[[bytes, str], None]) -> None:
        self.store = store
        self.worker = worker
        self.folder = courses_dir / "film"
        self._add = add

    def hand_in(self, archive: bytes, learner: str = "ada") -> None:
        self._add(archive, learner)
        assert self.worker.work_once()

    def mark(self, cell: str, score: float | None, comment: str = "", learner: str = "ada") -> None:
        """Do what formgrader does when an instructor types a score and a comment."""
        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}", "film") as gradebook:
            grade = gradebook.find_grade(cell, "squares", "squares", learner)
            grade.manual_score = score
            grade.needs_manual_grade = score is None and grade.auto_score is None
            if comment:
                gradebook.find_comment(cell, "squares", "squares", learner).manual_comment = comment
            gradebook.db.commit()
        self.worker.look_after_gradebooks()

    def result(self, learner: str = "ada") -> LabResult:
        (result,) = self.store.results("film", learner)
        return result

    def in_gradebook(self, cell: str) -> tuple[float | None, float | None, bool]:
        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}", "film") as gradebook:
            grade = gradebook.find_grade(cell, "squares", "squares", "ada")
            return grade.auto_score, grade.manual_score, grade.needs_manual_grade


@pytest.fixture
def film_class(
    store: Store, courses_dir: Path, rules: LabRules, window: Window, lab_version: LabVersion, judge: Judge
) -> Class:
    worker = Worker(store, judge, Gradebooks(courses_dir), lambda _course, _lab: rules, "w1")

    def add(archive: bytes, learner: str) -> None:
        store.add("film", "squares", learner, archive, window=window, rules=rules, version=lab_version.version)

    return Class(store, worker, courses_dir, add)


def test_formgrader_lists_the_submission_as_graded_and_waiting_for_a_person(
    film_class: Class, fill_in: Callable[..., bytes]
) -> None:
    film_class.hand_in(fill_in())
    config = converter_config(film_class.folder, "film")
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    (submission,) = api.get_submissions("squares")
    assert submission["student"] == "ada"
    assert submission["autograded"]
    assert submission["needs_manual_grade"]
    assert (submission["code_score"], submission["max_score"]) == (2.0, 7.0)
    (notebook,) = api.get_notebook_submissions("squares", "squares")
    assert notebook["needs_manual_grade"]


def test_mark_given_in_formgrader_reaches_the_result(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in())
    film_class.mark("essay", 4.0, "Well argued.")
    result = film_class.result()
    assert (result.auto_score, result.hand_score, result.awaiting_hand) == (2.0, 4.0, False)
    assert film_class.store.attempts("film", "squares", "ada")[0].submission.state == "graded"
    assert film_class.store.class_results("film") == (result,)


def test_mark_taken_back_is_awaited_again(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in())
    film_class.mark("essay", 4.0)
    film_class.mark("essay", None)
    assert film_class.result().awaiting_hand
    assert film_class.store.attempts("film", "squares", "ada")[0].submission.state == "needs_review"


def test_learner_sees_hand_marks_only_after_release(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in())
    film_class.mark("essay", 4.0, "Well argued.")
    (attempt,) = film_class.store.attempts("film", "squares", "ada")
    assert attempt.result is not None
    covered = learner_items(attempt.result, hand_released=attempt.hand_released)[1]
    assert (covered.score, "argued" in covered.reason_en) == (None, False)
    assert film_class.store.release_feedback("film", "squares", None, released_by="teacher") == 1
    (attempt,) = film_class.store.attempts("film", "squares", "ada")
    assert attempt.result is not None
    shown = learner_items(attempt.result, hand_released=attempt.hand_released)[1]
    assert (shown.score, shown.reason_en) == (4.0, "Well argued.")


def test_later_attempt_keeps_the_mark_of_an_unchanged_answer(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in(code="pass", essay="Same words."))
    film_class.mark("essay", 3.0, "Fine.")
    film_class.hand_in(fill_in(essay="Same words."))
    result = film_class.result()
    assert (result.attempt, result.auto_score, result.hand_score, result.awaiting_hand) == (2, 2.0, 3.0, False)
    assert film_class.in_gradebook("essay") == (None, 3.0, False)
    assert film_class.in_gradebook("test-square") == (2.0, None, False)


def test_later_attempt_with_another_answer_waits_for_a_new_mark(
    film_class: Class, fill_in: Callable[..., bytes]
) -> None:
    film_class.hand_in(fill_in(essay="First words."))
    film_class.mark("essay", 5.0)
    film_class.hand_in(fill_in(essay="Other words."))
    assert film_class.in_gradebook("essay") == (None, None, True)
    # Until the new answer is marked, the best attempt so far counts; then the better one does.
    assert (film_class.result().attempt, film_class.result().hand_score) == (1, 5.0)
    film_class.mark("essay", 2.0)
    assert (film_class.result().attempt, film_class.result().hand_score) == (1, 5.0)
    marked = film_class.store.attempts("film", "squares", "ada")[1].result
    assert marked is not None
    assert marked.hand_score == 2.0


def test_worse_attempt_does_not_take_the_better_ones_place_in_formgrader(
    film_class: Class, fill_in: Callable[..., bytes]
) -> None:
    film_class.hand_in(fill_in(essay="First words."))
    film_class.hand_in(fill_in(code="pass", essay="Other words."))
    assert film_class.in_gradebook("test-square") == (2.0, None, False)
    assert film_class.store.unposted() == ()


def test_page_of_the_former_attempt_can_no_longer_be_saved(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in(essay="First words."))
    with Gradebook(f"sqlite:///{film_class.folder / 'gradebook.db'}", "film") as gradebook:
        old = gradebook.find_grade("essay", "squares", "squares", "ada").id
    film_class.hand_in(fill_in(essay="Other words."))
    with Gradebook(f"sqlite:///{film_class.folder / 'gradebook.db'}", "film") as gradebook, pytest.raises(ValueError):
        gradebook.find_grade_by_id(old)


def test_regrade_keeps_hand_marks(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in())
    film_class.mark("essay", 4.0, "Well argued.")
    submission_id = film_class.result().submission_id
    assert film_class.store.ask_regrade(submission_id, asked_by="teacher", reason="fixed test")
    assert film_class.worker.work_once()
    assert (film_class.result().hand_score, film_class.result().awaiting_hand) == (4.0, False)
    assert film_class.in_gradebook("essay") == (None, 4.0, False)


def test_person_may_overrule_a_test(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in(code="def square(x):\n    return x ** 2"))
    assert film_class.result().auto_score == 0
    film_class.mark("test-square", 2.0)
    assert film_class.result().auto_score == 2.0


def test_quiet_gradebook_is_not_read_again(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in())
    books = film_class.worker.gradebooks
    film_class.mark("essay", 1.0)
    assert books.seen["film"] == books.stamp("film")
    assert sync_hand_marks(film_class.store, books, "film") == 0


def test_lost_gradebook_folder_is_rebuilt_from_the_store(film_class: Class, fill_in: Callable[..., bytes]) -> None:
    film_class.hand_in(fill_in())
    film_class.mark("essay", 4.0, "Well argued.")
    with Gradebook(f"sqlite:///{film_class.folder / 'gradebook.db'}", "film") as gradebook:
        gradebook.remove_submission("squares", "ada")
    assert film_class.store.repost("film", "squares") == 1
    film_class.worker.look_after_gradebooks()
    assert film_class.in_gradebook("essay") == (None, 4.0, False)
    assert film_class.result().hand_score == 4.0


def test_produced_media_are_shown_but_never_pages(
    film_class: Class, fill_in: Callable[..., bytes], judge: Judge
) -> None:
    def producing(job: GradingJob) -> Verdict:
        files = tuple(
            ProducedFile(path, "", 1, b"x")
            for path in ("takes/one.mp4", "evil.html", "x.svg", "../up.png", "/etc/p.png", ".h/p.png")
        )
        return replace(judge(job), files=files)

    film_class.worker.grade = producing
    film_class.hand_in(fill_in())
    folder = film_class.folder / "autograded" / "ada" / "squares"
    shown = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert shown == {"squares.ipynb", "timestamp.txt", "takes/one.mp4"}


def test_a_gradebook_put_back_from_a_backup_is_the_one_written_to(
    film_class: Class, fill_in: Callable[..., bytes]
) -> None:
    film_class.hand_in(fill_in())
    file = film_class.folder / "gradebook.db"
    shutil.copy(file, film_class.folder / "backup.db").replace(file)
    film_class.hand_in(fill_in(), "bob")
    with open_gradebook(film_class.folder, "film") as gradebook:
        assert {gradebook.find_submission("squares", who).student.id for who in ("ada", "bob")} == {"ada", "bob"}


def test_unreleased_lab_and_odd_name_are_told_plainly(
    tmp_path: Path, film_class: Class, fill_in: Callable[..., bytes], judge: Judge, lab_version: LabVersion
) -> None:
    film_class.hand_in(fill_in())
    submission = film_class.store.attempts("film", "squares", "ada")[0].submission
    verdict = judge(GradingJob("x", lab_version, lab_version.release))
    with pytest.raises(GradebookError, match="release it first"):
        Gradebooks(tmp_path / "elsewhere").record(submission, verdict)
    with pytest.raises(GradebookError, match="folder"):
        film_class.worker.gradebooks.record(replace(submission, learner="../ada"), verdict)


def test_making_a_gradebook_starts_no_program_and_says_its_version_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    for _ in range(2):
        with open_gradebook(tmp_path, "film") as gradebook:
            (version,) = gradebook.db.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
            assert gradebook.students == []
    assert version == ScriptDirectory(ALEMBIC_DIR).get_current_head()
