"""VALUE: budgets of sites and classes, and vouchers. Money at list price, in micro-yuan. Pure; no I/O.

A budget is what was allotted to a site or a class; who has none is not limited by one. A lease holds the list price of
its longest session, class hours included, on every budget that it meets, and its charge takes the place of the hold. A
voucher is a code that one learner may turn into allowance, once; the ledger knows only the code's digest.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hub.compute.chain import canonical
from hub.compute.lease import MAX_TIME_US, MAX_UY, LedgerError, refuse_bad_int, refuse_bad_name

if TYPE_CHECKING:
    from hub.compute.lease import LeaseRequest

Scope = Literal["site", "cohort"]
SCOPES: tuple[Scope, ...] = ("site", "cohort")
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LETTERS = 12  # 60 bits: not to be guessed at any rate that a form answers


class BudgetError(LedgerError):
    """A budget cannot be changed so; the message says what was got and what was expected."""


class VoucherError(LedgerError):
    """A voucher cannot be turned in: ``why`` is ``unknown``, ``used``, ``expired`` or ``course``."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class BudgetKey(NamedTuple):
    """Whose budget: a site by its id, or a class by its id."""

    scope: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """Compute given to a site or a class, or taken back (below zero), and why; each reason counts once."""

    scope: str
    who: str
    micro_yuan: int
    why: str
    by: str
    at_us: int

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"scope: got {self.scope!r}, expected one of {list(SCOPES)}")
        for name in ("who", "why", "by"):
            refuse_bad_name(name, getattr(self, name))
        refuse_bad_int("micro_yuan", self.micro_yuan, least=-MAX_UY, most=MAX_UY)
        refuse_bad_int("at_us", self.at_us, most=MAX_TIME_US)
        if self.micro_yuan == 0:
            raise ValueError("micro_yuan: got 0, expected an amount to give or to take back")

    @property
    def key(self) -> BudgetKey:
        """Whose budget it changes."""
        return BudgetKey(self.scope, self.who)

    @property
    def subject(self) -> str:
        """What makes it one that counts once."""
        return hashlib.sha256(canonical([self.scope, self.who, self.why]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a site or a class may spend, what open leases hold of it, and what ended ones took."""

    scope: str
    who: str
    allotted_uy: int = 0
    held_uy: int = 0
    spent_uy: int = 0

    @property
    def key(self) -> BudgetKey:
        """Whose it is."""
        return BudgetKey(self.scope, self.who)

    @property
    def left_uy(self) -> int:
        """What may still be promised to a new session."""
        return self.allotted_uy - self.held_uy - self.spent_uy

    def after(self, *, allotted_uy: int = 0, held_uy: int = 0, spent_uy: int = 0) -> Budget:
        """The budget with its figures changed by these."""
        return replace(
            self,
            allotted_uy=self.allotted_uy + allotted_uy,
            held_uy=self.held_uy + held_uy,
            spent_uy=self.spent_uy + spent_uy,
        )


def met_by(request: LeaseRequest) -> tuple[BudgetKey, ...]:
    """The budgets that a lease draws on, where they exist."""
    cohort = (BudgetKey("cohort", request.cohort),) if request.cohort else ()
    return (BudgetKey("site", request.site), *cohort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """Allowance in one course for whoever turns the code in first, before ``until_us``. ``subject`` is its digest."""

    subject: str
    course: str
    micro_yuan: int
    until_us: int
    why: str
    by: str
    learner: str | None = None
    redeemed_us: int | None = None

    def __post_init__(self) -> None:
        for name in ("subject", "course", "why", "by"):
            refuse_bad_name(name, getattr(self, name))
        refuse_bad_int("micro_yuan", self.micro_yuan, least=1, most=MAX_UY)
        refuse_bad_int("until_us", self.until_us, most=MAX_TIME_US)

    def as_body(self) -> dict[str, Any]:
        """As the entry that issued it keeps it."""
        body = asdict(self)
        return {name: body[name] for name in ("course", "micro_yuan", "until_us", "why", "by")}


def new_order() -> str:
    """A secret that makes an order of vouchers one that can be sent twice and is carried out once."""
    return secrets.token_urlsafe(24)


def codes_of(order: str, count: int, course: str, micro_yuan: int, why: str) -> tuple[str, ...]:
    """The codes of an order, in three groups of four: nobody guesses them, and the same order has the same ones."""
    said = canonical([count, course, micro_yuan, why])
    return tuple(_code(hmac.digest(order.encode(), f"{number} {said}".encode(), "sha256")) for number in range(count))


def _code(digest: bytes) -> str:
    letters = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:_CODE_LETTERS])
    return "-".join(letters[place : place + 4] for place in range(0, _CODE_LETTERS, 4))


def voucher_subject(code: str) -> str:
    """Under what the ledger knows a code; spaces, dashes and small letters do not matter."""
    plain = "".join(char for char in code.upper() if char.isalnum())
    return hashlib.sha256(b"reelwright voucher\0" + plain.encode()).hexdigest()
