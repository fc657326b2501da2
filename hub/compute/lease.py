"""VALUE: leases, and what learners and funders are told about them; money in micro-yuan, time in microseconds. No I/O.

The family of errors, all raised by :mod:`hub.compute.ledger`::

    LedgerError
     ├─ AllowanceExhausted   the start cannot be paid: balance, what is needed, and the remedy
     ├─ UnknownLeaseError         the ledger never opened it
     ├─ LeaseStateError      the lease is not in a state in which that can happen
     └─ NoPriceError              no tariff in force prices the profile
         └─ UnknownDeviceError    no tariff has ever known it
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

MICRO = 1_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
MAX_UY = 10**15
"""A thousand million yuan: no single amount is more, so that sums fit the databases' 64-bit integers."""
MAX_TIME_US = 7_258_118_400 * SECOND_US
"""The year 2200: a later time is a mistaken unit or a broken clock."""
MAX_SESSION_US = 31 * DAY_US

LeaseState = Literal["opened", "running", "ended", "void"]

_YUAN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_MAX_NAME = 255
_MAX_WORDS = 2_000


class LedgerError(Exception):
    """The ledger refuses; the message says what was got and what was expected."""


class UnknownLeaseError(LedgerError):
    """No lease of this id was ever opened."""


class LeaseStateError(LedgerError):
    """The lease is not in a state in which the asked-for thing can happen."""


class NoPriceError(LedgerError):
    """No tariff prices this profile at that time, so nothing may be started on it."""


class UnknownDeviceError(NoPriceError):
    """No tariff, of whatever date, knows this device class."""


class Remedy(NamedTuple):
    """What a person can do about a refusal, in both languages."""

    zh: str
    en: str


WHOSE = {
    "learner": (
        Remedy(
            zh="请先停止正在运行的其他实验，或请教师为您追加额度。",
            en="Stop other labs of yours that are still running, or ask your instructor to extend the allowance.",
        ),
        Remedy(zh="算力额度不足", en="The compute allowance does not cover this lab"),
    ),
    "cohort": (
        Remedy(
            zh="请联系教师：班级的算力预算需要由管理员追加，或等其他同学的实验结束。",
            en="Tell your instructor: an administrator can extend the class's budget, or wait until other labs end.",
        ),
        Remedy(zh="班级算力预算不足", en="The class's compute budget does not cover this lab"),
    ),
    "site": (
        Remedy(
            zh="请联系教师：基地的算力预算需要由管理员追加，或等其他学员的实验结束。",
            en="Tell your instructor: an administrator can extend the site's budget, or wait until other labs end.",
        ),
        Remedy(zh="基地算力预算不足", en="The site's compute budget does not cover this lab"),
    ),
}
"""Whose money is short: what can be done about it, and what to say."""


class AllowanceExhausted(LedgerError):  # noqa: N818 - the name people meet in the texts
    """A lab cannot be paid from what is left.

    Attributes:
        balance_uy: what is left, after what running labs hold.
        needed_uy: the list price of the longest session asked for.
        whose: ``learner``, ``cohort`` or ``site``: whose money it is that does not suffice.
        remedy: what the learner can do about it, in both languages.
        says: what is short, in both languages.
    """

    def __init__(self, balance_uy: int, needed_uy: int, whose: str = "learner") -> None:
        self.balance_uy = balance_uy
        self.needed_uy = needed_uy
        self.whose = whose
        self.remedy, self.says = WHOSE[whose]
        super().__init__(self.in_locale("en"))

    def in_locale(self, locale: str) -> str:
        """The whole sentence for ``locale`` (``zh_CN`` or ``en``): balance, need and remedy."""
        balance, needed = format_yuan(self.balance_uy), format_yuan(self.needed_uy)
        if locale.startswith("zh"):
            return f"{self.says.zh}：剩余 {balance} 元，本次最长使用需要 {needed} 元。{self.remedy.zh}"
        return f"{self.says.en}: {balance} yuan left, {needed} yuan needed. {self.remedy.en}"


def micro_yuan(yuan: str) -> int:
    """Micro-yuan of a decimal text such as ``"12.50"``.

    Raises:
        ValueError: not a plain amount with at most six decimals.
    """
    if not _YUAN.fullmatch(yuan):
        raise ValueError(f"got {yuan!r}, expected an amount in yuan such as '12.50' (at most six decimals)")
    whole, _, part = yuan.partition(".")
    return int(whole) * MICRO + int(part.ljust(6, "0"))


