"""Parts that the grader's tests share: a small real lab, released once by nbgrader, and a real store to hand in to."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grader.release import release_lab
from grader.store import Store
from grader.submission import LabRules, Window
from grader.tables import metadata
from grader.unpack import pack
from grader.verdict import CellScore, GradingJob, LabVersion, Limits, Verdict
from hub.db import open_engine

COURSE = "film"
LAB = "squares"
HOUR_US = 3_600_000_000


def tagged(cell: dict, grade_id: str, *, grade: bool = False, solution: bool = False, points: float = 0) -> dict:
    cell["metadata"]["nbgrader"] = {
        "grade_id": grade_id,
        "grade": grade,
        "solution": solution,
        "locked": grade and not solution,
        "task": False,
        "schema_version": 3,
        **({"points": points} if grade else {}),
    }
    return cell


@pytest.fixture(scope="session")
def lab_source() -> bytes:
    inside = "    answer_to_all = x * x\n    return answer_to_all"
    solution = f"def square(x):\n    ### BEGIN SOLUTION\n{inside}\n    ### END SOLUTION"
    test = (
        "assert square(3) == 9\n### BEGIN HIDDEN TESTS\nassert square(-4) == 16, 'secret probe'\n### END HIDDEN TESTS"
    )
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Squares"),
            tagged(new_code_cell(solution), "square", solution=True),
            tagged(new_code_cell(test), "test-square", grade=True, points=2),
            tagged(new_markdown_cell("A model essay on squares."), "essay", grade=True, solution=True, points=5),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    return nbformat.writes(notebook).encode()


@pytest.fixture(scope="session")
def course_folder(tmp_path_factory: pytest.TempPathFactory, lab_source: bytes) -> Path:
    folder = tmp_path_factory.mktemp("content") / COURSE
    (folder / "source" / LAB).mkdir(parents=True)
    (folder / "source" / LAB / f"{LAB}.ipynb").write_bytes(lab_source)
    (folder / "source" / LAB / "data.csv").write_text("n\n3\n")
    (folder / "rubric.md").write_text("5 points: clear.\n")
    return folder


@pytest.fixture(scope="session")
def released_course(tmp_path_factory: pytest.TempPathFactory, course_folder: Path) -> tuple[Path, LabVersion]:
    work = tmp_path_factory.mktemp("courses") / COURSE
    return work, release_lab(course_folder, work, LAB)


@pytest.fixture
def lab_version(released_course: tuple[Path, LabVersion]) -> LabVersion:
    return released_course[1]


@pytest.fixture
def courses_dir(tmp_path: Path, released_course: tuple[Path, LabVersion]) -> Path:
    shutil.copytree(released_course[0], tmp_path / "courses" / COURSE)
    return tmp_path / "courses"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'reelwright.db'}"


@pytest.fixture
def store(tmp_path: Path, database_url: str, lab_version: LabVersion) -> Store:
    engine = open_engine(database_url)
    metadata.create_all(engine)
    store = Store(engine, tmp_path / "blobs")
    store.release(lab_version, rubric_version="r1")
    return store


@pytest.fixture
def rules() -> LabRules:
    return LabRules(attempts=3, counts="best", grace_minutes=10, percent_per_day=10, last_day=3, limits=Limits())


@pytest.fixture
def window() -> Window:
    now = time.time_ns() // 1000
    return Window(now - HOUR_US, now + HOUR_US, now + 2 * HOUR_US)


@pytest.fixture
def fill_in(lab_version: LabVersion) -> Callable[..., bytes]:
    """Make the archive a learner hands in: code for ``square`` and an essay."""

    def fill(code: str = "def square(x):\n    return x * x", essay: str = "My essay.", **files: bytes) -> bytes:
        notebook = json.loads(lab_version.release)
        for cell in notebook["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if grade_id == "square":
                cell["source"] = code
            elif grade_id == "essay" and essay:
                cell["source"] = essay
        return pack({f"{LAB}.ipynb": json.dumps(notebook).encode(), **files})

    return fill


def grade_by_looking(job: GradingJob) -> Verdict:
    """A real if narrow judge: points for a source that says ``x * x``."""
    cells = json.loads(job.notebook)["cells"]
    passed = any("x * x" in "".join(cell["source"]) for cell in cells)
    scores = (
        CellScore("test-square", "Squares", "auto", 2.0 if passed else 0.0, 2.0, "对" if passed else "错", "said"),
        CellScore("essay", "Essay", "manual", 0.0, 5.0, "", ""),
    )
    return Verdict(scores, job.notebook, seconds=0.1)


@pytest.fixture
def judge() -> Callable[[GradingJob], Verdict]:
    return grade_by_looking


@pytest.fixture
def sha256() -> Callable[[bytes], str]:
    return lambda content: hashlib.sha256(content).hexdigest()
