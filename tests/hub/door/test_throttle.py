"""Guessing gets slower, and honest people are let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.door.throttle import FORGET_SECONDS, LIMITS, MAX_KEYS, Limit, Throttle, address_key

ANN = ("name", "ann")
BEN = ("name", "ben")
HERE = ("address", "192.0.2.7")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle({"name": Limit(3, 10, 60), "address": Limit(6, 10, 60)}, clock)


def test_free_attempts_then_waits_that_double_up_to_the_longest(throttle: Throttle, clock: Clock) -> None:
    assert [throttle.attempt([ANN]) for _ in range(4)] == [0, 0, 0, 10]
    waits = []
    for _ in range(5):
        waits.append(throttle.attempt([ANN]))
        clock.now += waits[-1]
        assert throttle.attempt([ANN]) == 0
    assert waits == [10, 20, 40, 60, 60]


def test_a_refused_attempt_is_not_counted_and_the_wait_runs_down(throttle: Throttle, clock: Clock) -> None:
    for _ in range(3):
        throttle.attempt([ANN])
    clock.now += 4.5
    assert [throttle.attempt([ANN]) for _ in range(100)] == [6] * 100
    clock.now += 5.5
    assert throttle.attempt([ANN]) == 0


def test_many_names_from_one_address_wait_for_the_address(throttle: Throttle) -> None:
    answers = [throttle.attempt([("name", f"guess{n}"), HERE]) for n in range(7)]
    assert answers == [0] * 6 + [10]
    assert throttle.attempt([("name", "elsewhere"), ("address", "198.51.100.1")]) == 0


def test_attempts_at_the_same_moment_are_counted_before_any_is_judged(throttle: Throttle) -> None:
    assert sum(throttle.attempt([ANN]) == 0 for _ in range(100)) == 3


def test_success_is_forgiven_at_the_address_and_forgotten_for_the_name(throttle: Throttle) -> None:
    for number in range(50):
        keys = [("name", f"pupil{number % 30}"), HERE]
        assert throttle.attempt(keys) == 0
        throttle.forgive(keys, clear=keys[:1])
    assert throttle.attempt([ANN, HERE]) == 0


def test_success_does_not_open_the_door_for_another_name(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.attempt([ANN])
    throttle.attempt([BEN])
    throttle.forgive([BEN], clear=[BEN])
    assert throttle.attempt([ANN]) == 10


def test_an_hour_later_it_is_forgotten(throttle: Throttle, clock: Clock) -> None:
    for _ in range(3):
        throttle.attempt([ANN])
    clock.now += FORGET_SECONDS + 1
    assert [throttle.attempt([ANN]) for _ in range(3)] == [0, 0, 0]


def test_memory_is_bounded_and_the_newest_are_kept(throttle: Throttle) -> None:
    for number in range(MAX_KEYS + 10):
        throttle.attempt([("name", str(number))])
    for _ in range(3):
        last = throttle.attempt([("name", str(MAX_KEYS + 9))])
    assert last == 10


@given(st.integers(min_value=0, max_value=10_000))
def test_the_real_limits_never_wait_longer_than_a_quarter_of_an_hour(attempts: int) -> None:
    for limit in LIMITS.values():
        assert 0 <= limit.wait_after(attempts) <= 900


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not an address", "unreadable"),
    ],
)
def test_a_visitor_cannot_have_many_addresses(address: str, key: str) -> None:
    assert address_key(address) == key
