"""VALUES: what is to be graded, under which limits, and what the checker decided. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping


@dataclass(frozen=True)
class Limits:
    """Caps on one run. Seconds, MiB, a count of processes and threads, and bytes of shown output."""

    wall_seconds: int = 120
    cpu_seconds: int = 120
    memory_mb: int = 3072
    processes: int = 128
    disk_mb: int = 512
    output_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse a cap that would stop every run.

        Raises:
            ValueError: a limit is not a positive number.
        """
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"limits.{name}: got {value}, expected a positive number")


@dataclass(frozen=True)
class LabVersion:
    """One lab as it stood when the learner fetched it; ``version`` is the SHA-256 of the source notebook."""

    course: str
    lab: str
    version: str
    source: bytes
    """The instructor's notebook with solutions and hidden tests; it never enters the learner's box."""
    release: bytes
    """The skeleton that learners got."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Other released files by relative path; tests read them as released, whatever the learner did to them."""
    read_only: tuple[tuple[str, str], ...] = ()
    """Host path and path in the box, e.g. of the models folder."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GradingJob:
    """One submission of one lab version, and how much it may use."""

    submission_id: str
    lab_version: LabVersion
    notebook: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    gpu: str = ""
    """UUID of the GPU that the learner's code is given; empty for none."""


@dataclass(frozen=True)
class CellScore:
    """The points of one graded cell. A manual cell has score 0 until a person gives one."""

    grade_id: str
    title: str
    kind: Literal["auto", "manual"]
    score: float
    max_score: float
    reason_zh: str
    reason_en: str
    output: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a run did not come to its end, and whose doing that was."""

    kind: Literal["learner", "infrastructure"]
    reason_zh: str
    reason_en: str


@dataclass(frozen=True)
class ProducedFile:
    """A regular file the learner's cells left in their working folder; ``bytes`` is its size."""

    path: str
    sha256: str
    bytes: int
    content: builtins.bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Verdict:
    """What the checker decided; ``notebook`` may be shown to the learner: no solutions, hidden tests or scripts."""

    cells: tuple[CellScore, ...]
    notebook: bytes
    failure: Failure | None = None
    seconds: float = 0.0
    files: tuple[ProducedFile, ...] = ()
    overwritten: tuple[str, ...] = ()
    """Files released with the lab that the learner's cells wrote anew; tests looked at those released."""

    @property
    def score(self) -> float:
        """Points given by the checker; hand-given ones come later."""
        return sum(cell.score for cell in self.cells)

    @property
    def max_score(self) -> float:
        """All points of the lab, those given by hand included."""
        return sum(cell.max_score for cell in self.cells)
