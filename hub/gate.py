"""This instance's release gate: grades a lab's reference and its blank as its own workers would.

A course may carry a record of the labs that passed it where the course was made (``gate.toml``, by digest of all that a
release is made from): those are not gated again at every first start. A lab that differs by one byte is.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from grader.check.notebook import parse_notebook
from grader.gate import Finding, GateReport, check_release
from grader.grade import grade
from grader.reading import CLOSE
from grader.sandbox.box import SandboxUnavailable
from hub.portal.rubric import load_rubric
from hub.serve import rules_of, sandbox_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from grader.release import Gate
    from grader.verdict import GradingJob, LabVersion, Verdict
    from hub.platform import Platform
    from hub.portal.rubric import Rubric


RECORD = "gate.toml"


class RecordError(Exception):
    """A course's record of its gate cannot be read; the message names the file and what was expected."""


def read_record(course_folder: Path) -> dict[str, str]:
    """The digests of a course's labs that passed the gate, by lab; none where there is no record.

    Raises:
        RecordError: the file is not what :func:`write_record` writes.
    """
    file = course_folder / RECORD
    if not file.is_file():
        return {}
    try:
        passed = tomllib.loads(file.read_text(encoding="utf-8"))["passed"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise RecordError(f"{file}: got {error}, expected a table [passed] of labs and digests; delete it") from error
    return {str(lab): str(digest) for lab, digest in passed.items()}


def write_record(course_folder: Path, passed: Mapping[str, str]) -> None:
    """Record which labs passed the gate, as they are."""
    lines = [
        "# Labs that passed the release gate just as they lie here: a start does not grade them again.",
        "# Written by `reelwright course release COURSE --record`; a changed lab is graded whatever stands here.",
        "[passed]",
        *(f'{lab} = "{digest}"' for lab, digest in sorted(passed.items())),
    ]
    (course_folder / RECORD).write_text("\n".join(lines) + "\n", encoding="utf-8")


def release_gate(platform: Platform, graded: Callable[[], None] = lambda: None) -> Gate:
    """What is asked before a lab of ``platform`` is released; the sandbox is opened when it is first asked.

    ``graded`` is called after the reference and after the blank, from the thread that graded it.
    """
    # Warm parents would be loaded for two runs and stay in memory.
    opened = cache(lambda: sandbox_of(platform.config, warm=False))

    def check(version: LabVersion) -> GateReport:
        try:
            sandbox = opened()
        except SandboxUnavailable as error:
            finding = Finding("no-sandbox", f"这台服务器不能安全地评分：{error}", str(error))
            return GateReport(version.version, (finding,))
        rules = rules_of(platform, version.course, version.lab)

        def grade_one(job: GradingJob) -> Verdict:
            verdict = grade(job, sandbox)
            graded()
            return verdict

        report = check_release(version, grade_one, rules)
        return replace(report, findings=(*report.findings, *rubric_findings(_rubric_of(platform, version), version)))

    return check


def rubric_findings(rubric: Rubric | None, version: LabVersion) -> tuple[Finding, ...]:
    """Why ``rubric`` does not fit the lab's hand-graded cells: learners would read other points than they can get."""
    if rubric is None:
        return ()
    tags = (cell.tag for cell in parse_notebook(version.source).cells)
    points = {tag.grade_id: tag.points for tag in tags if tag and ((tag.grade and tag.solution) or tag.task)}
    there = {name: most for name, most in points.items() if name == rubric.grade_id or not rubric.grade_id}
    if any(abs(most - rubric.most) < CLOSE for most in there.values()):
        return ()
    place = rubric.grade_id or "*"
    got = ", ".join(f"{name} {most:g}" for name, most in (there or points).items()) or "-"
    return (
        Finding(
            "rubric-differs",
            f"评分标准（{place}）共 {rubric.most:g} 分，与人工评分单元格的分值不符：{got}",
            f"the rubric ({place}) is of {rubric.most:g} points, expected those of the hand-graded cell, got {got}",
        ),
    )


def _rubric_of(platform: Platform, version: LabVersion) -> Rubric | None:
    """The rubric that the lab was shipped with; one in the making is made from its rubric, and has no file."""
    path = platform.lab_or_draft(version.course, version.lab).rubric
    file = platform.config.courses_dir / version.course / path
    return load_rubric(file) if path and file.is_file() else None
