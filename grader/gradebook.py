"""Gradebooks: what we grade shown in nbgrader's gradebook, and what people grade there read back.

nbgrader keeps one submission a learner and lab. It holds the attempt that a person's marks could decide; when that
becomes another attempt the rows are made anew: a mark saved from a page of the old one meets a 404, not the new answer.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from alembic.script import ScriptDirectory
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.dbutil import ALEMBIC_DIR

from grader.submission import HandMark
from grader.viewable import viewable_notebook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from grader.submission import Submission
    from grader.verdict import CellScore, Verdict

log = logging.getLogger(__name__)

VIEWABLE = frozenset(
    {".mp4", ".webm", ".png", ".jpg", ".jpeg", ".wav", ".json", ".otio", ".srt", ".edl", ".txt", ".csv"}
)
"""What a grader's browser shows as a medium or as text; anything that could run as a page stays in the store."""
TIMESTAMP = "%Y-%m-%d %H:%M:%S.%f %Z"


class GradebookError(Exception):
    """The gradebook cannot take this; the message says what was got and what was expected."""


class Gradebooks:
    """The nbgrader folders of all courses: ``<courses_dir>/<course>/gradebook.db`` and what lies beside it."""

    def __init__(self, courses_dir: Path) -> None:
        self._root = courses_dir
        self._at_hand: dict[str, tuple[int, Gradebook]] = {}
        self.seen: dict[str, tuple[int, ...]] = {}
        """By course the :meth:`stamp` up to which its marks have been taken over."""

    def courses(self) -> tuple[str, ...]:
        """The courses that have a gradebook."""
        return tuple(sorted(file.parent.name for file in self._root.glob("*/gradebook.db")))

    @contextmanager
    def alone(self, course: str) -> Iterator[None]:
        """Keep other workers of ours out of a course's gradebook for a while; formgrader goes on."""
        folder = self._root / course
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".reelwright.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def record(
        self,
        submission: Submission,
        verdict: Verdict,
        *,
        marks: Collection[HandMark] = (),
        unanswered: Collection[str] = (),
        late_percent: float = 0.0,
    ) -> None:
        """Make the gradebook show ``submission``.

        Args:
            submission: the attempt to show.
            verdict: what it was graded as.
            marks: what persons gave this attempt before, for when its rows are made anew.
            unanswered: cells for a person that hold no answer, and so need none.
            late_percent: shown beside the score.

        Raises:
            GradebookError: the lab was never released to this gradebook, or the learner's name is no folder's name.
        """
        folder = _folder_name(submission.learner)
        with self._open(submission.course) as gradebook:
            rows = _submission_rows(gradebook, submission)
            if rows.is_new:
                _write_marks(rows, marks)
            _write_scores(rows, verdict.cells, unanswered)
            for notebook in rows.submitted.notebooks:
                notebook.late_submission_penalty = verdict.score * late_percent / 100
            gradebook.db.commit()
        self._write_files(submission, verdict, folder)

    def hand_marks(self, course: str, lab: str | None = None, learner: str | None = None) -> tuple[HandMark, ...]:
        """What the gradebook holds for every cell of the attempts it shows; ``score`` None where no person gave one."""
        with self._open(course) as gradebook:
            comments = {tuple(row[:4]): row[4] or "" for row in _comments(gradebook, lab, learner)}
            graded = {tuple(row[:4]): _given(*row[4:]) for row in _grades(gradebook, lab, learner)}
        return tuple(
            HandMark(who, of_lab, _microseconds(stamp), cell, graded.get(key), comments.get(key, ""))
            for key in sorted(comments.keys() | graded.keys())
            for who, of_lab, stamp, cell in [key]
        )

    def give(self, course: str, marks: Collection[HandMark]) -> None:
        """Put marks on cells of the attempts that the gradebook shows; one that it no longer shows is left out."""
        with self._open(course) as gradebook:
            for mark in marks:
                _give(gradebook, mark)
            gradebook.db.commit()

    def stamp(self, course: str) -> tuple[int, ...]:
        """Something that differs after anyone wrote to the gradebook, empty without one; costs a stat."""
        try:
            stat = (self._root / course / "gradebook.db").stat()
        except FileNotFoundError:
            return ()
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    @contextmanager
    def _open(self, course: str) -> Iterator[Gradebook]:
        """A course's gradebook with nothing of it read yet; it stays at hand, as opening takes longer than the work."""
        folder = self._root / course
        folder.mkdir(parents=True, exist_ok=True)
        inode, gradebook = self._at_hand.pop(course, (0, None))
        if gradebook is not None and self.stamp(course)[2:] != (inode,):
            # Another file lies there by now, or none.
            gradebook.close()
            gradebook = None
        gradebook = gradebook or _opened(folder, course)
        try:
            yield gradebook
        except BaseException:
            gradebook.close()
            raise
        gradebook.db.remove()
        self._keep(course, gradebook)

    def _keep(self, course: str, gradebook: Gradebook) -> None:
        stamp = self.stamp(course)
        if not stamp or self._at_hand.setdefault(course, (stamp[2], gradebook))[1] is not gradebook:
            gradebook.close()

    def _write_files(self, submission: Submission, verdict: Verdict, learner: str) -> None:
        name = f"{submission.lab}.ipynb"
        stamp = _datetime(submission.received_us).strftime(TIMESTAMP).encode()
        handed_in = {name: viewable_notebook(verdict.notebook), "timestamp.txt": stamp}
        produced = {file.path: file.content for file in verdict.files if file.content and _is_viewable(file.path)}
        for step, files in (("submitted", handed_in), ("autograded", {**produced, **handed_in})):
            _replace_folder(self._root / submission.course / step / learner / submission.lab, files)


