"""Labs are released through the gate: one that would misgrade learners is refused, with the reason."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from hub import prepare
from hub.config import Config
from hub.course import load_courses
from hub.gate import read_record, write_record
from hub.migrate import upgrade
from hub.platform import Platform

pytestmark = pytest.mark.slow
COURSE = """
id = "small"
programme = "small"
version = "1"
skills = []
title = { zh = "小", en = "Small" }
summary = { zh = "小", en = "Small" }
completion = { min_score = 60 }
allowance = { yuan = "1" }

[[labs]]
id = "one"
title = { zh = "一", en = "One" }
summary = { zh = "一", en = "One" }
minutes = 10
weight = 1
due_after_days = 7
"""


def notebook(test: str) -> str:
    def cell(source: str, grade_id: str, **mark: object) -> nbformat.NotebookNode:
        base = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        return new_code_cell(source, metadata={"nbgrader": {**base, "grade_id": grade_id, **mark}})

    answer = cell("### BEGIN SOLUTION\nseconds = 2\n### END SOLUTION", "answer", solution=True)
    return nbformat.writes(new_notebook(cells=[answer, cell(test, "test", grade=True, locked=True, points=1)]))


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    source = tmp_path / "courses" / "small" / "source" / "one"
    source.mkdir(parents=True)
    (source.parents[1] / "course.toml").write_text(COURSE, encoding="utf-8")
    (source / "one.ipynb").write_text(notebook("assert True"))
    (tmp_path / "reelwright.toml").write_text("")
    opened = Platform(Config.load(tmp_path / "reelwright.toml"))
    prepare.folders(opened)
    opened.config.models_dir.mkdir(parents=True)
    upgrade(opened.config.database_url)
    return opened


def test_a_lab_is_released_once_its_reference_and_its_blank_are_graded_right(platform: Platform) -> None:
    said: list[str] = []
    with pytest.raises(prepare.NotReady, match=r"small/one cannot be released.*gets points: test 1/1.*得分"):
        prepare.release_course(platform, platform.courses[0], said.append)
    assert platform.submissions.current_lab_version("small", "one") is None
    (platform.config.courses_dir / "small" / "source" / "one" / "one.ipynb").write_text(notebook("assert seconds == 2"))
    prepare.release_course(platform, platform.courses[0], said.append)
    assert platform.submissions.current_lab_version("small", "one") is not None
    prepare.release_course(platform, platform.courses[0], said.append)
    assert [line.split(" as ")[0] for line in said] == ["released small/one"]


RUBRIC = """
grade_id = "answer"
title = { zh = "答案", en = "The answer" }
[[criteria]]
id = "clear"
title = { zh = "清楚", en = "Clear" }
levels = [{ points = 3, text = { zh = "好", en = "Good" } }, { points = 0, text = { zh = "无", en = "None" } }]
"""


def test_a_rubric_of_other_points_than_the_cell_it_is_for_is_refused(platform: Platform) -> None:
    folder = platform.config.courses_dir / "small"
    (folder / "course.toml").write_text(COURSE + 'rubric = "answer.toml"\n', encoding="utf-8")
    (folder / "answer.toml").write_text(RUBRIC, encoding="utf-8")
    essay = {"grade": True, "solution": True, "locked": False, "task": False, "schema_version": 3}
    marked = nbformat.reads(notebook("assert seconds == 2"), as_version=4)
    marked.cells.append(new_markdown_cell("", metadata={"nbgrader": {**essay, "grade_id": "answer-two", "points": 2}}))
    (folder / "source" / "one" / "one.ipynb").write_text(nbformat.writes(marked).replace('"answer"', '"code"'))
    opened = Platform(platform.config)
    with pytest.raises(prepare.NotReady, match=r"the rubric \(answer\) is of 3 points.*got answer-two 2"):
        prepare.release_course(opened, opened.courses[0], lambda _: None)
    (folder / "answer.toml").write_text(
        RUBRIC.replace('"answer"', '"answer-two"').replace("points = 3", "points = 2"), encoding="utf-8"
    )
    prepare.release_course(opened, opened.courses[0], lambda _: None)


def test_a_recorded_lab_is_not_graded_again_and_a_changed_one_is(platform: Platform) -> None:
    course, said = platform.courses[0], []
    folder = platform.config.courses_dir / "small"
    # The reference gets no point here: only the record lets it through.
    (folder / "source" / "one" / "one.ipynb").write_text(notebook("assert seconds == 3"))
    write_record(folder, {"one": prepare.content_digest(folder, course.labs[0])})
    prepare.release_course(platform, course, said.append)
    assert [line.split(" as ")[0] for line in said] == ["released small/one"]
    (folder / "source" / "one" / "one.ipynb").write_text(notebook("assert seconds == 4"))
    with pytest.raises(prepare.NotReady, match="cannot be released"):
        prepare.release_course(platform, course, said.append)


def test_a_passed_course_is_recorded(platform: Platform) -> None:
    folder = platform.config.courses_dir / "small"
    (folder / "source" / "one" / "one.ipynb").write_text(notebook("assert seconds == 2"))
    prepare.release_course(platform, platform.courses[0], lambda _: None, record=True)
    assert read_record(folder) == {"one": prepare.content_digest(folder, platform.courses[0].labs[0])}


def test_a_record_that_cannot_be_read_stops_the_release_with_the_remedy(platform: Platform) -> None:
    (platform.config.courses_dir / "small" / "gate.toml").write_text("passed = [")
    with pytest.raises(prepare.NotReady, match=r"gate\.toml: got .* delete it"):
        prepare.release_course(platform, platform.courses[0], lambda _: None)


def test_the_shipped_record_is_of_the_shipped_labs() -> None:
    courses = Path(__file__).parent.parent.parent / "courses"
    for course in load_courses(courses):
        digests = {lab.id: prepare.content_digest(courses / course.id, lab) for lab in course.labs}
        assert read_record(courses / course.id) == digests, f"run: reelwright course release {course.id} --record"
