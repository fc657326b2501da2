"""The course's two labs through stock nbgrader: the reference solution gets every automatic point, the blank none."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.apps.api import NbGraderAPI
from traitlets.config import Config

from hub.course import load_courses

COURSES = Path(__file__).parents[2] / "courses"
COURSE = COURSES / "micro-drama"
LABS = {"script-to-shots": (23, 10), "first-take": (16, 0)}
"""Lab → automatic points, points given by hand."""


def graded_cells(lab: str) -> list[dict[str, Any]]:
    book = nbformat.read(COURSE / "source" / lab / f"{lab}.ipynb", as_version=4)
    return [
        cell["metadata"]["nbgrader"] | {"source": cell["source"]}
        for cell in book.cells
        if "nbgrader" in cell["metadata"]
    ]


def test_the_course_loads_with_its_rubric() -> None:
    course = load_courses(COURSES)[0]
    assert [lab.id for lab in course.labs] == list(LABS)
    rubric = tomllib.loads((COURSE / course.labs[0].rubric).read_text(encoding="utf-8"))
    cell = next(cell for cell in graded_cells("script-to-shots") if cell["grade_id"] == rubric["grade_id"])
    best = sum(max(level["points"] for level in criterion["levels"]) for criterion in rubric["criteria"])
    assert best == rubric["max_points"] == cell["points"]


@pytest.mark.parametrize("lab", LABS)
def test_notebooks_are_well_formed_nbgrader_sources(lab: str) -> None:
    cells = graded_cells(lab)
    ids = [cell["grade_id"] for cell in cells]
    assert len(set(ids)) == len(ids)
    assert all(cell["schema_version"] == 3 for cell in cells)
    tests = [cell for cell in cells if cell["grade"] and not cell["solution"]]
    by_hand = [cell for cell in cells if cell["grade"] and cell["solution"]]
    assert all(cell["locked"] and "### BEGIN HIDDEN TESTS" in cell["source"] for cell in tests)
    assert (sum(cell["points"] for cell in tests), sum(cell["points"] for cell in by_hand)) == LABS[lab]


@pytest.mark.parametrize("lab", LABS)
def test_every_explanation_speaks_both_languages(lab: str) -> None:
    book = nbformat.read(COURSE / "source" / lab / f"{lab}.ipynb", as_version=4)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            assert any("\u4e00" <= letter <= "\u9fff" for letter in cell.source), cell.id
            assert sum(letter.isascii() and letter.isalpha() for letter in cell.source) > 100, cell.id


@pytest.fixture
def stock_course(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A course folder of stock nbgrader with our sources in it."""
    # nbgrader runs `alembic` from PATH.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models_dir))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(COURSE / "source", tmp_path / "source")
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.CourseDirectory.course_id = "micro-drama"
    config.ExecutePreprocessor.timeout = 300  # a cell films
    return NbGraderAPI(config=config)


def _grade(api: Any, lab: str, learner: str, notebook_folder: Path) -> dict[str, float | None]:
    """Hand the folder in as ``learner`` and return each graded cell's automatic points."""
    root = Path(api.coursedir.root)
    shutil.copytree(notebook_folder, root / "submitted" / learner / lab)
    done = api.autograde(lab, learner)
    assert done["success"], done
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(lab, learner)
        return {grade.name: grade.auto_score for book in submission.notebooks for grade in book.grades}


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_reference_gets_every_automatic_point_and_the_blank_none(stock_course: Any, lab: str) -> None:
    api, root = stock_course, Path(stock_course.coursedir.root)
    made = api.generate_assignment(lab)
    assert made["success"], made
    released = (root / "release" / lab / f"{lab}.ipynb").read_text(encoding="utf-8")
    assert "BEGIN SOLUTION" not in released
    assert "HIDDEN TESTS" not in released
    tests = {cell["grade_id"]: cell["points"] for cell in graded_cells(lab) if cell["grade"] and not cell["solution"]}
    reference = _grade(api, lab, "reference", root / "source" / lab)
    assert {name: reference[name] for name in tests} == tests
    blank = _grade(api, lab, "blank", root / "release" / lab)
    assert {name: blank[name] for name in tests} == dict.fromkeys(tests, 0)


MISTAKES = {
    "script-to-shots": {
        "scene-list-test": ("list(scene.characters)", "[line.character for line in scene.lines if line.character]"),
        "scene-seconds-test": ("len(WORD.findall(speech))", "len(speech.split())"),
        "beat-problems-test": ("after - before > 15", "after - before >= 15"),
        "beats-test": ('"second": 18, "scene": 3', '"second": 18, "scene": 2'),
        "shot-list-rhythm-test": ('"static" if place % 2 else "push in"', '"static"'),
        "cut-frames-test": ("elapsed += length", "elapsed += round(length * rate) / rate"),
        "timeline-test": ("size=(1080, 1920)", "size=(1920, 1080)"),
    },
    "first-take": {
        "prompt-for-test": ('thing[0].lower() in "aeiou"', 'shot["subject"][0] in "aeiou"'),
        "frames-for-test": ("max(math.ceil((needed - 1) / step), 0)", "math.ceil(needed / step)"),
        "seed-test": ("SEED + 1", "SEED + 2"),
        "steps-test": ("steps=steps)", "steps=8)"),
        "first-take-test": ("\nfirst\n", "\nwith open('takes/first.mp4', 'ab') as film:\n    film.write(b'x')\n"),
    },
}
"""Lab → test cell → a plausible mistake (or, last, a film changed behind its record) that this cell must catch."""


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_each_mistake_costs_its_own_points(
    lab: str, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models_dir))
    folder = shutil.copytree(COURSE / "source" / lab, tmp_path / lab)
    book = nbformat.read(folder / f"{lab}.ipynb", as_version=4)
    for right, wrong in MISTAKES[lab].values():
        places = [cell for cell in book.cells if "### BEGIN SOLUTION" in cell.source and right in cell.source]
        assert places, right
        places[0].source = places[0].source.replace(right, wrong)
    NotebookClient(book, allow_errors=True, resources={"metadata": {"path": str(folder)}}).execute()
    failed = {
        cell["metadata"]["nbgrader"]["grade_id"]
        for cell in book.cells
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    }
    # The film with a byte too many also differs from its twin: the seed cell sees it as well.
    assert failed == set(MISTAKES[lab])
