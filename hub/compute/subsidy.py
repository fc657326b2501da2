"""Subsidy programmes: who pays how much of a session's list price, up to which caps. Pure, but for reading the file.

Programmes are asked in the order of the file. Each pays its rate of the list price, rounded down to a micro-yuan, never
more than what is left unpaid nor than its caps leave; what remains is the learner's. Between a programme's payers the
micro-yuan that do not divide go to those with the largest remainder, first named first: every split sums exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

from pydantic import Field, model_validator

from hub.compute.dated import PPM, Percent, Rule, RuleId, Window, Yuan, first_overlap, parts_per_million, read_rules
from hub.compute.lease import micro_yuan
from hub.course import Text  # noqa: TC001 - pydantic reads the annotations when the class is made

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

LEARNER = "learner"
"""The payer of what no programme pays."""


class Payer(Rule):
    """Who pays a share of what a programme pays."""

    id: RuleId
    title: Text
    share_percent: Percent

    @cached_property
    def ppm(self) -> int:
        """Its share in parts per million."""
        return parts_per_million(self.share_percent)


class CapKey(NamedTuple):
    """What a programme has paid is counted for, by calendar year: a learner, a site, or everyone (``who`` empty)."""

    programme: str
    year: int
    scope: str
    who: str


class Beneficiary(NamedTuple):
    """The facts of a session that programmes ask about."""

    learner: str
    course: str
    site: str
    profile: str
    hardware_origin: str


class Programme(Window):
    """One version of a funder's rule. Empty lists mean no restriction; caps are for a calendar year."""

    id: RuleId
    title: Text
    reference: Text
    """Where the rule is laid down, in the operator's words."""
    rate_percent: Percent
    rate_percent_by_origin: dict[str, Percent] = Field(default_factory=dict)
    courses: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    cap_per_learner_yuan: Yuan | None = None
    cap_per_site_yuan: Yuan | None = None
    cap_yuan: Yuan | None = None
    stacks_with: tuple[RuleId, ...] = ()
    """Programmes that may have paid before this one on the same session; any other one excludes it."""
    payer: tuple[Payer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_payable(self) -> Self:
        for rate in (self.rate_percent, *self.rate_percent_by_origin.values()):
            if not 0 < parts_per_million(rate) <= PPM:
                raise ValueError(f"rate_percent: got {rate!r}, expected above 0, at most 100 ({self.id})")
        ids = [payer.id for payer in self.payer]
        if len(set(ids)) != len(ids) or LEARNER in ids:
            raise ValueError(f"payer: got {ids}, expected each once and none called {LEARNER!r}")
        if (shares := sum(parts_per_million(payer.share_percent) for payer in self.payer)) != PPM:
            raise ValueError(f"payer: shares of programme {self.id!r} sum to {shares / 10_000} %, expected 100")
        return self

    @cached_property
    def caps(self) -> dict[str, int]:
        """Micro-yuan a year by scope, for the scopes that are capped."""
        asked = {"learner": self.cap_per_learner_yuan, "site": self.cap_per_site_yuan, "all": self.cap_yuan}
        return {scope: micro_yuan(yuan) for scope, yuan in asked.items() if yuan is not None}

    def rate(self, hardware_origin: str) -> int:
        """Parts per million of the list price that it pays."""
        return parts_per_million(self.rate_percent_by_origin.get(hardware_origin, self.rate_percent))

    def serves(self, who: Beneficiary) -> bool:
        """Whether course, site and profile are ones it is for."""
        asked = ((self.courses, who.course), (self.sites, who.site), (self.profiles, who.profile))
        return all(not allowed or value in allowed for allowed, value in asked)


class SubsidyBook(Rule):
    """Every programme; the same id may come back with another window when its rule changes."""

    programme: tuple[Programme, ...] = ()

    @model_validator(mode="after")
    def _versions_follow_each_other(self) -> Self:
        for name in {programme.id for programme in self.programme}:
            if first_overlap(programme for programme in self.programme if programme.id == name):
                raise ValueError(f"programme: two versions of {name!r} overlap, expected one rule at a time")
        return self

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """The moments at which a programme starts or ends."""
        return tuple(edge for programme in self.programme for edge in programme.edges())


@dataclass(frozen=True, slots=True)
class Part:
    """An amount of one payer; ``programme`` is empty where none applied."""

    programme: str
    payer: str
    amount_uy: int


def cap_keys(programme: str, year: int, who: Beneficiary) -> tuple[CapKey, ...]:
    """Under which keys a payment of ``programme`` is counted."""
    scopes = (("learner", who.learner), ("site", who.site), ("all", ""))
    return tuple(CapKey(programme, year, scope, name) for scope, name in scopes)


def split(
    total_uy: int, *, at_us: int, year: int, who: Beneficiary, book: SubsidyBook, used: Mapping[CapKey, int]
) -> tuple[Part, ...]:
    """Divide a charge between payers, given what programmes have paid already; the parts sum to ``total_uy``."""
    left, parts, paying = total_uy, list[Part](), set[str]()
    for programme in book.programme:
        if not programme.covers(at_us) or not programme.serves(who) or paying - set(programme.stacks_with):
            continue
        owed = total_uy * programme.rate(who.hardware_origin) // PPM
        amount = min(owed, left, *_cap_room(programme, year, who, used))
        if amount <= 0:
            continue
        parts += [Part(programme.id, payer, share) for payer, share in _shares(amount, programme.payer)]
        paying.add(programme.id)
        left -= amount
    if left or not parts:
        parts.append(Part(parts[-1].programme if parts else "", LEARNER, left))
    return tuple(parts)


def _cap_room(programme: Programme, year: int, who: Beneficiary, used: Mapping[CapKey, int]) -> Iterator[int]:
    names = {"learner": who.learner, "site": who.site, "all": ""}
    for scope, cap in programme.caps.items():
        yield cap - used.get(CapKey(programme.id, year, scope, names[scope]), 0)


def _shares(amount_uy: int, payers: Sequence[Payer]) -> Iterable[tuple[str, int]]:
    parts = [divmod(amount_uy * payer.ppm, PPM) for payer in payers]
    spare = amount_uy - sum(whole for whole, _ in parts)
    luckiest = sorted(range(len(parts)), key=lambda place: -parts[place][1])[:spare]
    return [(payer.id, parts[place][0] + (place in luckiest)) for place, payer in enumerate(payers)]


def read_subsidies(file: Path) -> SubsidyBook:
    """Parse ``subsidies.toml``.

    Raises:
        PolicyError: see :func:`hub.compute.dated.read_rules`.
    """
    return read_rules(SubsidyBook, file)
