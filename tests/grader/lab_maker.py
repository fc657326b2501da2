"""Builds real lab versions for tests: a source notebook in few words, the release by nbgrader's own preprocessors."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions, ComputeChecksums, LockCells

from grader.check.preload import modules_to_preload
from grader.sandbox.box import BoxPlan, Sandbox, open_sandbox
from grader.sandbox.warm import WarmSandbox
from grader.verdict import GradingJob, LabVersion, Limits

FAST = Limits(wall_seconds=60, cpu_seconds=40, memory_mb=1500, processes=64, disk_mb=32, output_bytes=200_000)


def _mark(cell: Any, grade_id: str, **mark: Any) -> Any:
    base = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    cell.metadata["nbgrader"] = {**base, "grade_id": grade_id, "cell_type": cell.cell_type, **mark}
    return cell


def solution(grade_id: str, source: str) -> Any:
    return _mark(new_code_cell(source), grade_id, solution=True)


def check(grade_id: str, source: str, points: float = 1) -> Any:
    return _mark(new_code_cell(source), grade_id, grade=True, locked=True, points=points)


def locked(grade_id: str, source: str) -> Any:
    return _mark(new_code_cell(source), grade_id, locked=True)


def essay(grade_id: str, source: str = "", points: float = 5) -> Any:
    return _mark(new_markdown_cell(source), grade_id, grade=True, solution=True, points=points)


def essay_code(grade_id: str, source: str, points: float = 5) -> Any:
    return _mark(new_code_cell(source), grade_id, grade=True, solution=True, points=points)


def text(source: str) -> Any:
    return new_markdown_cell(source)


def code(source: str) -> Any:
    return new_code_cell(source)


ENGINES = ("bubblewrap", "unshare", "warm")
"""Boxes started from nothing by either engine, and boxes forked from a warm parent."""


def open_engine_for(lab: Lab, engine: str) -> Sandbox:
    """The sandbox that ``engine`` names; when it is to be warm, its parents are ready for ``lab``."""
    if engine != "warm":
        return open_sandbox(engine, warm=False)  # type: ignore[arg-type]
    sandbox = open_sandbox()
    assert isinstance(sandbox, WarmSandbox)
    for role in ("runner", "checker"):
        version = lab.version
        plan = BoxPlan(role, FAST, version.read_only, version.environment, modules_to_preload(version))  # type: ignore[arg-type]
        assert sandbox.warm_up(plan, 300)
    return sandbox


class Lab:
    """A lab, and the submissions one can make of it."""

    def __init__(self, *cells: Any, **rest: Any) -> None:
        source = new_notebook(cells=list(cells))
        release = nbformat.reads(nbformat.writes(source), as_version=4)
        for step in (LockCells, ClearSolutions, ClearHiddenTests, ClearMarkScheme, ComputeChecksums):
            release, _ = step().preprocess(release, {})
        self.source, self.release = nbformat.writes(source).encode(), nbformat.writes(release).encode()
        version = hashlib.sha256(self.source).hexdigest()
        self.version = LabVersion("course", "lab", version, self.source, self.release, **rest)

    def submission(self, **answers: str) -> dict[str, Any]:
        """The released notebook with the cells named in ``answers`` filled in."""
        notebook = json.loads(self.release)
        for cell in notebook["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "").replace("-", "_")
            if grade_id in answers:
                cell["source"] = answers[grade_id]
        return notebook

    def job(self, notebook: dict[str, Any] | bytes, limits: Limits = FAST, **files: bytes) -> GradingJob:
        data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
        return GradingJob("submission-1", self.version, data, files, limits)
