"""VALUE: who is next for a GPU, and how long it may take. Pure rules over what the store read; no I/O.

The order of those who wait for one class:

1. who has waited for :data:`AGED_US` or more, first come first served: nobody starves;
2. sites that hold fewer seats than their floor, the one that lacks most first;
3. learners with less GPU time of late, counted in whole hours so that minutes do not decide;
4. first come, first served.

A seat that a reservation needs, now or before the session could end, is not given to anybody else.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hub.compute.gpu.slice import Place
from hub.compute.lease import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from hub.compute.gpu.slice import GpuRequest, Hold, Reservation

AGED_US = HOUR_US // 2


def in_order(
    waiting: Iterable[GpuRequest], holds: Iterable[Hold], floors: Mapping[str, int], now_us: int
) -> list[GpuRequest]:
    """Those who wait for one class, next one first."""
    held = Counter(hold.site for hold in holds)

    def rank(request: GpuRequest) -> tuple[bool, int, int, int, str]:
        if now_us - request.requested_us >= AGED_US:
            return (False, 0, 0, request.requested_us, str(request.lease))
        lacking = max(0, floors.get(request.site, 0) - held[request.site])
        return (True, -lacking, request.used_us // HOUR_US, request.requested_us, str(request.lease))

    return sorted(waiting, key=rank)


def next_served(
    ordered: Sequence[GpuRequest], holds: Sequence[Hold], kept: Sequence[Reservation], free: int, now_us: int
) -> GpuRequest | None:
    """The first in order that may have a free seat; one whom a reservation holds back does not hold back the rest."""
    return next((request for request in ordered if may_start(request, holds, kept, free, now_us)), None)


def may_start(request: GpuRequest, holds: Sequence[Hold], kept: Sequence[Reservation], free: int, now_us: int) -> bool:
    """Whether one of ``free`` seats is left for this request when reservations for other cohorts are kept."""
    claimed = 0
    for window in kept:
        is_near = window.from_us < now_us + request.longest_us and window.until_us > now_us
        if is_near and window.cohort != request.cohort:
            its_own = sum(1 for hold in holds if hold.cohort == window.cohort)
            claimed += max(0, window.seats - its_own)
    return claimed < free


def place_of(lease: UUID, ordered: Sequence[GpuRequest], holds: Iterable[Hold], free: int, now_us: int) -> Place:
    """Where ``lease`` stands, and the latest time at which its turn comes if every session takes its longest.

    The bound looks at one round of sessions: beyond it nothing honest can be said.
    """
    ahead = [request.lease for request in ordered].index(lease)
    ends = sorted(max(hold.until_us, now_us) for hold in holds)
    turn = ahead - free
    if turn < 0:
        return Place(ahead=ahead, wait_us=0)
    return Place(ahead=ahead, wait_us=ends[turn] - now_us if turn < len(ends) else None)
