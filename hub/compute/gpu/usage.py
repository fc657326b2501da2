"""VALUE: how busy a lease's GPU was: samples by the minute, and what a whole session's samples come to. No I/O.

It is evidence, and what reclaiming an idle GPU goes by; it is never what a session is charged by. On a MIG slice the
driver tells no utilisation: memory and processes are what is known there.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

from hub.compute.chain import canonical
from hub.compute.lease import refuse_bad_int, refuse_bad_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST = 1 << 40
NVML = "nvml"


class Reading(NamedTuple):
    """What the driver says of a slice now; ``busy_percent`` is None where it does not tell."""

    busy_percent: int | None
    memory_mb: int
    processes: int


class Minute(NamedTuple):
    """The samples of one minute of one lease; ``busy_sum`` is the sum of percents of the ``rated`` ones among them."""

    minute: int
    samples: int
    rated: int
    busy_sum: int
    memory_mb: int
    processes: int

    def with_reading(self, seen: Reading) -> Minute:
        """The minute with one more sample."""
        return Minute(
            minute=self.minute,
            samples=self.samples + 1,
            rated=self.rated + (seen.busy_percent is not None),
            busy_sum=self.busy_sum + (seen.busy_percent or 0),
            memory_mb=max(self.memory_mb, seen.memory_mb),
            processes=max(self.processes, seen.processes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """How a lease used its GPU over some minutes: the mean of what was sampled, the most memory and processes."""

    samples: int
    busy_percent: float | None
    memory_mb: int
    processes: int


def use_of(minutes: Iterable[Minute]) -> GpuUse | None:
    """What minutes come to, None without a sample."""
    known = tuple(minutes)
    rated = sum(each.rated for each in known)
    if not known:
        return None
    return GpuUse(
        samples=sum(each.samples for each in known),
        busy_percent=sum(each.busy_sum for each in known) / rated if rated else None,
        memory_mb=max(each.memory_mb for each in known),
        processes=max(each.processes for each in known),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuEvidence:
    """A session's samples rolled up for the chain; ``sha256`` is the digest of its minutes, in their order."""

    lease: UUID
    source: str
    slice: str
    minutes: int
    samples: int
    rated: int
    busy_sum: int
    memory_mb: int
    sha256: str

    def __post_init__(self) -> None:
        for name in ("source", "slice", "sha256"):
            refuse_bad_name(name, getattr(self, name))
        for name in ("minutes", "samples", "rated", "busy_sum", "memory_mb"):
            refuse_bad_int(name, getattr(self, name), most=_MOST)
        refuse_bad_int("busy_sum", self.busy_sum, most=100 * self.rated)
        refuse_bad_int("rated", self.rated, most=self.samples)

    def as_body(self) -> dict[str, Any]:
        """As an entry of the chain keeps it."""
        return {**asdict(self), "lease": str(self.lease)}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """What :meth:`as_body` wrote."""
        return cls(**{**body, "lease": UUID(body["lease"])})


def rolled_up(lease: UUID, source: str, piece: str, minutes: Sequence[Minute]) -> GpuEvidence:
    """The evidence of a session's minutes on a slice."""
    return GpuEvidence(
        lease=lease,
        source=source,
        slice=piece,
        minutes=len(minutes),
        samples=sum(each.samples for each in minutes),
        rated=sum(each.rated for each in minutes),
        busy_sum=sum(each.busy_sum for each in minutes),
        memory_mb=max((each.memory_mb for each in minutes), default=0),
        sha256=digest_of_minutes(minutes),
    )


def digest_of_minutes(minutes: Sequence[Minute]) -> str:
    """SHA-256 of the canonical JSON of minutes, each as a list in the order of its fields."""
    return hashlib.sha256(canonical([list(each) for each in minutes]).encode()).hexdigest()
