"""VALUE: a take that a lab asked a take server for, and the order in which servers take them up. Pure; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hub.compute.lease import HOUR_US, MINUTE_US

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

State = Literal["waiting", "running", "done", "failed", "cancelled"]

RECENT_US = 24 * HOUR_US
"""A learner's turn comes by what they had of the servers in this time."""
AGED_US = 10 * MINUTE_US
"""Who has waited for so long is next, whatever they had: nobody starves."""
MOST_WAITING = 3
"""Takes that a learner may have in the queue at a time."""


class TakeRefused(Exception):  # noqa: N818 -- it names what happened
    """A take was not put into the queue; ``status`` is HTTP's word for it."""

    def __init__(self, status: int, code: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.status, self.code, self.zh, self.en = status, code, zh, en


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for, by whom and in which lab. ``steps`` and the like are as settled with the model's defaults."""

    id: UUID
    learner: str
    course: str
    lab: str
    cohort: str
    site: str
    profile: str
    prompt: str
    seed: int
    frames: int
    fps: int
    steps: int
    guidance: float
    asked_us: int
    longest_us: int
    """A server gives it up after this; so much is held of the allowance while it draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An order and what has become of it; ``fence`` grows with every server that takes it up."""

    order: Order
    state: State
    fence: int = 0
    lease: UUID | None = None
    step: int = 0
    beat_us: int = 0
    used_us: int = 0
    why_zh: str = ""
    why_en: str = ""
    record: str = ""


def in_order(waiting: Iterable[Order], used_us: dict[str, int], now_us: int) -> list[Order]:
    """Those who wait, next one first: who waited long, then who had least of late (in whole minutes), then who came."""

    def rank(order: Order) -> tuple[bool, int, int, str]:
        is_young = now_us - order.asked_us < AGED_US
        had = used_us.get(order.learner, 0) // MINUTE_US if is_young else 0
        return (is_young, had, order.asked_us, str(order.id))

    return sorted(waiting, key=rank)