@contextmanager
def open_gradebook(folder: Path, course: str) -> Iterator[Gradebook]:
    """Open ``folder/gradebook.db``, making it when missing."""
    with _opened(folder, course) as gradebook:
        yield gradebook


def _opened(folder: Path, course: str) -> Gradebook:
    file = folder / "gradebook.db"
    if not file.exists() or not file.stat().st_size:
        _begin(file)
    return Gradebook(f"sqlite:///{file}", course)


def _begin(file: Path) -> None:
    """Make a file that says of which version it is; nbgrader adds its tables, but starts a program to learn that."""
    head = ScriptDirectory(ALEMBIC_DIR).get_current_head()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
        once = "INSERT INTO alembic_version SELECT ? WHERE NOT EXISTS (SELECT 1 FROM alembic_version)"
        database.execute(once, (head,))


class _Rows:
    """The gradebook's rows of one shown attempt, by cell."""

    def __init__(self, submitted: Any, *, is_new: bool) -> None:
        self.submitted = submitted
        self.is_new = is_new
        self.grades = {grade.cell.name: grade for notebook in submitted.notebooks for grade in notebook.grades}
        self.comments = {one.cell.name: one for notebook in submitted.notebooks for one in notebook.comments}


def _submission_rows(gradebook: Gradebook, submission: Submission) -> _Rows:
    lab, learner = submission.lab, submission.learner
    stamp = _datetime(submission.received_us).replace(tzinfo=None)
    gradebook.update_or_create_student(learner)
    try:
        known = gradebook.find_submission(lab, learner)
    except MissingEntry:
        known = None
    if known is not None and known.timestamp == stamp:
        return _Rows(known, is_new=False)
    if known is not None:
        gradebook.remove_submission(lab, learner)
    try:
        # Its constructor touches the database before its parts are in the session.
        with gradebook.db.no_autoflush:
            return _Rows(gradebook.add_submission(lab, learner, timestamp=stamp), is_new=True)
    except MissingEntry as error:
        raise GradebookError(f"the gradebook of {submission.course!r} has no lab {lab!r}; release it first") from error


