"""What a session comes to: a pure function of when it ran, the policy it was opened under, and what caps have left.

Clocks may step and engines may lag, so the rules are:

1. The length is the one measured by a clock that cannot step, where the engine has one; else end minus start; never
   negative.
2. What is billed is at most the longest session the lease was opened for: stopping it in time is the platform's duty.
3. It is priced from its start, and a start that cannot be (before its request, or more than a day after) is moved to
   the nearest moment that can. With 2 this keeps every charge within what was held.
4. Whatever had to be put right is flagged, and a flagged line is an estimate.
"""

from __future__ import annotations

import itertools
from collections import ChainMap
from typing import TYPE_CHECKING, NamedTuple

from hub.compute.dated import between
from hub.compute.lease import DAY_US, MINUTE_US, SECOND_US
from hub.compute.subsidy import LEARNER, Beneficiary, CapKey, Part, cap_keys, split
from hub.compute.tariff import Stretch, charge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from hub.compute.class_window import Spans
    from hub.compute.lease import Lease, LeaseRequest
    from hub.compute.policy import Policy

START_WITHIN_US = DAY_US
"""A start later than this after its request is not believed."""
CLOCKS_AGREE_US = SECOND_US
"""Two clocks that differ by more than this are not the same time."""
FUTURE_US = MINUTE_US
"""An end may lie this far ahead of the ledger's own clock before it is flagged."""
OVERRUN = "overrun"


class Run(NamedTuple):
    """When a session ran, by its engine; ``measured_us`` is its length by a clock that cannot step, if there is one."""

    started_us: int
    ended_us: int
    uncertainty_us: int
    measured_us: int | None
    recorded_us: int


class ChargeLine(NamedTuple):
    """What one payer pays of one stretch of one session; see :data:`hub.compute.tables.charge_line`."""

    lease: UUID
    segment: int
    line: int
    learner: str
    course: str
    lab: str
    cohort: str
    site: str
    profile: str
    day: str
    from_us: int
    until_us: int
    tariff: str
    programme: str
    payer: str
    amount_uy: int
    sessions: int
    billed_us: int
    gpu_us: int
    total_uy: int
    estimated: bool


class Settlement(NamedTuple):
    """The sums of a session and the lines they come from."""

    billed_us: int
    gpu_us: int
    charge_uy: int
    in_class_uy: int
    subsidised_uy: int
    subsidised_us: int
    subsidised_gpu_us: int
    flags: tuple[str, ...]
    lines: tuple[ChargeLine, ...]

    @property
    def estimated(self) -> bool:
        """Whether a time in it had to be put right or was not known to the second."""
        return estimated(self.flags)


class Shared(NamedTuple):
    """A stretch, how its price is shared out, and what programmes pay of it."""

    stretch: Stretch
    parts: tuple[Part, ...]
    subsidised_uy: int


def estimated(flags: tuple[str, ...]) -> bool:
    """Whether flags make a session's sums an estimate: an overrun does not, it is simply not charged."""
    return any(flag != OVERRUN for flag in flags)


def settle(
    lease: LeaseRequest | Lease, run: Run, policy: Policy, used: Mapping[CapKey, int], spared: Spans = ()
) -> Settlement:
    """What ``lease`` comes to, given that it ran as ``run`` says and programmes have paid ``used`` so far.

    ``spared`` are the class windows it was opened under.
    """
    length = run.ended_us - run.started_us if run.measured_us is None else run.measured_us
    billed = max(0, min(length, lease.longest_us))
    begin = min(max(run.started_us, lease.requested_us), lease.requested_us + START_WITHIN_US)
    who = Beneficiary(lease.learner, lease.course, lease.site, lease.profile, "")
    shared = share(who, policy, begin, begin + billed, used, spared)
    flags = _flags(lease, run, length, priced=all(piece.stretch.price for piece in shared))
    lines = tuple(_lines(lease, shared, estimated=estimated(flags)))
    return _summed(shared, spared, flags, lines)


def _summed(
    shared: Iterable[Shared], spared: Spans, flags: tuple[str, ...], lines: tuple[ChargeLine, ...]
) -> Settlement:
    billed_us = gpu_us = charge_uy = in_class_uy = subsidised_uy = subsidised_us = subsidised_gpu_us = 0
    for stretch, _, paid_uy in shared:
        billed, gpu, total = stretch.billed_us, stretch.gpu_us, stretch.total_uy
        billed_us += billed
        gpu_us += gpu
        charge_uy += total
        if spared and _in_class(stretch, spared):
            in_class_uy += total
        if paid_uy:
            subsidised_uy += paid_uy
            subsidised_us += billed * paid_uy // total
            subsidised_gpu_us += gpu * paid_uy // total
    return Settlement(
        billed_us=billed_us,
        gpu_us=gpu_us,
        charge_uy=charge_uy,
        in_class_uy=in_class_uy,
        subsidised_uy=subsidised_uy,
        subsidised_us=subsidised_us,
        subsidised_gpu_us=subsidised_gpu_us,
        flags=flags,
        lines=lines,
    )


