"""When a lab ends by itself: never without five minutes' notice, never while it is used, never beyond its session."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from hub.compute.lease import HOUR_US, MINUTE_US
from hub.reclaim.rule import NOTICE_US, ROUND_US, Life, Notice, outlook

LIFE = Life(started_us=0, longest_us=4 * HOUR_US, used_us=0, idle_us=HOUR_US)


def _used(minutes: int, **more: object) -> Life:
    return Life(started_us=0, longest_us=4 * HOUR_US, used_us=minutes * MINUTE_US, idle_us=HOUR_US, **more)  # type: ignore[arg-type]


def test_an_unused_lab_is_given_notice_before_it_ends() -> None:
    assert outlook(LIFE, None, 50 * MINUTE_US).notice is None
    told = outlook(LIFE, None, 55 * MINUTE_US)
    assert told.notice == Notice(55 * MINUTE_US, 60 * MINUTE_US, "idle")
    assert not outlook(LIFE, told.notice, 59 * MINUTE_US).is_over
    assert outlook(LIFE, told.notice, 60 * MINUTE_US).is_over


def test_a_notice_that_comes_late_still_leaves_five_minutes() -> None:
    late = outlook(LIFE, None, 3 * HOUR_US)
    assert late.notice is not None
    assert late.notice.stops_us - late.notice.given_us == NOTICE_US
    assert not late.is_over


def test_using_the_lab_makes_the_notice_void() -> None:
    standing = outlook(LIFE, None, 56 * MINUTE_US).notice
    again = outlook(_used(57), standing, 58 * MINUTE_US)
    assert again.notice is None
    assert again.ends_us == 117 * MINUTE_US


def test_a_last_use_that_seems_a_second_later_each_time_is_no_use() -> None:
    notice = outlook(LIFE, None, 55 * MINUTE_US).notice
    crept = Life(started_us=0, longest_us=4 * HOUR_US, used_us=5_000_000, idle_us=HOUR_US)
    assert outlook(crept, notice, 58 * MINUTE_US).notice == notice


def test_the_longest_session_ends_a_lab_that_is_used() -> None:
    told = outlook(_used(235), None, 235 * MINUTE_US)
    assert told.notice == Notice(235 * MINUTE_US, 240 * MINUTE_US, "longest")
    assert outlook(_used(240), told.notice, 240 * MINUTE_US).is_over


def test_a_class_counts_as_use_while_it_lasts() -> None:
    in_class = _used(0, classes=((30 * MINUTE_US, 150 * MINUTE_US),))
    assert outlook(in_class, None, 149 * MINUTE_US).notice is None
    after = outlook(in_class, None, 151 * MINUTE_US)
    assert (after.ends_us, after.why) == (210 * MINUTE_US, "idle")


@given(
    used=some.lists(some.integers(0, 300), min_size=1, max_size=12),
    idle=some.integers(5, 90),
    longest=some.integers(1, 300),
)
def test_nobody_is_stopped_without_notice_and_nobody_runs_on_for_ever(used: list[int], idle: int, longest: int) -> None:
    uses = sorted(used)
    notice, over_at = None, None
    for minute in range(700):
        past = [use for use in uses if use <= minute]
        life = Life(
            started_us=0,
            longest_us=longest * MINUTE_US,
            used_us=max(past, default=0) * MINUTE_US,
            idle_us=idle * MINUTE_US,
        )
        seen = outlook(life, notice, minute * MINUTE_US)
        if seen.is_over:
            over_at = minute
            assert notice is not None
            assert minute * MINUTE_US - notice.given_us >= NOTICE_US
            break
        notice = seen.notice
    assert over_at is not None
    assert over_at * MINUTE_US <= max(longest * MINUTE_US, NOTICE_US) + ROUND_US