def format_yuan(micro: int) -> str:
    """Yuan for people, exact: at least two decimals and no more than the amount has."""
    sign = "-" if micro < 0 else ""
    whole, part = divmod(abs(micro), MICRO)
    return f"{sign}{whole}.{f'{part:06d}'.rstrip('0').ljust(2, '0')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """Who asks to run what, from when, for how long at most; the id is chosen by the caller and survives retries."""

    id: UUID
    learner: str
    course: str
    lab: str
    cohort: str
    site: str
    profile: str
    longest_us: int
    requested_us: int

    def __post_init__(self) -> None:
        for name in ("learner", "course", "lab", "cohort", "site", "profile"):
            refuse_bad_name(name, getattr(self, name), empty_ok=name in ("lab", "cohort"))
        refuse_bad_int("longest_us", self.longest_us, least=1, most=MAX_SESSION_US)
        refuse_bad_int("requested_us", self.requested_us, most=MAX_TIME_US)


class Lease(NamedTuple):
    """A learner's hold on a profile, from grant to release. ``held_uy`` is what it still keeps of the allowance.

    It begins as its request does, field by field; that was looked at, so nothing is looked at again here.
    """

    id: UUID
    learner: str
    course: str
    lab: str
    cohort: str
    site: str
    profile: str
    longest_us: int
    requested_us: int
    state: LeaseState
    started_us: int | None
    ended_us: int | None
    held_uy: int

    def request(self) -> LeaseRequest:
        """Only what was asked, without what became of it."""
        return LeaseRequest(**{field.name: getattr(self, field.name) for field in fields(LeaseRequest)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Compute a learner may use in a course, at list price, and why it was given."""

    learner: str
    course: str
    micro_yuan: int
    why: str
    at_us: int

    def __post_init__(self) -> None:
        for name in ("learner", "course", "why"):
            refuse_bad_name(name, getattr(self, name))
        refuse_bad_int("micro_yuan", self.micro_yuan, least=1, most=MAX_UY)
        refuse_bad_int("at_us", self.at_us, most=MAX_TIME_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A learner's allowance in one course, at list price; ``subsidised_uy`` is what programmes paid of what was spent.

    ``spared_uy`` is the part of what was spent that fell into class windows: it does not use the allowance up.
    """

    granted_uy: int
    held_uy: int
    spent_uy: int
    subsidised_uy: int
    spared_uy: int = 0

    @property
    def used_uy(self) -> int:
        """What ended sessions took of the allowance."""
        return self.spent_uy - self.spared_uy

    @property
    def left_uy(self) -> int:
        """What may still be promised to a new session."""
        return self.granted_uy - self.held_uy - self.used_uy

    @property
    def learner_uy(self) -> int:
        """The part of what was spent that no programme paid."""
        return self.spent_uy - self.subsidised_uy


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a session would cost: list price, the part programmes would pay now, the rest, and whose price it is."""

    profile: str
    minutes: int
    total_uy: int
    subsidised_uy: int
    learner_uy: int
    tariff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A lease with what it came to; all zero until it has ended. ``allowance_uy`` is what it took of the allowance."""

    lease: Lease
    seconds: int
    charge_uy: int
    subsidised_uy: int
    allowance_uy: int
    estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Whole seconds of ended sessions; the subsidised ones are counted by the share that programmes paid."""

    lab_seconds: int
    gpu_seconds: int
    subsidised_seconds: int
    subsidised_gpu_seconds: int


def refuse_bad_name(what: str, value: object, *, empty_ok: bool = False) -> None:
    """Refuse what cannot stand in the ledger as a name.

    Raises:
        ValueError: not text, empty, too long, or with control characters.
    """
    if not isinstance(value, str) or (not value and not empty_ok):
        raise ValueError(f"{what}: got {value!r}, expected some text")
    if len(value) > _MAX_NAME or not value.isprintable():
        raise ValueError(f"{what}: got {value[:40]!r}, expected at most {_MAX_NAME} printable characters")


def plain_text(said: str) -> str:
    """What an engine or a person said, as one printable line of bounded length: a record must not fail over words."""
    return "".join(char if char.isprintable() else " " for char in said[:_MAX_WORDS])


def refuse_bad_int(what: str, value: object, *, least: int = 0, most: int) -> None:
    """Refuse what is no whole number between two bounds: no float, no NaN, no boolean.

    Raises:
        ValueError: see above.
    """
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{what}: got {value!r}, expected a whole number from {least} to {most}")
