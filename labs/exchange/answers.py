"""VALUE: what the intake answers, parsed strictly; names that become paths are checked here, once.

Times are integer microseconds since the epoch, UTC, by the server's clock.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from labs.language import LabError, Words
from labs.provenance.record import Record  # noqa: TC001 - pydantic reads it

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
State = Literal["queued", "grading", "graded", "needs_review", "failed"]


class IntakeError(LabError):
    """The intake refused, could not be reached, or answered something else than agreed. ``status`` is 0 without one."""

    def __init__(self, zh: str, en: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(zh, en)
        self.status = status
        self.code = code


class _Answer(BaseModel):
    # Extra members are let through: a newer intake may say more than an older lab understands.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Text(_Answer):
    """The same words in both languages."""

    zh: str = ""
    en: str = ""

    def __str__(self) -> str:
        return str(Words(self.zh, self.en))


class Taken(_Answer):
    """A lab in the making as the course took it: its revision, and the address of its page."""

    revision: Sha256
    page: str


class OpenLab(_Answer):
    """One lab of the learner's courses and when it may be handed in."""

    course: Slug
    lab: Slug
    version: str
    title: Text
    opens_us: int
    due_us: int
    closes_us: int
    attempts_allowed: int
    attempts_used: int

    def is_open(self, now_us: int) -> bool:
        """Whether it can be worked on and handed in at ``now_us``."""
        return self.opens_us <= now_us <= self.closes_us


class Labs(_Answer):
    """All labs the learner may see."""

    labs: tuple[OpenLab, ...]


class Session(_Answer):
    """The learner's running lab: when it ends and why, what it costs so far and what is left, in micro-yuan.

    ``hour_uy`` is the list price of an hour (None where nothing prices it), ``held_uy`` what it may still cost.
    ``alert`` is the highest of 50, 70, 80 and 100 percent of the allowance that is reached, None below.
    """

    course: Slug
    lab: str
    now_us: int
    started_us: int
    ends_us: int
    why: Literal["idle", "longest"]
    is_noticed: bool
    cost_uy: int | None
    left_uy: int
    hour_uy: int | None = None
    held_uy: int | None = None
    alert: int | None = None


class OrderedTake(_Answer):
    """A take that a take server was asked for: its place in the queue, then its steps, in the end its record."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    ahead: int = 0
    wait_seconds: float = 0
    step: int = 0
    steps: int = 0
    why: Text = Text()
    record: Record | None = None


class Receipt(_Answer):
    """The server's statement of what it took, and when."""

    submission_id: str
    learner: str
    course: Slug
    lab: Slug
    attempt: int = Field(ge=1)
    sha256: Sha256
    bytes: int
    received_us: int
    due_us: int
    late_us: int
    version: str


class SignedReceipt(_Answer):
    """A receipt as it was signed. ``receipt`` stays exactly as received: its signature covers every member."""

    receipt: dict[str, Any]
    signature: str

    def parsed(self) -> Receipt:
        """The receipt's members, checked."""
        return Receipt.model_validate(self.receipt)


class Item(_Answer):
    """One graded cell; ``score`` is None until a person has given it."""

    title: str
    score: float | None
    max_score: float
    reason: Text = Text()


class Attempt(_Answer):
    """One submission and what became of it."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    attempt: int = Field(ge=1)
    sha256: Sha256
    received_us: int
    state: State
    reason: Text = Text()
    """Why it failed, when it did."""
    score: float | None = None
    max_score: float | None = None
    items: tuple[Item, ...] = ()
    feedback: bool = False

    @property
    def has_result(self) -> bool:
        """Whether at least the automatic part is graded."""
        return self.state in ("graded", "needs_review")


class Attempts(_Answer):
    """All attempts at one lab."""

    submissions: tuple[Attempt, ...]


class Refusal(_Answer):
    """Why the intake did not do it."""

    code: str
    message: Text
    got: str = ""
    expected: str = ""

    def error(self, status: int) -> IntakeError:
        """The same reason as an error, with what was got and expected when it says so."""
        zh, en = self.message.zh, self.message.en
        if self.got or self.expected:
            zh += f"（得到：{self.got}；应为：{self.expected}）"
            en += f" (got: {self.got}; expected: {self.expected})"
        return IntakeError(zh, en, status=status, code=self.code)


class Refused(_Answer):
    """An error answer's whole body."""

    error: Refusal
