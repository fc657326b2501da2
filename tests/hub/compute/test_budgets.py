"""Budgets of sites and classes, and vouchers: held at open, settled at close, never overspent, provable."""

import threading
from typing import Any

import pytest

from hub.compute.budget import Allotment, BudgetError, VoucherError, new_order
from hub.compute.class_window import ClassWindow
from hub.compute.lease import HOUR_US, MICRO, AllowanceExhausted

DAY_US = 24 * HOUR_US


def allot(bench: Any, yuan: float, *, scope: str = "site", who: str = "main", why: str = "autumn") -> Any:
    given = Allotment(
        scope=scope, who=who, micro_yuan=int(yuan * MICRO), why=why, by="root", at_us=bench.clock.now_us
    )  # fmt: skip
    return bench.ledger.budgets.allot(given)


def left(bench: Any) -> list[tuple[str, int, int, int]]:
    return [(one.scope, one.held_uy, one.spent_uy, one.left_uy) for one in bench.ledger.budgets.all()]


def test_a_lease_holds_on_the_budget_and_its_charge_takes_the_place(any_bench: Any) -> None:
    bench = any_bench
    bench.grant()
    allot(bench, 10)
    lease = bench.ledger.open(bench.request())
    assert left(bench) == [("site", 2 * MICRO, 0, 8 * MICRO)]
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    bench.ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "engine", "stopped")
    assert left(bench) == [("site", 0, MICRO // 2, 9_500_000)]
    void = bench.ledger.open(bench.request())
    bench.ledger.void(void.id, "never started")
    assert left(bench) == [("site", 0, MICRO // 2, 9_500_000)]
    assert bench.ledger.verify().held


def test_who_has_no_budget_is_not_limited_and_earlier_leases_do_not_count(bench: Any) -> None:
    bench.grant()
    bench.session()
    allot(bench, 10)
    assert left(bench) == [("site", 0, 0, 10 * MICRO)]
    bench.ledger.open(bench.request(site="elsewhere"))
    assert left(bench) == [("site", 0, 0, 10 * MICRO)]


@pytest.mark.parametrize(("scope", "who", "zh"), [("site", "main", "基地"), ("cohort", "autumn", "班级")])
def test_a_start_that_the_budget_cannot_pay_is_refused_with_balance_and_remedy(
    bench: Any, scope: str, who: str, zh: str
) -> None:
    bench.grant()
    allot(bench, 1.5, scope=scope, who=who)
    with pytest.raises(AllowanceExhausted) as refused:
        bench.ledger.open(bench.request())
    assert (refused.value.balance_uy, refused.value.needed_uy, refused.value.whose) == (1_500_000, 2 * MICRO, scope)
    assert zh in refused.value.in_locale("zh_CN")
    assert "1.50 yuan left" in refused.value.in_locale("en")
    assert "administrator" in refused.value.remedy.en
    assert left(bench) == [(scope, 0, 0, 1_500_000)]


def test_twenty_four_starts_share_a_site_budget_for_three(any_bench: Any) -> None:
    bench = any_bench
    for number in range(24):
        bench.grant(learner=f"learner{number}")
    allot(bench, 7)  # three longest sessions of two yuan
    gate, paid, refusals = threading.Barrier(24), [], set[str]()

    def start(number: int) -> None:
        gate.wait()
        try:
            paid.append(bench.ledger.open(bench.request(f"learner{number}")))
        except AllowanceExhausted as refused:
            refusals.add(refused.whose)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(paid), refusals) == (3, {"site"})
    assert left(bench) == [("site", 6 * MICRO, 0, MICRO)]
    assert bench.ledger.verify().held


def test_class_hours_spare_the_learner_and_not_the_budget(bench: Any) -> None:
    allot(bench, 10)
    noon = bench.request().requested_us
    bench.clock.now_us = noon - HOUR_US
    hours = ClassWindow(course="micro-drama", cohort="autumn", from_us=noon, until_us=noon + 4 * HOUR_US, by="wang")
    bench.ledger.classes.schedule(hours)
    lease = bench.ledger.open(bench.request())
    assert lease.held_uy == 0
    assert left(bench) == [("site", 2 * MICRO, 0, 8 * MICRO)]


def test_what_is_held_or_spent_cannot_be_taken_back(bench: Any) -> None:
    bench.grant()
    allot(bench, 10)
    bench.ledger.open(bench.request())
    with pytest.raises(BudgetError, match=r"8\.00 to be taken back"):
        allot(bench, -8.5, why="cut")
    assert allot(bench, -8, why="cut").left_uy == 0
    assert allot(bench, -8, why="cut").left_uy == 0
    with pytest.raises(BudgetError, match="expected another"):
        allot(bench, -1, why="cut")
    assert [one.micro_yuan for one in bench.ledger.budgets.allotments()] == [-8 * MICRO, 10 * MICRO]


@pytest.mark.parametrize("change", [{"scope": "city"}, {"micro_yuan": 0}, {"micro_yuan": 1.5}, {"why": ""}])
def test_an_allotment_that_is_none_is_refused(change: dict[str, Any]) -> None:
    given = {"scope": "site", "who": "main", "micro_yuan": MICRO, "why": "autumn", "by": "root", "at_us": 1}
    with pytest.raises(ValueError, match="got"):
        Allotment(**{**given, **change})


def test_an_order_of_vouchers_that_is_sent_twice_is_carried_out_once(any_bench: Any) -> None:
    bench = any_bench
    until, issue = bench.clock.now_us + DAY_US, bench.ledger.vouchers.issue
    order = new_order()
    codes = issue(3, "micro-drama", MICRO, until, "open day", "root", order=order)
    bench.ledger.vouchers.redeem(codes[0], "li", ("micro-drama",))
    assert issue(3, "micro-drama", MICRO, until + 1, "open day", "root", order=order) == codes
    assert len(bench.ledger.vouchers.all()) == len(set(codes)) == 3
    assert not set(codes) & set(issue(3, "micro-drama", 2 * MICRO, until, "open day", "root", order=order))
    assert not set(codes) & set(issue(3, "micro-drama", MICRO, until, "open day", "root"))
    assert order not in "".join(bench.rows("hub_event"))
    assert bench.ledger.verify().held


def test_a_voucher_is_turned_in_once_whoever_comes(any_bench: Any) -> None:
    bench = any_bench
    until = bench.clock.now_us + DAY_US
    code, other = bench.ledger.vouchers.issue(2, "micro-drama", 5 * MICRO, until, "open day", "root")
    gate, done, refusals = threading.Barrier(12), [], set[str]()

    def redeem(number: int) -> None:
        gate.wait()
        try:
            done.append(bench.ledger.vouchers.redeem(code.lower(), f"learner{number}", ("micro-drama",)))
        except VoucherError as refused:
            refusals.add(refused.why)

    threads = [threading.Thread(target=redeem, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (given,) = done
    assert refusals == {"used"}
    assert bench.ledger.account(given.learner, "micro-drama").left_uy == 5 * MICRO
    assert bench.ledger.vouchers.redeem(code, given.learner, ("micro-drama",)) == given
    assert sum(one.micro_yuan for one in bench.ledger.vouchers.all()) == 10 * MICRO
    assert code not in "".join(bench.rows("hub_event"))
    assert other != code
    assert bench.ledger.verify().held


@pytest.mark.parametrize(
    ("code", "courses", "later_us", "why"),
    [
        ("AAAA-BBBB-CCCC", ("micro-drama",), 0, "unknown"),
        (None, ("other",), 0, "course"),
        (None, ("micro-drama",), 2 * DAY_US, "expired"),
    ],
)
def test_a_voucher_that_is_none_is_refused(
    bench: Any, code: str | None, courses: tuple[str, ...], later_us: int, why: str
) -> None:
    (real,) = bench.ledger.vouchers.issue(1, "micro-drama", MICRO, bench.clock.now_us + DAY_US, "open day", "root")
    bench.clock.now_us += later_us
    with pytest.raises(VoucherError) as refused:
        bench.ledger.vouchers.redeem(code or real, "li", courses)
    assert refused.value.why == why
    assert bench.ledger.account("li", "micro-drama").granted_uy == 0


@pytest.mark.parametrize(
    "change",
    [
        "update hub_budget set spent_uy = spent_uy - 1",
        "update hub_voucher set micro_yuan = 99000000",
        "update hub_lease set budgets = ''",
        "delete from hub_budget",
    ],
)
def test_cooked_budgets_are_found_and_made_anew(bench: Any, change: str) -> None:
    bench.grant()
    allot(bench, 10)
    bench.ledger.vouchers.issue(1, "micro-drama", MICRO, bench.clock.now_us + DAY_US, "open day", "root")
    bench.session()
    bench.ledger.open(bench.request())
    rows = [bench.rows(table) for table in ("hub_budget", "hub_voucher", "hub_lease")]
    bench.sql(change)
    assert not bench.ledger.verify().held
    bench.ledger.rebuild()
    assert [bench.rows(table) for table in ("hub_budget", "hub_voucher", "hub_lease")] == rows
    assert bench.ledger.verify().held
