"""Subsidy programmes: who pays how much of a session's list price, up to which caps. Pure, but for reading the file.

Programmes are asked in the order of the file. Each pays its rate of the list price, rounded down to a micro-yuan, never
more than what is left unpaid nor than its caps leave; what remains is the learner's. Between a programme's payers the
micro-yuan that do not divide go to those with the largest remainder, first named first: every split sums exactly.
"""

from __future__ import annotations

import bisect
import functools
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from pydantic import AwareDatetime, Field, model_validator

from hub.compute.dated import (
    PPM,
    Percent,
    Rule,
    RuleId,
    Window,
    Yuan,
    first_overlap,
    microseconds,
    parts_per_million,
    read_rules,
)
from hub.compute.lease import micro_yuan
from hub.course import Text  # noqa: TC001 - pydantic reads the annotations when the class is made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

LEARNER = "learner"
"""The payer of what no programme pays."""
_MOST_KINDS = 4_096
"""How many kinds of sessions (course, site, profile, hardware) are kept with what programmes offer them."""


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
    """The facts of a session that programmes ask about; ``provider`` is whose compute it is, as the price says."""

    learner: str
    course: str
    site: str
    profile: str
    hardware_origin: str
    provider: str = ""


class Entity(Window):
    """What is known of the body behind a site, for a time: its size, since when it is funded, to whom it is related."""

    site: str = Field(min_length=1, max_length=255)
    reference: Text
    """What it was checked against, in the operator's words."""
    size: Literal["", "small", "other"] = ""
    funded_since: AwareDatetime | None = None
    related_to: tuple[str, ...] = ()
    """Providers of compute that it is a related party of."""

    @cached_property
    def first_year(self) -> tuple[int, int] | None:
        """From when until when its first year of funding runs; None when no beginning is given."""
        if self.funded_since is None:
            return None
        begins = self.funded_since
        # Who begins on 29 February has a year until 1 March.
        leaps = (begins.month, begins.day) == (2, 29)
        ends = (begins + timedelta(days=1) if leaps else begins).replace(year=begins.year + 1)
        return microseconds(begins), microseconds(ends)

    def all_edges(self) -> tuple[int, ...]:
        """The moments at which something about it changes."""
        return (*self.edges(), *(self.first_year or ()))


class FirstYear(Rule):
    """What a programme pays in a body's first year of funding, instead of its usual rate."""

    rate_percent: Percent
    sizes: tuple[Literal["small", "other"], ...] = ("small",)


