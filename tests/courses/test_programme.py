"""Every lab of the programme by the real grader: the reference gets all, the blank none, a mistake its own points."""

from __future__ import annotations

import json
import tomllib
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from grader.gate import check_release
from grader.grade import grade
from grader.submission import LabRules
from grader.verdict import GradingJob, Limits
from hub.course import load_courses

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.sandbox.box import Sandbox
    from grader.verdict import LabVersion

COURSES = Path(__file__).parents[2] / "courses"
PROGRAMME = load_courses(COURSES)
LIMITS = Limits(wall_seconds=600, cpu_seconds=1200)
RULES = LabRules(5, "best", 0, 0, 0, LIMITS)

POINTS = {
    "diffusion-by-hand": (16, 0),
    "camera-and-consistency": (17, 6),
    "choose-and-repair": (17, 0),
    "cut-sound-captions": (18, 6),
    "compute-budget": (17, 5),
    "provenance-and-labels": (18, 6),
    "skill-under-test": (16, 5),
    "episode": (28, 20),
}
"""Lab → automatic points, points given by hand."""

MISTAKES = {
    "diffusion-by-hand": (
        ("shift * even / (1 + (shift - 1) * even)", "even", {"schedule-test"}),
        ("np.exp(exponents - exponents.max())", "np.exp(exponents)", {"denoise-test"}),
    ),
    "camera-and-consistency": (
        ("(len(frames) - 1)", "len(frames)", {"pan-speed-test"}),
        ('"close shot, push in', '"close shot, pan left', {"scene-camera-test"}),
    ),
    "choose-and-repair": (("max(number - 4, 0) : number + 5", "number : number + 1", {"repair-test", "log-test"}),),
    "cut-sound-captions": (
        ("room = seconds - 0.2", "room = seconds", {"timed-test"}),
        ('Cut("takes/car.mp4", 2.0, 0.4)', 'Cut("takes/car.mp4", 1.0, 0.4)', {"cut-test"}),
    ),
    "compute-budget": (("range(1, longest + 1, 8)", "range(1, longest + 1)", {"most-frames-test"}),),
    "provenance-and-labels": (("key, source_type=DRAWN", "key", {"sign-test"}),),
    "skill-under-test": (("if any(fits[:-1])", "if any(fits)", {"audit-test"}),),
    "episode": (("-16.0)", "-26.0)", {"sound-test", "label-test"}),),
}
"""Lab → what a learner gets wrong and the test cells that must see it; all of a lab's go into one submission."""
LABS = [(course.id, lab.id) for course in PROGRAMME for lab in course.labs if lab.id in POINTS]


def _cells(course: str, lab: str) -> list[nbformat.NotebookNode]:
    book = nbformat.read(COURSES / course / "source" / lab / f"{lab}.ipynb", as_version=4)
    return list(book.cells)


def test_the_programme_is_three_courses_and_a_capstone() -> None:
    assert [course.id for course in PROGRAMME] == [
        "micro-drama",
        "model-craft",
        "post-production",
        "one-minute-episode",
    ]
    assert {course.programme for course in PROGRAMME} == {"ai-micro-drama"}
    assert 8 <= sum(len(course.labs) for course in PROGRAMME) <= 10
    assert {lab for _, lab in LABS} == set(POINTS) == set(MISTAKES)
    taught = {skill for course in PROGRAMME for lab in course.labs for skill in lab.skills}
    assert taught == {skill.id for course in PROGRAMME for skill in course.skills}


@pytest.mark.parametrize(("course", "lab"), LABS)
def test_a_lab_says_what_it_is_in_both_languages(course: str, lab: str) -> None:
    cells = _cells(course, lab)
    for said in ("目标 Aim", "时间 Minutes", "算力 Allowance", "证明的能力 Evidence of", "分数 Points"):
        assert said in cells[0].source
    for cell in cells:
        if cell.cell_type == "markdown":
            assert any("\u4e00" <= letter <= "\u9fff" for letter in cell.source), cell.id
            assert sum(letter.isascii() and letter.isalpha() for letter in cell.source) > 100, cell.id


def test_bold_words_are_shown_bold() -> None:
    # CommonMark neither opens nor closes ** between a mark and a letter: the stars would be shown.
    for course, lab in LABS:
        lines = [
            line for cell in _cells(course, lab) if cell.cell_type == "markdown" for line in cell.source.split("\n")
        ]
        assert [line for line in lines if _shows_stars(line)] == [], lab


def _shows_stars(line: str) -> bool:
    parts = line.split("**")
    return any(
        (_is_mark(inside[-1:]) and after[:1].isalnum()) or (_is_mark(inside[:1]) and before[-1:].isalnum())
        for before, inside, after in zip(parts[::2], parts[1::2], parts[2::2], strict=False)
    )


def _is_mark(letter: str) -> bool:
    return bool(letter) and unicodedata.category(letter).startswith("P")


@pytest.mark.parametrize(("course", "lab"), LABS)
def test_points_and_rubric_agree_with_the_cells(course: str, lab: str) -> None:
    tags = [cell.metadata["nbgrader"] for cell in _cells(course, lab) if "nbgrader" in cell.metadata]
    tests = [tag for tag in tags if tag["grade"] and not tag["solution"]]
    by_hand = [tag for tag in tags if tag["grade"] and tag["solution"]]
    assert (sum(tag["points"] for tag in tests), sum(tag["points"] for tag in by_hand)) == POINTS[lab]
    assert all(tag["locked"] for tag in tests)
    known = next(one for one in PROGRAMME if one.id == course).lab(lab)
    assert bool(known.rubric) is bool(by_hand)
    if known.rubric:
        rubric = tomllib.loads((COURSES / course / known.rubric).read_text(encoding="utf-8"))
        best = sum(max(level["points"] for level in criterion["levels"]) for criterion in rubric["criteria"])
        assert best == rubric["max_points"] == by_hand[0]["points"]
        assert rubric["grade_id"] == by_hand[0]["grade_id"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("course", "lab"), LABS)
def test_reference_blank_and_typical_mistakes(
    course: str, lab: str, sandbox: Sandbox, released: Callable[[str, str], LabVersion]
) -> None:
    version = released(course, lab)
    report = check_release(version, lambda job: grade(job, sandbox), RULES)
    assert report.passes, report.reasons_en
    assert (report.points, report.hand_points) == POINTS[lab]
    assert (report.reference_score, report.blank_score) == (POINTS[lab][0], 0)

    wrong, expected = _with_mistakes(version.source, lab)
    verdict = grade(GradingJob("mistakes", version, wrong, limits=LIMITS), sandbox)
    assert verdict.failure is None, verdict.failure
    lost = {cell.grade_id for cell in verdict.cells if cell.kind == "auto" and cell.score < cell.max_score}
    assert lost == expected
    assert all(cell.score in {0, cell.max_score} for cell in verdict.cells if cell.kind == "auto")


def _with_mistakes(source: bytes, lab: str) -> tuple[bytes, set[str]]:
    notebook, expected = json.loads(source), set[str]()
    for right, wrong, seen_by in MISTAKES[lab]:
        places = [cell for cell in notebook["cells"] if right in _text(cell) and "### BEGIN SOLUTION" in _text(cell)]
        assert places, right
        places[0]["source"] = _text(places[0]).replace(right, wrong)
        expected |= seen_by
    return json.dumps(notebook).encode(), expected


def _text(cell: dict[str, object]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)  # type: ignore[arg-type]
