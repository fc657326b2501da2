"""What is done with a draft: the learners' version made, the gate asked, the lab released. Runs in its own process."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grader.check.notebook import parse_notebook
from grader.gate import Finding, GateReport
from grader.release import ReleaseRefusedError, rehearse, release_lab
from grader.unpack import pack
from hub.authoring.draft import RUBRIC, STEPS, Outcome
from hub.course import CourseError, Text
from hub.gate import release_gate
from hub.portal.rubric import parse_rubric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.verdict import LabVersion
    from hub.authoring.draft import What
    from hub.platform import Platform


def preview(platform: Platform, course: str, lab: str) -> None:
    """Make what learners would get and keep it on the shelf.

    Raises:
        ReleaseRefusedError: it cannot be made, or it would give away what is kept back.
    """
    with tempfile.TemporaryDirectory(prefix="reelwright-preview-") as scratch:
        folder = Path(scratch) / course
        file = platform.shelf.preview(course, lab)
        platform.shelf.take_copy(course, lab, folder)
        made = rehearse(folder, lab)
    platform.shelf.keep_preview(file, pack({**made.files, f"{lab}.ipynb": made.release}))


def check(platform: Platform, course: str, lab: str, by: str) -> Outcome:
    """Ask the gate about the draft, and put what it says on record."""
    with _begun(platform, course, lab, by, "check") as (record, folder, _revision):
        made = rehearse(folder, lab, **platform.lab_environment())
        record.report(_report(platform, record, made))
    return record.outcome


def release(platform: Platform, course: str, lab: str, by: str) -> Outcome:
    """Give the draft to learners, if the gate lets it pass; the outcome is put on record."""
    passed = platform.shelf.outcome(course, lab)
    with _begun(platform, course, lab, by, "release") as (record, folder, revision):

        def gate(made: LabVersion) -> GateReport:
            known = passed is not None and passed.state == "passed" and passed.content == record.outcome.content
            if known and passed is not None and passed.version == made.version:
                record.repeat(passed)  # the same version, files and limits were looked at already
                return GateReport(made.version, ())
            return record.report(_report(platform, record, made))

        rubric = folder / "source" / lab / RUBRIC
        work_dir = platform.gradebooks / course
        release_lab(
            folder, work_dir, lab, store=platform.submissions, gate=gate,
            rubric=f"source/{lab}/{RUBRIC}" if rubric.is_file() else "", **platform.lab_environment(),
        )  # fmt: skip
        content = rubric.read_bytes() if rubric.is_file() else None
        platform.shelf.released(course, lab, revision=revision, rubric=content)
    return record.outcome


class _Record:
    """The outcome on the shelf, written anew as the work goes on."""

    def __init__(self, platform: Platform, course: str, lab: str, outcome: Outcome) -> None:
        self._platform, self._course, self._lab = platform, course, lab
        self.outcome = outcome
        self.note()

    def note(self, **changes: object) -> None:
        """Write ``changes`` down."""
        self.outcome = self.outcome.model_copy(update=changes)
        self._platform.shelf.note(self._course, self._lab, self.outcome)

    def done(self) -> None:
        """One more step is done."""
        self.note(done=min(self.outcome.done + 1, STEPS))

    def report(self, report: GateReport) -> GateReport:
        """Take over what the gate found."""
        self.note(
            version=report.version,
            findings=tuple(Text(zh=finding.zh, en=finding.en) for finding in report.findings),
            points=report.points,
            hand_points=report.hand_points,
            reference_score=report.reference_score,
            blank_score=report.blank_score,
            reference_seconds=report.reference_seconds,
        )
        return report

    def repeat(self, passed: Outcome) -> None:
        """Take over what an earlier check of the same content found."""
        kept = {"version", "points", "hand_points", "reference_score", "blank_score", "reference_seconds"}
        self.note(done=STEPS - 1, **passed.model_dump(include=kept))


@contextmanager
def _begun(platform: Platform, course: str, lab: str, by: str, what: What) -> Iterator[tuple[_Record, Path, str]]:
    with tempfile.TemporaryDirectory(prefix="reelwright-draft-") as scratch:
        folder = Path(scratch) / course
        content, revision = platform.shelf.take_copy(course, lab, folder)
        begun = Outcome(what=what, state="running", content=content, asked_by=by, began_us=_now_us())
        record = _Record(platform, course, lab, begun)
        try:
            yield record, folder, revision
        except ReleaseRefusedError as error:
            if not record.outcome.findings:
                record.note(findings=(Text(zh=error.zh, en=str(error)),))
        except Exception as error:
            record.note(state="failed", ended_us=_now_us(), findings=(_broke(error),))
            raise
        state = "refused" if record.outcome.findings else "passed"
        record.note(state=state, ended_us=_now_us(), done=STEPS)


def _broke(error: Exception) -> Text:
    said = f"{type(error).__name__}: {error}"[:300]
    return Text(zh=f"平台出错，这不是实验的问题：{said}", en=f"the platform failed, not the lab: {said}")


def _report(platform: Platform, record: _Record, made: LabVersion) -> GateReport:
    record.done()
    report = release_gate(platform, graded=record.done)(made)
    return replace(report, findings=(*report.findings, *_rubric(made)))


def _rubric(made: LabVersion) -> Iterator[Finding]:
    """What is graded by hand is graded by a rubric whose points are the cell's."""
    tags = [cell.tag for cell in parse_notebook(made.source).cells if cell.tag]
    by_hand = {tag.grade_id: tag.points for tag in tags if tag.task or (tag.grade and tag.solution)}
    content = made.files.get(RUBRIC)
    if content is None:
        for grade_id in by_hand:
            yield Finding(
                "no-rubric",
                f"单元格 {grade_id} 由人评分，但没有 {RUBRIC}：学员要事先知道按什么评分",
                f"cell {grade_id} is graded by hand, but there is no {RUBRIC}: learners must know what counts",
            )
        return
    try:
        rubric = parse_rubric(content, RUBRIC)
    except CourseError as error:
        yield Finding("rubric", f"{RUBRIC} 不可用：{error}", f"{RUBRIC} cannot be used: {error}")
        return
    wanted = by_hand.get(rubric.grade_id) if rubric.grade_id else None
    if rubric.most not in (by_hand.values() if not rubric.grade_id else (wanted,)):
        cells = ", ".join(f"{grade_id}: {points:g}" for grade_id, points in by_hand.items()) or "-"
        yield Finding(
            "rubric-points",
            f"{RUBRIC} 共 {rubric.most:g} 分，与它所评的单元格不一致（{cells}）",
            f"{RUBRIC} adds up to {rubric.most:g} points, the cells graded by hand have {cells}",
        )


def _now_us() -> int:
    return time.time_ns() // 1000
