"""VALUE: a lab in the making, and what was found out about it; no I/O."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.course import Lab, Slug, Text  # noqa: TC001 -- pydantic reads the fields' types

RUBRIC = "rubric.toml"
"""The file beside the notebook that says how answers are graded by hand; learners get it too."""
STEPS = 4
"""Of a check: the learners' version is made, the reference and the blank are graded, the outcome is written."""

Standing = Literal["draft", "released", "changed"]
What = Literal["check", "release"]
State = Literal["waiting", "running", "passed", "refused", "failed"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Draft(_Part):
    """A lab that an instructor makes: its entry as in ``course.toml``, who works on it, and what was released of it."""

    lab: Lab
    starter: Slug
    made_by: str = Field(min_length=1)
    made_us: int
    sent_by: str = ""
    sent_us: int | None = None
    is_released: bool = False
    """Whether learners have it now; a lab that was taken back keeps its revision."""
    released_revision: str = ""
    """Digest of the files that were released last."""

    def standing(self, revision: str) -> Standing:
        """How its files, whose digest is ``revision``, stand to what learners have."""
        if not self.is_released:
            return "draft"
        return "released" if revision == self.released_revision else "changed"


class Outcome(_Part):
    """What became of the last check or release of a draft. Points are automatic ones; times are microseconds."""

    what: What
    state: State
    content: str
    """Digest of the files and limits that were looked at; of another content this says nothing."""
    asked_by: str
    began_us: int
    ended_us: int | None = None
    done: int = Field(default=0, ge=0, le=STEPS)
    version: str = ""
    findings: tuple[Text, ...] = ()
    points: float = 0.0
    hand_points: float = 0.0
    reference_score: float = 0.0
    blank_score: float = 0.0
    reference_seconds: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"passed", "refused", "failed"}
