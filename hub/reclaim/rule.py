"""VALUE: when a running lab ends by itself, and the notice that is given before. Pure; no I/O.

A lab ends when nobody has used it for its profile's idle time, or when its longest session is over, whichever comes
first. A class of its cohort counts as use. The longest session is the lease's and never moves: no more is billed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hub.compute.lease import MINUTE_US

if TYPE_CHECKING:
    from hub.compute.class_window import Spans
    from hub.compute.lease import Lease

NOTICE_US = 5 * MINUTE_US
"""Nobody's lab ends with less notice than this."""
ROUND_US = MINUTE_US
"""How often somebody looks: a notice is given this much before it must be."""

OVERDUE_US = 2 * (NOTICE_US + ROUND_US)
"""A lab that runs this long past its longest session is one that nobody knows of any more."""

Why = Literal["idle", "longest"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person was told: since ``given_us`` that the lab ends at ``stops_us``, and why."""

    given_us: int
    stops_us: int
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A running lab: since when, for how long at most, when it was last used, its idle limit, its cohort's classes."""

    started_us: int
    longest_us: int
    used_us: int
    idle_us: int
    classes: Spans = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """When the lab ends and why, as things stand; ``notice`` is what stands of a notice, or is given now."""

    ends_us: int
    why: Why
    notice: Notice | None
    is_over: bool


def outlook(life: Life, notice: Notice | None, now_us: int) -> Outlook:
    """What is to be expected of a lab at ``now_us``; a notice is void once the lab was used or its end moved back."""
    ends_us, why = _end(life, now_us)
    # Told in whole seconds and over a network, the same last use may seem a little later each time: that is no use.
    if notice is not None and ends_us > notice.stops_us + ROUND_US:
        notice = None
    if notice is None and ends_us - now_us <= NOTICE_US + ROUND_US:
        notice = Notice(now_us, max(ends_us, now_us + NOTICE_US), why)
    if notice is None:
        return Outlook(ends_us, why, None, is_over=False)
    return Outlook(notice.stops_us, notice.why, notice, is_over=now_us >= notice.stops_us)


def is_overdue(lease: Lease, now_us: int) -> bool:
    """Whether whoever should have ended a lab has failed to: its session is over, notice and all, and it runs on."""
    return lease.started_us is not None and now_us > lease.started_us + lease.longest_us + OVERDUE_US


def _end(life: Life, now_us: int) -> tuple[int, Why]:
    used_us = max([life.used_us, *(min(now_us, until) for since, until in life.classes if since <= now_us)])
    idle_end = used_us + life.idle_us
    longest_end = life.started_us + life.longest_us
    return (idle_end, "idle") if idle_end < longest_end else (longest_end, "longest")
