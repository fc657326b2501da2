"""VALUE: a rubric as its TOML file in the course folder says it, published to trainees before they hand anything in."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.course import CourseError, Text

if TYPE_CHECKING:
    from pathlib import Path

    from hub.course import Course, Lab


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Level(_Part):
    """What a piece of work must show to get ``points`` for a criterion."""

    points: float = Field(ge=0)
    title: Text | None = None
    text: Text


class Criterion(_Part):
    """One thing a person looks at, with its levels."""

    id: str
    title: Text
    levels: tuple[Level, ...] = Field(min_length=2)
    gap: float | None = Field(default=None, ge=0)
    """Points by which two readers may differ before a third decides; the rubric's own where it is not said."""

    @property
    def most(self) -> float:
        """The points of the best level."""
        return max(level.points for level in self.levels)


class Rubric(_Part):
    """What is graded by hand, and how."""

    title: Text
    grade_id: str = ""
    """The cell it is for; empty for whichever cell of the lab has as many points."""
    gap: float = Field(default=1, ge=0)
    criteria: tuple[Criterion, ...] = Field(min_length=1)

    @property
    def most(self) -> float:
        """The points of all criteria together."""
        return sum(criterion.most for criterion in self.criteria)


def load_rubric(file: Path) -> Rubric:
    """Parse ``file``.

    Raises:
        CourseError: the file is missing or is no rubric.
    """
    try:
        return parse_rubric(file.read_bytes(), str(file))
    except OSError as error:
        raise CourseError(f"{file}: not a rubric: {error}") from error


def parse_rubric(content: bytes, name: str) -> Rubric:
    """The rubric that ``content`` is; ``name`` is what it is called in the error.

    Raises:
        CourseError: it is none.
    """
    try:
        return Rubric.model_validate(tomllib.loads(content.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise CourseError(f"{name}: not a rubric: {error}") from error


def lab_rubric(courses_dir: Path, course: Course, lab: Lab) -> Rubric | None:
    """The rubric of a lab, None when nothing is graded by hand.

    Raises:
        CourseError: the file is missing or is no rubric.
    """
    return load_rubric(courses_dir / course.id / lab.rubric) if lab.rubric else None
