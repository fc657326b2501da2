"""VALUE: a course as its ``course.toml`` says it; parsed once, refused with a reason, no other I/O."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.compute.lease import micro_yuan

if TYPE_CHECKING:
    from pathlib import Path

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Percent = Annotated[float, Field(ge=0, le=100)]


class CourseError(Exception):
    """A course folder cannot be used; the message names the file, what was got and what was expected."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Part):
    """The same words in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_locale(self, locale: str) -> str:
        """The words for ``locale`` (``zh_CN`` or ``en``)."""
        return self.zh if locale.startswith("zh") else self.en


class Skill(_Part):
    """Something the certificate says the holder can do."""

    id: Slug
    title: Text
    valid_months: int | None = Field(default=None, ge=1, le=600)
    """How long it counts where a skill ages; the certificate ends with the first of its skills that does."""


class CompletionRule(_Part):
    """When a course is completed. Scores and rubric in percent; lab time in metered minutes."""

    min_score: Percent
    """Weighted over all labs, automatic and hand-given points together."""
    min_lab_score: Percent = 0
    """Every lab by itself."""
    min_rubric: Percent = 0
    """Hand-given points alone, over the labs that have a rubric."""
    min_lab_minutes: float = Field(default=0, ge=0)


class Late(_Part):
    """What lateness costs, by server time."""

    grace_minutes: int = Field(default=0, ge=0)
    percent_per_day: Percent = 0
    last_day: int = Field(default=0, ge=0)
    """Days after the due date on which a submission is still taken; 0 closes at the due date plus grace."""


class Lab(_Part):
    """One nbgrader assignment of the course and how it is run and graded."""

    id: Slug
    title: Text
    summary: Text
    minutes: int = Field(ge=1)
    profile: str = "cpu"
    weight: float = Field(gt=0)
    due_after_days: int = Field(ge=1)
    attempts: int = Field(default=5, ge=1)
    counts: Literal["best", "last"] = "best"
    late: Late = Late()
    skills: tuple[Slug, ...] = ()
    rubric: str = ""
    """Path of the rubric inside the course folder; empty when nothing is graded by hand."""
    graders: Literal[1, 2] = 1
    """How many people read each hand-graded answer; two do not see each other's marks."""
    appeal_days: int = Field(default=7, ge=0, le=365)
    """How long after the release of its marks a trainee may appeal; 0 for never."""
    time_limit_seconds: int = Field(default=120, ge=5, le=3600)
    memory_mb: int = Field(default=3072, ge=256)
    needs_model: bool = False


class Allowance(_Part):
    """The compute a learner of this course is granted, in yuan at list price."""

    yuan: Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,6})?$")]

    @property
    def micro_yuan(self) -> int:
        """The grant as an integer."""
        return micro_yuan(self.yuan)


AI_USE = Text(
    zh="学员按课程要求使用生成式视频模型；模型、提示词与种子均有记录。",
    en="The holder used generative video models as the course asks; each take's model, prompt and seed are on record.",
)


class Course(_Part):
    """A unit of a programme with its own gradebook."""

    id: Slug
    programme: Slug
    version: str
    place: int = Field(default=0, ge=0)
    """Where lists show it: the lowest first, those of one place by id."""
    level: Literal["foundation", "intermediate", "advanced"] | None = None
    """As certificates say it; left out, they say none."""
    title: Text
    summary: Text
    skills: tuple[Skill, ...]
    completion: CompletionRule
    allowance: Allowance
    ai_use: Text = AI_USE
    """What the certificate says about the holder's use of generative models."""
    labs: tuple[Lab, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_agree(self) -> Course:
        lab_ids = [lab.id for lab in self.labs]
        if len(set(lab_ids)) != len(lab_ids):
            raise ValueError(f"labs: got {lab_ids}, expected each id once")
        known = {skill.id for skill in self.skills}
        for lab in self.labs:
            if unknown := set(lab.skills) - known:
                raise ValueError(f"labs.{lab.id}.skills: got {sorted(unknown)}, expected some of {sorted(known)}")
        return self

    def lab(self, lab_id: str) -> Lab:
        """The lab called ``lab_id``.

        Raises:
            KeyError: the course has no such lab.
        """
        for lab in self.labs:
            if lab.id == lab_id:
                return lab
        raise KeyError(lab_id)


def load_course(folder: Path) -> Course:
    """Parse ``folder/course.toml`` and check that what it points at is there.

    Raises:
        CourseError: anything is missing, unknown or wrong.
    """
    file = folder / "course.toml"
    try:
        course = Course.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise CourseError(f"{file}: no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{file}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise CourseError(f"{file}: {error}") from error
    if course.id != folder.name:
        raise CourseError(f"{file}: id is {course.id!r}, expected the folder's name {folder.name!r}")
    for lab in course.labs:
        for needed in (f"source/{lab.id}/{lab.id}.ipynb", lab.rubric):
            if needed and not (folder / needed).is_file():
                raise CourseError(f"{file}: lab {lab.id!r} needs {needed}, which is not there")
    return course


def load_courses(root: Path) -> tuple[Course, ...]:
    """All courses under ``root``, by place and id.

    Raises:
        CourseError: a course is wrong, or there is none.
    """
    courses = [load_course(file.parent) for file in root.glob("*/course.toml")]
    if not courses:
        raise CourseError(f"{root}: holds no course (expected <course>/course.toml)")
    return tuple(sorted(courses, key=lambda course: (course.place, course.id)))
