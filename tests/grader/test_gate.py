"""The release gate on real boxes: a sound lab passes, and each way in which a lab can be unsound is refused by name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.alt_text import pictures_without_words
from grader.gate import check_release
from grader.grade import grade
from grader.release import ReleaseRefusedError, release_lab
from grader.sandbox.box import Sandbox, open_sandbox
from grader.submission import LabRules

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, essay, solution, text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from grader.gate import GateReport
    from grader.store import Store
    from grader.verdict import GradingJob, LabVersion, Verdict

pytestmark = pytest.mark.slow
RULES = LabRules(3, "best", 0, 0, 0, FAST)
INSIDE = "    twice_as_much = x + x\n    return twice_as_much"
SOLUTION = f"def double(x):\n    ### BEGIN SOLUTION\n{INSIDE}\n    ### END SOLUTION"
GENEROUS = "got = 0.5\ntry:\n    got += 0.5 * (double(1) == 2)\nexcept Exception:\n    pass\ngot"
TEST = "assert double(2) == 4\n### BEGIN HIDDEN TESTS\nassert double(-3) == -6\n### END HIDDEN TESTS"
SOUND = (text("# Doubles"), solution("double", SOLUTION), check("test", TEST, 3), essay("why", "A model answer.", 2))


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox(warm=False)


@pytest.fixture
def look(sandbox: Sandbox) -> Callable[..., GateReport]:
    def look_at(*cells: Any, rules: LabRules = RULES, **rest: Any) -> GateReport:
        return check_release(Lab(*cells, **rest).version, lambda job: grade(job, sandbox), rules)

    return look_at


def test_a_sound_lab_passes_and_the_report_says_what_was_seen(look: Callable[..., GateReport]) -> None:
    report = look(*SOUND)
    assert report.passes, report.reasons_en
    assert (report.points, report.hand_points, report.reference_score, report.blank_score) == (3, 2, 3, 0)
    assert report.reference_seconds > 0
    assert report.version == Lab(*SOUND).version.version


UNSOUND: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    "the reference fails a hidden test": (
        "reference-short",
        "test 0/3",
        (solution("double", SOLUTION.replace("x + x", "4")), check("test", TEST, 3)),
    ),
    "the reference raises": (
        "reference-short",
        "test 0/3",
        (solution("double", SOLUTION.replace("x + x", "1 / 0")), check("test", TEST, 3)),
    ),
    "the reference ends the kernel": (
        "reference-failed",
        "ended early",
        (solution("double", "### BEGIN SOLUTION\nimport os\nos._exit(0)\n### END SOLUTION"), check("test", TEST, 3)),
    ),
    "nothing done gets points": (
        "blank-scores",
        "trivial 1/1",
        (*SOUND, check("trivial", "assert callable(print)", 1)),
    ),
    "nothing done gets part of the points": (
        "blank-scores",
        "generous 0.5/1",
        (*SOUND, check("generous", GENEROUS, 1)),
    ),
    "a test without points": ("zero-points", "none is worth 0", (*SOUND, check("none", "assert double(1) == 2", 0))),
    "no points at all": ("no-points", "no graded cell", (solution("double", SOLUTION),)),
    "a picture without words": ("alt-text", "curve.png", (*SOUND, text("![](curve.png)"))),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_lab_is_refused_by_name(name: str, look: Callable[..., GateReport]) -> None:
    code, words, cells = UNSOUND[name]
    report = look(*cells)
    assert not report.passes
    assert code in [finding.code for finding in report.findings], report.reasons_en
    assert words in report.reasons_en
    assert report.reasons_zh


def test_a_reference_that_leaves_no_time_to_spare_is_refused(look: Callable[..., GateReport]) -> None:
    slow = solution("double", SOLUTION.replace("twice", "import time\n    time.sleep(3)\n    twice", 1))
    rules = replace(RULES, limits=replace(FAST, wall_seconds=5))
    report = look(slow, check("test", "assert double(2) == 4", 3), rules=rules)
    assert [finding.code for finding in report.findings] == ["too-slow"], report.reasons_en
    assert "of the lab's 5 s" in report.reasons_en


def test_a_solution_in_another_file_is_refused(look: Callable[..., GateReport]) -> None:
    report = look(*SOUND, files={"notes.py": b"twice_as_much = x + x\nreturn twice_as_much\n"})
    assert [finding.code for finding in report.findings] == ["leak"]
    assert "notes.py" in report.reasons_en


def test_what_the_reference_writes_must_not_go_out_with_the_lab(look: Callable[..., GateReport]) -> None:
    writes = SOLUTION + "\n\n\n### BEGIN SOLUTION\nopen('made.txt', 'w').write('4')\n### END SOLUTION"
    cells = (solution("double", writes), check("test", TEST, 3))
    report = look(*cells, files={"made.txt": b"4", "given.txt": b"read only"})
    assert [finding.code for finding in report.findings] == ["output-released"], report.reasons_en
    assert "the reference writes made.txt" in report.reasons_en
    assert "given.txt" not in report.reasons_en


def test_points_changed_in_the_release_are_refused(sandbox: Sandbox) -> None:
    version = Lab(*SOUND).version
    changed = replace(version, release=version.release.replace(b'"points": 3', b'"points": 30'))
    report = check_release(changed, lambda job: grade(job, sandbox), RULES)
    assert "points-differ" in [finding.code for finding in report.findings]


def test_a_lab_that_is_no_lab_is_refused_without_running(sandbox: Sandbox) -> None:
    def never(job: GradingJob) -> Verdict:
        raise AssertionError(job.submission_id)

    twice = replace(Lab(*SOUND).version, source=Lab(*SOUND, solution("double", "x")).source)
    report = check_release(twice, never, RULES)
    assert [finding.code for finding in report.findings] == ["broken"]


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("![A falling curve](curve.png)", ()),
        ("![](curve.png)", ("curve.png",)),
        ("![curve.png](img/curve.png)", ("img/curve.png",)),
        ("| a |\n|---|\n| [![ ](x.png)](y) |\n\n> * ![](z.png)", ("z.png",)),
        ('<img src="a.png"> <img src="b.png" alt=""> <img alt="words" src="c.png">', ("a.png",)),
        ("<figure>\n<img src='d.png'\n  width=3>\n</figure>", ("d.png",)),
        ("`![](code.png)`\n\n```\n![](block.png)\n```\n<!-- <img src='e.png'> -->", ()),
    ],
)
def test_pictures_without_words_are_found(markdown: str, found: tuple[str, ...]) -> None:
    assert set(pictures_without_words(Lab(*SOUND, text(markdown)).release)) >= set(found)
    assert bool(pictures_without_words(Lab(*SOUND, text(markdown)).release)) == bool(found)


def test_a_refused_release_changes_nothing_and_a_known_version_is_not_asked_about(
    store: Store, course_folder: Path, tmp_path: Path, lab_version: LabVersion, sandbox: Sandbox
) -> None:
    asked: list[str] = []

    def gate(version: LabVersion) -> GateReport:
        asked.append(version.version)
        return check_release(version, lambda job: grade(job, sandbox), RULES)

    work = tmp_path / "work" / "film"
    assert release_lab(course_folder, work, "squares", store=store, gate=gate).version == lab_version.version
    assert asked == []

    notebook = course_folder / "source" / "squares" / "squares.ipynb"
    copy = tmp_path / "film" / "source" / "squares"
    copy.mkdir(parents=True)
    (copy / "squares.ipynb").write_bytes(notebook.read_bytes().replace(b"== 9", b"== 10"))
    with pytest.raises(ReleaseRefusedError, match="test-square 0/2") as refused:
        release_lab(tmp_path / "film", work, "squares", store=store, gate=gate)
    assert "没有得满分" in refused.value.zh
    assert len(asked) == 1
    assert store.current_lab_version("film", "squares") == lab_version.version
    assert b"== 9" in (work / "source" / "squares" / "squares.ipynb").read_bytes()

    (copy / "squares.ipynb").write_bytes(notebook.read_bytes().replace(b"== 9", b"== 9.0"))
    assert release_lab(tmp_path / "film", work, "squares", store=store, gate=gate).version == asked[-1]
    assert store.current_lab_version("film", "squares") == asked[-1]
