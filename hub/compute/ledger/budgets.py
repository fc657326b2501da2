"""Budgets and vouchers: operators allot and issue, learners turn codes in; leases draw in their own transactions."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from hub.compute.books import ALLOTTED, GRANT_GIVEN, VOUCHER_ISSUED, VOUCHER_REDEEMED, grant_subject
from hub.compute.budget import (
    Allotment,
    Budget,
    BudgetError,
    Voucher,
    VoucherError,
    codes_of,
    new_order,
    voucher_subject,
)
from hub.compute.lease import Grant, format_yuan, refuse_bad_int
from hub.compute.ledger import entries as chain
from hub.compute.ledger import purses as shelf
from hub.compute.ledger.shelves import keep_grant
from hub.db import reading

if TYPE_CHECKING:
    from hub.compute.ledger.pen import Pen


MOST_AT_ONCE = 1_000


class Budgets:
    """The door to the budgets of sites and classes of one ledger."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    def allot(self, given: Allotment) -> Budget:
        """Give to a budget, or take back; the same reason again changes nothing. The budget as it stands then.

        Raises:
            BudgetError: more is taken back than is left, or the reason was used for another amount.
        """
        with self._pen.writing() as connection:
            standing = shelf.find_budget(connection, given.key) or Budget(scope=given.scope, who=given.who)
            if earlier := chain.find(connection, ALLOTTED, given.subject):
                if (before := int(chain.body_of(earlier)["micro_yuan"])) != given.micro_yuan:
                    raise BudgetError(f"why: {given.why!r} was used for {format_yuan(before)} yuan, expected another")
                return standing
            after = standing.after(allotted_uy=given.micro_yuan)
            if after.left_uy < 0:
                raise BudgetError(
                    f"micro_yuan: got {format_yuan(given.micro_yuan)} yuan, expected at most "
                    f"{format_yuan(standing.left_uy)} to be taken back: the rest is held or spent"
                )
            self._pen.append(connection, ALLOTTED, given.subject, asdict(given))
            shelf.keep_budget(connection, after)
        return after

    def all(self) -> tuple[Budget, ...]:
        """Every budget as it stands."""
        with reading(self._pen.engine) as connection:
            return shelf.budgets(connection)

    def allotments(self) -> tuple[Allotment, ...]:
        """What was given and taken back, newest first."""
        with reading(self._pen.engine) as connection:
            return tuple(Allotment(**chain.body_of(entry)) for entry in chain.of_kind(connection, ALLOTTED))


class Vouchers:
    """The door to the vouchers of one ledger."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    def issue(
        self, count: int, course: str, micro_yuan: int, until_us: int, why: str, by: str, *, order: str = ""
    ) -> tuple[str, ...]:
        """Issue so many vouchers and give back their codes, which only who has the ``order`` can learn again.

        The same order of the same vouchers issues nothing more: it gives back the same codes.

        Raises:
            ValueError: an amount or a name is none, or not 1 to 1,000 are asked for.
            VoucherError: they would have run out already.
        """
        refuse_bad_int("count", count, least=1, most=MOST_AT_ONCE)
        if until_us <= self._pen.clock():
            raise VoucherError("expired", "until: got a time that is past, expected one to come")
        codes = codes_of(order or new_order(), count, course, micro_yuan, why)
        said: dict[str, Any] = {"course": course, "micro_yuan": micro_yuan, "until_us": until_us, "why": why, "by": by}
        made = [Voucher(subject=voucher_subject(code), **said) for code in codes]
        with self._pen.writing() as connection:
            for each in made:
                if shelf.find_voucher(connection, each.subject):
                    continue
                self._pen.append(connection, VOUCHER_ISSUED, each.subject, each.as_body())
                shelf.keep_voucher(connection, each)
        return codes

    def redeem(self, code: str, learner: str, courses: tuple[str, ...]) -> Grant:
        """Turn a code into allowance for a learner with seats in ``courses``; again by the same learner is the same.

        Raises:
            VoucherError: there is no such code, somebody else used it, it has run out, or is for another course.
        """
        subject, now_us = voucher_subject(code), self._pen.clock()
        with self._pen.writing() as connection:
            found = shelf.find_voucher(connection, subject)
            if found is None:
                raise VoucherError("unknown", "code: got one that was never issued")
            if found.learner == learner and found.redeemed_us is not None:
                return _grant(found, learner, found.redeemed_us)
            if found.learner is not None:
                raise VoucherError("used", "code: got one that somebody has used")
            if found.until_us <= now_us:
                raise VoucherError("expired", "code: got one that has run out")
            if found.course not in courses:
                raise VoucherError("course", f"code: got one for course {found.course!r}, expected one of {courses}")
            given = _grant(found, learner, now_us)
            said = {"learner": learner, "redeemed_us": now_us}
            self._pen.append(connection, VOUCHER_REDEEMED, subject, said)
            self._pen.append(connection, GRANT_GIVEN, grant_subject(learner, found.course, given.why), asdict(given))
            shelf.mark_redeemed(connection, replace(found, learner=learner, redeemed_us=now_us))
            keep_grant(connection, given)
        return given

    def all(self) -> tuple[Voucher, ...]:
        """Every voucher, with who turned it in."""
        with reading(self._pen.engine) as connection:
            return shelf.vouchers(connection)


def _grant(found: Voucher, learner: str, at_us: int) -> Grant:
    why = f"voucher {found.subject[:16]}: {found.why}"[:255]
    return Grant(learner=learner, course=found.course, micro_yuan=found.micro_yuan, why=why, at_us=at_us)
