"""Second witnesses are compared, and heartbeats bound what nobody saw."""

from typing import Any
from uuid import uuid4

import pytest

from hub.compute.lease import HOUR_US, SECOND_US, LeaseStateError, UnknownLeaseError
from hub.compute.tables import metadata


@pytest.mark.parametrize(("start_off", "end_off"), [(0, 0), (SECOND_US, -SECOND_US)])
def test_a_witness_that_agrees_to_the_second_is_no_news(any_bench: Any, start_off: int, end_off: int) -> None:
    any_bench.grant(10)
    lease = any_bench.session()
    seen = (lease.started_us + start_off, lease.ended_us + end_off)
    assert any_bench.ledger.observe(lease.id, "docker", *seen) is None
    assert any_bench.ledger.differences() == ()


def test_a_witness_that_saw_other_times_is_reported_and_changes_no_charge(any_bench: Any) -> None:
    any_bench.grant(10)
    lease = any_bench.session()
    found = any_bench.ledger.observe(lease.id, "slurm", lease.started_us, lease.ended_us - 90 * SECOND_US)
    assert (found.started_off_us, found.ended_off_us) == (0, -90 * SECOND_US)
    assert any_bench.ledger.observe(lease.id, "slurm", lease.started_us, lease.ended_us) == found
    assert any_bench.ledger.observe(lease.id, "docker", lease.started_us, lease.ended_us) is None
    assert any_bench.ledger.differences() == (found,)
    assert any_bench.ledger.account("li", "micro-drama").spent_uy == 500_000
    before = {name: any_bench.rows(name) for name in metadata.tables}
    assert any_bench.ledger.verify().held
    assert any_bench.ledger.rebuild().held
    assert {name: any_bench.rows(name) for name in metadata.tables} == before
    any_bench.sql("UPDATE hub_observation SET ended_us = ended_us + 1")
    assert not any_bench.ledger.verify().held


def test_what_the_ledger_does_not_know_is_kept_apart_with_its_reason(bench: Any) -> None:
    bench.grant(10)
    stranger = bench.ledger.observe(uuid4(), "docker", 1, 2)
    assert stranger.reason == "the ledger never opened this lease"
    opened = bench.ledger.open(bench.request())
    assert "never started" in bench.ledger.observe(opened.id, "docker", 3, 4).reason
    bench.ledger.record_started(opened.id, opened.requested_us, "engine")
    (_, running) = bench.ledger.differences()
    assert running.reason == "the ledger has no end of it yet"
    bench.ledger.record_ended(opened.id, opened.requested_us + HOUR_US, "engine", "stopped")
    assert [each.reason for each in bench.ledger.differences()] == [
        "the ledger never opened this lease",
        "it ran at other times than the ledger says",
    ]
    for bad in ((2, 1), (-1, 1), (1.5, 2), (float("nan"), 2)):
        with pytest.raises(ValueError, match="expected"):
            bench.ledger.observe(opened.id, "other", *bad)


def test_an_end_that_nobody_saw_is_the_last_heartbeat_and_flagged(any_bench: Any) -> None:
    any_bench.grant(10)
    lease = any_bench.ledger.open(any_bench.request())
    start = lease.requested_us
    with pytest.raises(LeaseStateError):
        any_bench.ledger.record_lost(lease.id, "steward", "power cut", 60 * SECOND_US)
    any_bench.ledger.record_started(lease.id, start, "engine")
    for minute in (1, 30, 29):
        any_bench.ledger.heartbeat(lease.id, start + minute * 60 * SECOND_US, "meter")
    ended = any_bench.ledger.record_lost(lease.id, "steward", "power cut", 60 * SECOND_US)
    assert ended.ended_us == start + 1800 * SECOND_US
    (session,) = any_bench.ledger.sessions("li", "micro-drama")
    assert (session.charge_uy, session.estimated) == (250_000, True)
    with pytest.raises(UnknownLeaseError):
        any_bench.ledger.heartbeat(uuid4(), start, "meter")
    assert any_bench.ledger.verify().held


def test_a_lab_that_never_beat_is_charged_nothing(bench: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    bench.ledger.record_lost(lease.id, "steward", "power cut", 60 * SECOND_US)
    assert bench.ledger.account("li", "micro-drama").spent_uy == 0
