"""What tariffs and subsidy programmes share: a window in time, exact numbers as text, and how their TOML is read.

Amounts and percentages are text in the files ("0.50", "33.3333"): TOML's floats cannot hold them exactly.
"""

from __future__ import annotations

import bisect
import itertools
import tomllib
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PPM = 1_000_000
"""A whole, in parts per million: how percentages with four decimals are kept."""

Yuan = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$")]
Percent = Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?$")]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PolicyError(Exception):
    """A file of money rules cannot be used; the message names the file, what was got and what was expected."""


class Rule(BaseModel):
    """Base of everything parsed from the rule files: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Window(Rule):
    """In force from a moment, that moment included, until another, that one not; both with their UTC offset."""

    starts: AwareDatetime = Field(alias="from")
    ends: AwareDatetime | None = Field(default=None, alias="until")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends is not None and self.ends <= self.starts:
            raise ValueError(f"until: got {self.ends.isoformat()}, expected later than from {self.starts.isoformat()}")
        return self

    @cached_property
    def from_us(self) -> int:
        """When it comes into force."""
        return microseconds(self.starts)

    @cached_property
    def until_us(self) -> int | None:
        """When it is no longer in force; None when it has no end."""
        return None if self.ends is None else microseconds(self.ends)

    def covers(self, at_us: int) -> bool:
        """Whether it is in force at ``at_us``."""
        return self.from_us <= at_us and (self.until_us is None or at_us < self.until_us)

    def meets(self, from_us: int, until_us: int) -> bool:
        """Whether it is in force at any time from ``from_us`` to before ``until_us``."""
        return self.from_us < until_us and (self.until_us is None or from_us < self.until_us)

    def overlaps(self, other: Window) -> bool:
        """Whether both are in force at some time."""
        return (self.until_us is None or other.from_us < self.until_us) and (
            other.until_us is None or self.from_us < other.until_us
        )

    def edges(self) -> tuple[int, ...]:
        """The moments at which it starts and ends."""
        return (self.from_us,) if self.until_us is None else (self.from_us, self.until_us)


W = TypeVar("W", bound=Window)
R = TypeVar("R", bound=Rule)


def microseconds(moment: datetime) -> int:
    """Integer microseconds since the epoch, without passing through a float."""
    return (moment - _EPOCH) // _MICROSECOND


def parts_per_million(percent: str) -> int:
    """``"33.3333"`` as 333,333 millionths."""
    whole, _, part = percent.partition(".")
    return int(whole) * 10_000 + int(part.ljust(4, "0"))


def first_overlap(windows: Iterable[W]) -> tuple[W, W] | None:
    """Two windows that are in force at the same time, the earlier one first; None when there are none."""
    ordered = sorted(windows, key=lambda window: window.from_us)
    for earlier, later in itertools.pairwise(ordered):
        if earlier.overlaps(later):
            return earlier, later
    return None


def between(moments: Sequence[int], from_us: int, until_us: int) -> Sequence[int]:
    """Those of some ordered moments that lie strictly inside a span."""
    return moments[bisect.bisect_right(moments, from_us) : bisect.bisect_left(moments, until_us)]


def read_rules(kind: type[R], file: Path) -> R:
    """Parse one rule file.

    Raises:
        PolicyError: it is missing, no TOML, or breaks a rule of ``kind``.
    """
    try:
        return kind.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise PolicyError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise PolicyError(
            "\n".join([f"{file}: {error.error_count()} problem(s)", *map(_said, error.errors())])
        ) from error


def _said(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
    if problem["type"] == "extra_forbidden":
        return f"  {where}: unknown key"
    got = "" if problem["type"] == "value_error" else f" (got {problem['input']!r})"
    return f"  {where}: {problem['msg'].removeprefix('Value error, ')}{got}"
