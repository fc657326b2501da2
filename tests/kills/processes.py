"""What both engines have in common: the hub, the spawner within it, and the steward, which reconciles and meters."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.kills.judge import Span
    from tests.kills.world import World

MOST_LINES = 600
"""A start, a look and a stop burn some three hundred lines of the spawner's steps."""
FUSE_SECONDS = 10.0
PATIENCE_SECONDS = 5.0


class Victims(ABC):
    """Kills what is named; what a supervisor would start again is started again."""

    deck: ClassVar[tuple[str, ...]]
    """Who is killed how often in a round."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.killed: dict[str, int] = {}
        """When the witness of a lease was killed, microseconds UTC."""

    def kill(self, victim: str, rng: random.Random) -> bool:
        """Kill once; False when there was nobody to kill."""
        match victim:
            case "hub":
                return self.restarted("hub")
            case "meter":
                return self.restarted("steward")
            case "spawner":
                return self._burnt(rng)
        return self.hit(victim, rng)

    @abstractmethod
    def hit(self, victim: str, rng: random.Random) -> bool:
        """Kill one of the engine's own parts."""

    @abstractmethod
    def settle(self) -> None:
        """End every lab, so that nothing of the instance runs any more."""

    @abstractmethod
    def diaries(self) -> dict[str, Span]:
        """When each lab first and last wrote that it ran."""

    def restarted(self, name: str) -> bool:
        """Kill a process of ours and start it again."""
        self.world.kill(name)
        self.world.start(name)
        return True

    def _burnt(self, rng: random.Random) -> bool:
        """Have the hub die at a random line of a start, a look or a stop."""
        self.world.wait_for_hub()
        self.world.fuse.lines = rng.randint(1, MOST_LINES)
        if not waited(lambda: self.world.has_died("hub"), FUSE_SECONDS):
            self.world.fuse.lines = 0
            return False
        return self.restarted("hub")


def waited(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether something came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
