"""The rubrics that the courses of this repository ship can be published."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.course import CourseError, load_courses
from hub.portal.rubric import load_rubric

COURSES = Path(__file__).parents[3] / "courses"


def test_every_rubric_of_every_course_can_be_shown() -> None:
    shown = [
        load_rubric(COURSES / course.id / lab.rubric)
        for course in load_courses(COURSES)
        for lab in course.labs
        if lab.rubric
    ]
    assert shown
    for rubric in shown:
        assert rubric.most > 0
        assert all(level.text.zh and level.text.en for criterion in rubric.criteria for level in criterion.levels)


@pytest.mark.parametrize("content", ["", "not toml [", 'title = { zh = "x", en = "y" }\ncriteria = []\n'])
def test_a_file_that_is_no_rubric_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rubric.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(CourseError, match=r"rubric\.toml"):
        load_rubric(file)