def _give(gradebook: Gradebook, mark: HandMark) -> None:
    try:
        submitted = gradebook.find_submission(mark.lab, mark.learner)
    except MissingEntry:
        return
    if submitted.timestamp is None or _microseconds(submitted.timestamp) != mark.received_us:
        return
    rows = _Rows(submitted, is_new=False)
    _write_marks(rows, [mark])
    if (grade := rows.grades.get(mark.grade_id)) is not None:
        grade.extra_credit = None
        grade.needs_manual_grade = mark.score is None and grade.auto_score is None


def _write_marks(rows: _Rows, marks: Collection[HandMark]) -> None:
    for mark in marks:
        if mark.grade_id in rows.grades:
            rows.grades[mark.grade_id].manual_score = mark.score
        if mark.grade_id in rows.comments:
            rows.comments[mark.grade_id].manual_comment = mark.comment or None


def _write_scores(rows: _Rows, cells: Collection[CellScore], unanswered: Collection[str]) -> None:
    for cell in cells:
        grade = rows.grades.get(cell.grade_id)
        if grade is None:
            log.warning("cell %s is not in the gradebook's version of the lab; not shown there", cell.grade_id)
            continue
        is_manual = cell.kind == "manual"
        before = grade.auto_score
        grade.auto_score = cell.score if not is_manual or cell.grade_id in unanswered else None
        if grade.manual_score is None:
            grade.needs_manual_grade = grade.auto_score is None
        else:
            # A person overruled the test; when the test now says something else, the person should look again.
            grade.needs_manual_grade = not is_manual and before not in (None, grade.auto_score)


_KEY = (Student.id, Assignment.name, SubmittedAssignment.timestamp, BaseCell.name)


def _grades(gradebook: Gradebook, lab: str | None, learner: str | None) -> Any:
    columns = (Grade.manual_score, Grade.auto_score, Grade.extra_credit)
    return _of_shown(gradebook.db.query(*_KEY, *columns).select_from(Grade), Grade, lab, learner)


def _comments(gradebook: Gradebook, lab: str | None, learner: str | None) -> Any:
    return _of_shown(gradebook.db.query(*_KEY, Comment.manual_comment).select_from(Comment), Comment, lab, learner)


def _of_shown(query: Any, row: Any, lab: str | None, learner: str | None) -> Any:
    query = (
        query.join(BaseCell, BaseCell.id == row.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == row.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .filter(SubmittedAssignment.timestamp.is_not(None))
    )
    if lab is not None:
        query = query.filter(Assignment.name == lab)
    return query.filter(Student.id == learner) if learner is not None else query


def _given(manual: float | None, auto: float | None, extra: float | None) -> float | None:
    """The points a person gave, extra credit included; None when no person gave any."""
    if manual is None and not extra:
        return None
    return float((auto or 0.0) if manual is None else manual) + float(extra or 0.0)


def _datetime(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def _microseconds(stamp: datetime) -> int:
    whole = stamp.replace(tzinfo=UTC, microsecond=0)
    return int(whole.timestamp()) * 1_000_000 + stamp.microsecond


def _folder_name(learner: str) -> str:
    if not learner or learner.startswith(".") or any(letter in "/\\*?[]\0" for letter in learner):
        raise GradebookError(f"learner: got {learner!r}, expected a name that can be a folder's")
    return learner


def _is_viewable(path: str) -> bool:
    parts = PurePosixPath(path).parts
    plain = all(part not in ("..", "/") and not part.startswith(".") for part in parts)
    return bool(parts) and plain and PurePosixPath(path).suffix.lower() in VIEWABLE


def _replace_folder(target: Path, files: dict[str, bytes]) -> None:
    """Put a folder of ``files`` in the place of ``target``; a reader finds the old or the new one."""
    made = target.with_name(f".{target.name}.new")
    old = target.with_name(f".{target.name}.old")
    for leftover in (made, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for name, content in files.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if target.exists():
        target.replace(old)
    made.replace(target)
    shutil.rmtree(old, ignore_errors=True)
