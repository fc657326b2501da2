from __future__ import annotations

from certs.limit import Buckets, Rate


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_taken_then_it_is_said_how_long_to_wait() -> None:
    clock = Clock()
    buckets = Buckets(Rate(per_second=2, burst=10), clock=clock)
    assert [buckets.take("192.0.2.1", 1) for _ in range(10)] == [0] * 10
    assert buckets.take("192.0.2.1", 4) == 2
    clock.now = 2.0
    assert buckets.take("192.0.2.1", 4) == 0
    assert buckets.take("192.0.2.1", 1) == 1


def test_addresses_do_not_share_and_refusals_cost_nothing() -> None:
    clock = Clock()
    buckets = Buckets(Rate(1, 1), clock=clock)
    assert buckets.take("192.0.2.1", 1) == 0
    assert [buckets.take("192.0.2.1", 1) for _ in range(50)] == [1] * 50
    assert buckets.take("192.0.2.2", 1) == 0
    clock.now = 1.0
    assert buckets.take("192.0.2.1", 1) == 0


def test_one_customers_ipv6_addresses_are_one() -> None:
    buckets = Buckets(Rate(1, 1), clock=Clock())
    assert buckets.take("2001:db8:1:2::1", 1) == 0
    assert buckets.take("2001:db8:1:2:ffff::9", 1) > 0
    assert buckets.take("2001:db8:1:3::1", 1) == 0
    assert buckets.take("::ffff:192.0.2.1", 1) == 0
    assert buckets.take("192.0.2.1", 1) > 0


def test_memory_is_bounded_and_who_asks_most_is_remembered() -> None:
    clock = Clock()
    buckets = Buckets(Rate(0.001, 1), size=100, clock=clock)
    assert buckets.take("flooder", 1) == 0
    for number in range(5_000):
        buckets.take(f"10.0.{number // 250}.{number % 250}", 1)
        assert buckets.take("flooder", 1) > 0
    assert len(buckets) == 100
