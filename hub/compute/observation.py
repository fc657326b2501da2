"""VALUE: what a second witness (Docker, Slurm, a site's meter) saw of a session, and where it differs. Pure; no I/O.

A second witness never changes a charge. What it saw is kept in the chain, and differences over a second are reported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from hub.compute.chain import canonical
from hub.compute.lease import MAX_TIME_US, SECOND_US, refuse_bad_int, refuse_bad_name

if TYPE_CHECKING:
    from hub.compute.lease import Lease

AGREE_US = SECOND_US
"""Two witnesses that differ by no more than this agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """When a session ran as ``source`` saw it."""

    lease: UUID
    source: str
    started_us: int
    ended_us: int

    def __post_init__(self) -> None:
        refuse_bad_name("source", self.source)
        refuse_bad_int("started_us", self.started_us, most=MAX_TIME_US)
        refuse_bad_int("ended_us", self.ended_us, least=self.started_us, most=MAX_TIME_US)

    @property
    def subject(self) -> str:
        """What can be observed once: a session, by one source."""
        return hashlib.sha256(canonical([str(self.lease), self.source]).encode()).hexdigest()

    def as_body(self) -> dict[str, Any]:
        """As an entry of the chain keeps it."""
        said = {"source": self.source, "started_us": self.started_us, "ended_us": self.ended_us}
        return {**said, "lease": str(self.lease)}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """What :meth:`as_body` wrote."""
        return cls(**{**body, "lease": UUID(body["lease"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An observation that the ledger does not bear out; the offsets are the witness's time less the ledger's."""

    observation: Observation
    reason: str
    started_off_us: int = 0
    ended_off_us: int = 0


def difference(seen: Observation, lease: Lease | None) -> Difference | None:
    """Where an observation differs from its lease by more than a second; there is no lease if none was ever opened."""
    if lease is None:
        return Difference(observation=seen, reason="the ledger never opened this lease")
    if lease.started_us is None:
        return Difference(observation=seen, reason=f"the ledger says that it never started; it is {lease.state}")
    start_off = seen.started_us - lease.started_us
    if lease.ended_us is None:
        return Difference(observation=seen, reason="the ledger has no end of it yet", started_off_us=start_off)
    end_off = seen.ended_us - lease.ended_us
    if max(abs(start_off), abs(end_off)) <= AGREE_US:
        return None
    reason = "it ran at other times than the ledger says"
    return Difference(observation=seen, reason=reason, started_off_us=start_off, ended_off_us=end_off)