class RelatedParty(Rule):
    """What a programme pays where the site is a related party of who provides the compute; ``"0"`` is nothing."""

    rate_percent: Percent


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
    first_year: FirstYear | None = None
    related_party: RelatedParty | None = None
    cap_per_learner_yuan: Yuan | None = None
    cap_per_site_yuan: Yuan | None = None
    cap_yuan: Yuan | None = None
    stacks_with: tuple[RuleId, ...] = ()
    """Programmes that may have paid before this one on the same session; any other one excludes it."""
    payer: tuple[Payer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_payable(self) -> Self:
        first_year = (self.first_year.rate_percent,) if self.first_year else ()
        for rate in (self.rate_percent, *self.rate_percent_by_origin.values(), *first_year):
            if not 0 < parts_per_million(rate) <= PPM:
                raise ValueError(f"rate_percent: got {rate!r}, expected above 0, at most 100 ({self.id})")
        if self.related_party and parts_per_million(self.related_party.rate_percent) > PPM:
            raise ValueError(
                f"related_party: got {self.related_party.rate_percent!r}, expected at most 100 ({self.id})"
            )
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

    def rate(self, who: Beneficiary, entity: Entity | None, at_us: int) -> int:
        """Parts per million of the list price that it pays: the related-party rule goes first, then the first year."""
        if entity and self.related_party and who.provider and who.provider in entity.related_to:
            return parts_per_million(self.related_party.rate_percent)
        if entity and self.first_year and entity.size in self.first_year.sizes and _within(entity.first_year, at_us):
            return parts_per_million(self.first_year.rate_percent)
        return parts_per_million(self.rate_percent_by_origin.get(who.hardware_origin, self.rate_percent))

    def serves(self, who: Beneficiary) -> bool:
        """Whether course, site and profile are ones it is for."""
        asked = ((self.courses, who.course), (self.sites, who.site), (self.profiles, who.profile))
        return all(not allowed or value in allowed for allowed, value in asked)


class Offer(NamedTuple):
    """What a programme pays of a session's list price, in millionths, before its caps and what others pay."""

    programme: Programme
    ppm: int


class SubsidyBook(Rule):
    """Every programme (one id may come back with another window when its rule changes), and who is behind a site."""

    programme: tuple[Programme, ...] = ()
    entity: tuple[Entity, ...] = ()

    @model_validator(mode="after")
    def _versions_follow_each_other(self) -> Self:
        for name in {programme.id for programme in self.programme}:
            if first_overlap(programme for programme in self.programme if programme.id == name):
                raise ValueError(f"programme: two versions of {name!r} overlap, expected one rule at a time")
        for site in {entity.site for entity in self.entity}:
            if first_overlap(entity for entity in self.entity if entity.site == site):
                raise ValueError(f"entity: two of site {site!r} overlap, expected one at a time")
        return self

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """The moments at which a programme starts or ends, or something about the body behind a site changes."""
        programmes = {edge for programme in self.programme for edge in programme.edges()}
        return tuple(sorted({*programmes, *(edge for entity in self.entity for edge in entity.all_edges())}))

    def behind(self, site: str, at_us: int) -> Entity | None:
        """What is known of the body behind a site at a moment, None when nothing is."""
        return next((entity for entity in self.entity if entity.site == site and entity.covers(at_us)), None)

    def offers(self, who: Beneficiary, at_us: int) -> tuple[Offer, ...]:
        """What programmes that are in force at a moment offer to such a session, in the order of the file."""
        # Between two edges nothing changes, nor does the learner matter: most sessions ask what was asked before.
        place = bisect.bisect_right(self.edges, at_us)
        return self._offers(who[1:], self.edges[place - 1] if place else 0)

    @cached_property
    def _offers(self) -> Callable[[tuple[str, ...], int], tuple[Offer, ...]]:
        return functools.lru_cache(_MOST_KINDS)(self._look_up)

    def _look_up(self, kind: tuple[str, ...], at_us: int) -> tuple[Offer, ...]:
        who = Beneficiary("", *kind)
        entity = self.behind(who.site, at_us)
        programmes = (one for one in self.programme if one.covers(at_us) and one.serves(who))
        return tuple(Offer(programme, programme.rate(who, entity, at_us)) for programme in programmes)


class Part(NamedTuple):
    """An amount of one payer; ``programme`` is empty where none applied."""

    programme: str
    payer: str
    amount_uy: int


@functools.lru_cache(_MOST_KINDS)
def cap_keys(programme: str, year: int, learner: str, site: str) -> tuple[CapKey, CapKey, CapKey]:
    """Under which keys a payment of ``programme`` is counted."""
    return (
        CapKey(programme, year, "learner", learner),
        CapKey(programme, year, "site", site),
        CapKey(programme, year, "all", ""),
    )


def split(
    total_uy: int, *, at_us: int, year: int, who: Beneficiary, book: SubsidyBook, used: Mapping[CapKey, int]
) -> tuple[Part, ...]:
    """Divide a charge between payers, given what programmes have paid already; the parts sum to ``total_uy``."""
    left, parts, paying = total_uy, list[Part](), set[str]()
    for programme, ppm in book.offers(who, at_us):
        if not paying.issubset(programme.stacks_with):
            continue
        amount = min(total_uy * ppm // PPM, left, *_cap_room(programme, year, who, used))
        if amount <= 0:
            continue
        parts += [Part(programme.id, payer.id, share) for payer, share in _shares(amount, programme.payer)]
        paying.add(programme.id)
        left -= amount
    if left or not parts:
        parts.append(Part(parts[-1].programme if parts else "", LEARNER, left))
    return tuple(parts)


def _within(span: tuple[int, int] | None, at_us: int) -> bool:
    return span is not None and span[0] <= at_us < span[1]


def _cap_room(programme: Programme, year: int, who: Beneficiary, used: Mapping[CapKey, int]) -> Iterator[int]:
    if not programme.caps:
        return
    for key in cap_keys(programme.id, year, who.learner, who.site):
        if (cap := programme.caps.get(key.scope)) is not None:
            yield cap - used.get(key, 0)


def _shares(amount_uy: int, payers: Sequence[Payer]) -> Iterable[tuple[Payer, int]]:
    shares = [amount_uy * payer.ppm // PPM for payer in payers]
    if spare := amount_uy - sum(shares):
        for place in sorted(range(len(payers)), key=lambda place: -(amount_uy * payers[place].ppm % PPM))[:spare]:
            shares[place] += 1
    return zip(payers, shares, strict=True)


def read_subsidies(file: Path) -> SubsidyBook:
    """Parse ``subsidies.toml``.

    Raises:
        PolicyError: see :func:`hub.compute.dated.read_rules`.
    """
    return read_rules(SubsidyBook, file)
