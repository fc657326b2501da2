"""Alerts at their levels, what running labs use so far, and class hours that spare personal allowances."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.compute.alerts import alert, used_percent
from hub.compute.class_window import ClassWindow, inside_us, merged
from hub.compute.lease import HOUR_US, MICRO, MINUTE_US, Account, AllowanceExhausted, LedgerError
from hub.compute.tables import metadata

SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda span: (span[0], span[0] + span[1])))


def account(granted: int, spent: int, **more: int) -> Account:
    return Account(granted_uy=granted, held_uy=0, spent_uy=spent, subsidised_uy=0, **more)


def lesson(bench: Any, hours: float = 2, after: float = 0, **given: Any) -> ClassWindow:
    noon = bench.request().requested_us
    begin = noon + int(after * HOUR_US)
    told = {"course": "micro-drama", "cohort": "autumn", "from_us": begin, "until_us": begin + int(hours * HOUR_US)}
    return ClassWindow(**{**told, "by": "teacher", **given})


@pytest.fixture
def school(any_bench: Any) -> Any:
    """A day before class."""
    any_bench.clock.now_us = any_bench.request().requested_us - 24 * HOUR_US
    return any_bench


@pytest.mark.parametrize(
    ("spent", "level"),
    [
        (0, None),
        (499_999, None),
        (500_000, 50),
        (700_000, 70),
        (799_999, 70),
        (800_000, 80),
        (999_999, 80),
        (10**6, 100),
    ],
)
def test_an_alert_is_the_highest_level_that_is_reached(spent: int, level: int | None) -> None:
    assert alert(account(10**6, spent)) == level
    assert alert(account(10**6, 0), accrued_uy=spent) == level


def test_class_time_counts_towards_no_level_and_nothing_granted_alerts_nobody() -> None:
    assert alert(account(100, 90, spared_uy=60)) is None
    assert alert(account(0, 0)) is None
    assert used_percent(account(0, 0)) == 100


def test_running_labs_count_as_they_go_and_never_more_than_they_hold(bench: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    start = lease.requested_us
    assert bench.ledger.accrued("li", "micro-drama", start + HOUR_US) == 0
    bench.ledger.record_started(lease.id, start, "engine")
    assert bench.ledger.accrued("li", "micro-drama", start - HOUR_US) == 0
    assert bench.ledger.accrued("li", "micro-drama", start + HOUR_US) == 500_000
    assert bench.ledger.accrued("li", "micro-drama", start + 90 * HOUR_US) == lease.held_uy == 2 * MICRO
    bench.ledger.record_ended(lease.id, start + HOUR_US, "engine", "stopped")
    assert bench.ledger.accrued("li", "micro-drama", start + HOUR_US) == 0


def test_class_time_is_charged_and_subsidised_but_not_taken_from_the_allowance(school: Any) -> None:
    school.grant(10)
    school.ledger.classes.schedule(lesson(school))
    lease = school.ledger.open(school.request())
    assert lease.held_uy == 2 * 500_000  # two of four hours lie in class
    school.ledger.record_started(lease.id, lease.requested_us, "engine")
    assert school.ledger.accrued("li", "micro-drama", lease.requested_us + 3 * HOUR_US) == 500_000
    school.ledger.record_ended(lease.id, lease.requested_us + 3 * HOUR_US, "engine", "stopped")
    found = school.ledger.account("li", "micro-drama")
    assert (found.spent_uy, found.spared_uy, found.left_uy) == (1_500_000, MICRO, 9_500_000)
    assert (found.subsidised_uy, found.learner_uy) == (1_200_000, 300_000)
    (session,) = school.ledger.sessions("li", "micro-drama")
    assert (session.charge_uy, session.allowance_uy) == (1_500_000, 500_000)
    before = {name: school.rows(name) for name in metadata.tables}
    assert school.ledger.verify().held
    assert school.ledger.rebuild().held
    assert {name: school.rows(name) for name in metadata.tables} == before


def test_a_learner_with_nothing_left_can_still_come_to_class(school: Any) -> None:
    with pytest.raises(AllowanceExhausted):
        school.ledger.open(school.request(longest_us=HOUR_US))
    school.ledger.classes.schedule(lesson(school))
    assert school.session(hours=0.5, longest_us=HOUR_US).state == "ended"
    assert school.ledger.account("li", "micro-drama").left_uy == 0
    with pytest.raises(AllowanceExhausted):
        school.ledger.open(school.request(longest_us=3 * HOUR_US))
    with pytest.raises(AllowanceExhausted):
        school.ledger.open(school.request(longest_us=HOUR_US, cohort="evening"))


def test_what_was_not_held_is_not_taken_when_a_lab_of_the_class_starts_late(school: Any) -> None:
    school.ledger.classes.schedule(lesson(school))
    lease = school.ledger.open(school.request(longest_us=HOUR_US))
    late = lease.requested_us + 90 * MINUTE_US
    school.ledger.record_started(lease.id, late, "engine")
    school.ledger.record_ended(lease.id, late + HOUR_US, "engine", "stopped")
    found = school.ledger.account("li", "micro-drama")
    assert (found.spent_uy, found.left_uy) == (500_000, 0)


def test_a_cancelled_class_spares_nothing_but_what_was_opened_keeps_it(school: Any) -> None:
    school.grant(10)
    window = school.ledger.classes.schedule(lesson(school))
    assert school.ledger.classes.schedule(window) == window
    early = school.ledger.open(school.request(longest_us=HOUR_US))
    school.ledger.classes.cancel(window, "teacher")
    school.ledger.classes.cancel(window, "teacher")
    assert school.ledger.classes.of("micro-drama") == ()
    assert (early.held_uy, school.ledger.open(school.request(longest_us=HOUR_US)).held_uy) == (0, 500_000)
    with pytest.raises(LedgerError, match="cancelled"):
        school.ledger.classes.schedule(window)
    with pytest.raises(LedgerError, match="never scheduled"):
        school.ledger.classes.cancel(lesson(school, hours=3), "teacher")
    assert school.ledger.verify().held


def test_classes_that_are_over_or_make_no_sense_are_refused(school: Any) -> None:
    with pytest.raises(LedgerError, match="over"):
        school.ledger.classes.schedule(lesson(school, after=-40))
    for wrong in ({"hours": 0}, {"hours": 25}, {"cohort": ""}, {"from_us": 0.5}):
        with pytest.raises(ValueError, match="expected"):
            lesson(school, **wrong)


def test_a_class_put_into_the_books_by_hand_is_found(school: Any) -> None:
    school.ledger.classes.schedule(lesson(school))
    school.sql("UPDATE hub_class_window SET until_us = until_us + 1")
    assert not school.ledger.verify().held
    assert school.ledger.rebuild().held
    assert school.ledger.verify().held


@given(SPANS, st.integers(0, 60), st.integers(0, 60))
def test_overlapping_classes_count_once(spans: list[tuple[int, int]], begin: int, length: int) -> None:
    moments = {moment for first, last in spans for moment in range(first, last)}
    assert inside_us(merged(spans), begin, begin + length) == len(moments & set(range(begin, begin + length)))
