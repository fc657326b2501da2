"""VALUE: a programme, the track over several courses, as ``courses/programmes.toml`` says it; no other I/O."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.course import CourseError, Slug, Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub.course import Course

FILE = "programmes.toml"
LEAST_COURSES = 2
"""A programme of one course would say again what the certificate of that course says."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Programme(_Part):
    """A certificate track; a course names the one it belongs to."""

    id: Slug
    version: str = Field(min_length=1)
    title: Text
    summary: Text

    def courses(self, known: Sequence[Course]) -> tuple[Course, ...]:
        """Those of ``known`` that belong to it; none when they are too few to make a programme."""
        mine = tuple(course for course in known if course.programme == self.id)
        return mine if len(mine) >= LEAST_COURSES else ()


class _File(_Part):
    programmes: tuple[Programme, ...]

    @model_validator(mode="after")
    def _ids_differ(self) -> _File:
        ids = [programme.id for programme in self.programmes]
        if len(set(ids)) != len(ids):
            raise ValueError(f"programmes: got {ids}, expected each id once")
        return self


def load_programmes(root: Path, courses: Sequence[Course]) -> tuple[Programme, ...]:
    """The programmes that ``root`` names; none without the file.

    Raises:
        CourseError: the file is wrong, or a programme is called like a course.
    """
    file = root / FILE
    if not file.is_file():
        return ()
    try:
        found = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).programmes
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{file}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise CourseError(f"{file}: {error}") from error
    if both := {programme.id for programme in found} & {course.id for course in courses}:
        raise CourseError(f"{file}: got {sorted(both)}, expected names that no course has")
    return found
