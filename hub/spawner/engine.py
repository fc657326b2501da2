"""An engine as the platform sees it: what a lab is, what a start needs, who settles leases, what ends every lab.

One per value of ``engine`` in the configuration; nothing outside this package asks which one it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hub.platform import Platform
    from hub.spawner.witness import Ending


class EngineNotReady(Exception):  # noqa: N818 -- it names the state
    """The engine cannot place labs here; the message says what is missing and how to get it."""


class LabWitness(Protocol):
    """What somebody other than the learner saw of one lease's lab."""

    def alive(self) -> bool:
        """Whether the lab runs."""

    def started_us(self) -> int | None:
        """When it began, microseconds UTC; None when it has not."""

    def ending(self) -> Ending | None:
        """How it ended; None while it runs, or when it never began."""


class LabEngine(Protocol):
    """What every engine answers."""

    source: str
    """Who says when a lab began and ended, as the ledger records it."""
    start_seconds: int
    """How long a start may take before JupyterHub gives it up."""
    has_gate: bool
    """Whether labs reach the hub through a gate of their own (``reelwright serve gate``)."""

    def lab_class(self) -> type:
        """The spawner class of one learner's lab."""

    def isolation(self) -> str:
        """How well labs are kept apart, in a few words for the operator."""

    def warning(self) -> str:
        """What everybody must be told about weak isolation, in both languages; empty when there is nothing to say."""

    def make_ready(self, say: Callable[[str], None]) -> None:
        """Make what labs need.

        Raises:
            EngineNotReady: it cannot be made here.
        """

    def witness(self, lease_id: UUID) -> LabWitness:
        """Who saw the lab of a lease."""

    def reconcile(self) -> int:
        """Settle every open lease whose lab is gone, by what its witness saw; returns how many were settled."""

    def beat(self) -> None:
        """Keep that labs were seen running, where nobody beside them does; it bounds an end that nobody saw."""

    def end_labs(self) -> int:
        """End every lab, saved by its server's own shutdown, and return how many there were."""


def engine_of(platform: Platform) -> LabEngine:
    """The engine that the configuration names."""
    if platform.config.engine == "docker":
        from hub.spawner.docker_engine import DockerEngine  # noqa: PLC0415 -- only hosts with Docker need its client

        return DockerEngine(platform)
    from hub.spawner.local_engine import LocalEngine  # noqa: PLC0415

    return LocalEngine(platform)
