"""Tariffs: dated price lists by profile, and what a stretch of time on a profile costs. Pure, but for reading the file.

A session that lives through a change of tariff is cut there, and at every midnight, so that each piece has one price
and one day. The pieces' prices are differences of one running sum: they add up to the whole, rounded down once.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from hub.compute.dated import Rule, RuleId, Window, Yuan, between, first_overlap, read_rules
from hub.compute.lease import DAY_US, HOUR_US, MINUTE_US, NoPriceError, UnknownDeviceError, micro_yuan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HardwareOrigin = Literal["", "domestic", "imported"]


class Price(Rule):
    """What an hour of a profile costs, on which hardware. ``gpus`` counts whole GPUs in thousandths-exact text."""

    profile: str = Field(min_length=1, max_length=255)
    yuan_per_hour: Yuan
    device: str = ""
    hardware_origin: HardwareOrigin = ""
    provider: Annotated[str, Field(max_length=255)] = ""
    """Whose compute it is, for the related-party rule of programmes."""
    gpus: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3})?$")] = "0"

    @cached_property
    def uy_per_hour(self) -> int:
        """Micro-yuan an hour."""
        return micro_yuan(self.yuan_per_hour)

    @cached_property
    def gpu_thousandths(self) -> int:
        """Whole GPUs times 1000: a seventh of a GPU is 143."""
        return micro_yuan(self.gpus) // 1000


class Tariff(Window):
    """One version of the price list."""

    id: RuleId
    reference: str = ""
    price: tuple[Price, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _prices_are_single(self) -> Self:
        profiles = [price.profile for price in self.price]
        if len(set(profiles)) != len(profiles):
            raise ValueError(f"price: got profiles {profiles}, expected each once in tariff {self.id!r}")
        return self

    def of(self, profile: str) -> Price | None:
        """The price of ``profile``, None when this tariff has none."""
        return self._by_profile.get(profile)

    @cached_property
    def _by_profile(self) -> dict[str, Price]:
        return {price.profile: price for price in self.price}


class PriceList(Rule):
    """Every tariff there has been, is, and is announced; and where a day begins for prices, caps and reports."""

    utc_offset_minutes: int = Field(default=480, ge=-720, le=840)
    tariff: tuple[Tariff, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _tariffs_follow_each_other(self) -> Self:
        ids = [tariff.id for tariff in self.tariff]
        if len(set(ids)) != len(ids):
            raise ValueError(f"tariff: got ids {ids}, expected each once")
        if both := first_overlap(self.tariff):
            raise ValueError(f"tariff: {both[0].id!r} and {both[1].id!r} overlap, expected one tariff at a time")
        return self

    def at(self, at_us: int) -> Tariff | None:
        """The tariff in force, None when there is none."""
        ordered = self._ordered
        place = bisect.bisect_right(ordered, at_us, key=lambda tariff: tariff.from_us)
        return ordered[place - 1] if place and ordered[place - 1].covers(at_us) else None

    def price_at(self, profile: str, at_us: int) -> tuple[str, Price] | None:
        """The tariff's id and the price in force, None when there is none."""
        tariff = self.at(at_us)
        price = tariff.of(profile) if tariff else None
        return (tariff.id, price) if tariff and price else None

    def edges(self, from_us: int, until_us: int) -> set[int]:
        """Where the tariff or the day changes, strictly inside a span."""
        offset = self.utc_offset_minutes * MINUTE_US
        midnight = (from_us + offset) // DAY_US * DAY_US + DAY_US - offset
        return {*range(midnight, until_us, DAY_US), *between(self._changes, from_us, until_us)}

    def day(self, at_us: int) -> str:
        """The calendar day of a moment, as ``YYYY-MM-DD``, where prices are made."""
        return _date((at_us + self.utc_offset_minutes * MINUTE_US) // DAY_US)

    @cached_property
    def _ordered(self) -> tuple[Tariff, ...]:
        return tuple(sorted(self.tariff, key=lambda tariff: tariff.from_us))

    @cached_property
    def _changes(self) -> tuple[int, ...]:
        return tuple(sorted({edge for tariff in self.tariff for edge in tariff.edges()}))


@functools.lru_cache
def _date(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


class Stretch(NamedTuple):
    """A piece of a session with one price and one day; ``price`` is None where no tariff had one."""

    from_us: int
    until_us: int
    day: str
    tariff: str
    price: Price | None
    total_uy: int

    @property
    def billed_us(self) -> int:
        """Its length."""
        return self.until_us - self.from_us

    @property
    def gpu_us(self) -> int:
        """GPU time: its length times the GPUs of its price."""
        return self.billed_us * self.price.gpu_thousandths // 1000 if self.price else 0

    @property
    def hardware_origin(self) -> str:
        """Where the hardware was made, as the price says it."""
        return self.price.hardware_origin if self.price else ""

    @property
    def provider(self) -> str:
        """Whose compute it is, as the price says it."""
        return self.price.provider if self.price else ""


def charge(
    prices: PriceList, profile: str, from_us: int, until_us: int, cuts: Iterable[int] = ()
) -> tuple[Stretch, ...]:
    """What a profile costs over a span, cut where tariff or day changes and at ``cuts``; an empty span is one piece."""
    inside = prices.edges(from_us, until_us) | {cut for cut in cuts if from_us < cut < until_us}
    moments = [from_us, *sorted(inside), until_us]
    stretches, running, rounded = [], 0, 0
    for begin, end in itertools.pairwise(moments):
        tariff, price = prices.price_at(profile, begin) or ("", None)
        running += (end - begin) * (price.uy_per_hour if price else 0)
        total, rounded = running // HOUR_US - rounded, running // HOUR_US
        stretches.append(Stretch(begin, end, prices.day(begin), tariff, price, total))
    return tuple(stretches)


def hold(
    prices: PriceList, profile: str, requested_us: int, longest_us: int, latest_start_us: int, spared_us: int = 0
) -> int:
    """The most a session of ``longest_us`` can cost if it starts by ``latest_start_us``, rounded up.

    ``spared_us`` of it are not taken from the allowance, and not held.

    Raises:
        NoPriceError: the session could run on while nothing prices it.
        UnknownDeviceError: no tariff has ever priced the profile.
    """
    horizon = latest_start_us + longest_us
    moments = sorted({requested_us, *prices.edges(requested_us, horizon)})
    dearest = 0
    for moment in moments[: bisect.bisect_left(moments, horizon)]:
        found = prices.price_at(profile, moment)
        if found is None and moment < requested_us + longest_us:
            raise no_price(prices, profile, moment)
        dearest = max(dearest, found[1].uy_per_hour if found else 0)
    return -(-dearest * (longest_us - spared_us) // HOUR_US)


def no_price(prices: PriceList, profile: str, at_us: int) -> NoPriceError:
    """Why a profile cannot be priced at a moment: no tariff has ever known it, or none prices it then."""
    known = sorted({price.profile for tariff in prices.tariff for price in tariff.price})
    if profile not in known:
        return UnknownDeviceError(f"got device class {profile!r}, which no tariff knows; expected one of {known}")
    return NoPriceError(
        f"profile {profile!r} has no price on {prices.day(at_us)}; expected a tariff that prices it until the longest "
        f"session could end"
    )


def read_tariffs(file: Path) -> PriceList:
    """Parse ``tariffs.toml``.

    Raises:
        PolicyError: see :func:`hub.compute.dated.read_rules`.
    """
    return read_rules(PriceList, file)