def taken_so_far(lease: Lease, spared: Spans, policy: Policy, at_us: int) -> int:
    """What a running lease has used of an allowance by now, at list price: less its class time, at most its hold."""
    begin = lease.started_us if lease.started_us is not None else at_us
    end = max(begin, min(at_us, begin + lease.longest_us))
    stretches = charge(policy.prices, lease.profile, begin, end, itertools.chain.from_iterable(spared))
    return min(lease.held_uy, sum(piece.total_uy for piece in stretches if not _in_class(piece, spared)))


def share(
    who: Beneficiary, policy: Policy, from_us: int, until_us: int, used: Mapping[CapKey, int], cuts: Spans = ()
) -> tuple[Shared, ...]:
    """Price a span and share each stretch of it between payers, counting caps down from stretch to stretch."""
    # Laid over what was used, not a copy of it: when a chain is checked, that is everything for everybody.
    more: dict[CapKey, int] = {}
    counted, pieces = used, list[Shared]()
    edges = (*between(policy.subsidies.edges, from_us, until_us), *itertools.chain.from_iterable(cuts))
    stretches = charge(policy.prices, who.profile, from_us, until_us, edges)
    for place, stretch in enumerate(stretches):
        there = Beneficiary(*who[:4], stretch.hardware_origin, stretch.provider)
        year = int(stretch.day[:4])
        parts = split(
            stretch.total_uy,
            at_us=stretch.from_us,
            year=year,
            who=there,
            book=policy.subsidies,
            used=counted,
        )
        pieces.append(Shared(stretch, parts, sum([part.amount_uy for part in parts if part.payer != LEARNER])))
        if place < len(stretches) - 1:  # nobody asks after the last one
            counted = ChainMap(more, used)  # type: ignore[arg-type]  # only the first map is written
            for programme, paid in _paid(parts).items():
                for key in cap_keys(programme, year, who.learner, who.site):
                    more[key] = counted.get(key, 0) + paid
    return tuple(pieces)


def cap_uses(lines: tuple[ChargeLine, ...]) -> dict[CapKey, int]:
    """How much each cap key is used up by a settlement's lines."""
    paid: dict[tuple[str, str], int] = {}
    for line in lines:
        if line.payer != LEARNER:
            place = line.programme, line.day[:4]
            paid[place] = paid.get(place, 0) + line.amount_uy
    return {
        key: amount
        for (programme, year), amount in paid.items()
        for key in cap_keys(programme, int(year), lines[0].learner, lines[0].site)
    }


def _paid(parts: tuple[Part, ...]) -> dict[str, int]:
    """What programmes pay of a stretch."""
    paid: dict[str, int] = {}
    for part in parts:
        if part.payer != LEARNER:
            paid[part.programme] = paid.get(part.programme, 0) + part.amount_uy
    return paid


def _flags(lease: LeaseRequest | Lease, run: Run, length: int, *, priced: bool) -> tuple[str, ...]:
    """What had to be put right, in the order of the alphabet."""
    late = run.started_us - lease.requested_us
    stepped = (
        length < 0
        or not -CLOCKS_AGREE_US <= late <= START_WITHIN_US
        or abs(run.ended_us - run.started_us - length) > CLOCKS_AGREE_US
        or run.ended_us > run.recorded_us + FUTURE_US
    )
    found = (
        (stepped, "clock"),
        (length > lease.longest_us, OVERRUN),
        (run.uncertainty_us > CLOCKS_AGREE_US, "uncertain"),
        (not priced, "unpriced"),
    )
    return tuple([flag for is_so, flag in found if is_so])


def _in_class(stretch: Stretch, spared: Spans) -> bool:
    # Stretches are cut at the windows' edges, so one that begins in a window lies in it.
    return any(begin <= stretch.from_us < end for begin, end in spared)


def _lines(lease: LeaseRequest | Lease, pieces: tuple[Shared, ...], *, estimated: bool) -> Iterator[ChargeLine]:
    whose = (lease.learner, lease.course, lease.lab, lease.cohort, lease.site, lease.profile)
    begun: set[str] = set()
    for segment, (stretch, parts, _) in enumerate(pieces):
        when = (stretch.day, stretch.from_us, stretch.until_us, stretch.tariff)
        measures = (stretch.billed_us, stretch.gpu_us, stretch.total_uy)
        led: set[str] = set()
        for place, part in enumerate(parts):
            leads = part.programme not in led
            counts = (int(leads and part.programme not in begun), *(measures if leads else (0, 0, 0)))
            yield ChargeLine(lease.id, segment, place, *whose, *when, *part, *counts, estimated)
            led.add(part.programme)
            begun.add(part.programme)
