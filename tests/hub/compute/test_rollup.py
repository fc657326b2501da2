"""What reports read is what the charge lines sum to, always: when it is written, verified, made anew and migrated."""

import itertools
from typing import Any

import pytest
from alembic import command

from hub.compute.gpu.usage import GpuEvidence
from hub.compute.lease import DAY_US, HOUR_US
from hub.compute.report import DIMENSIONS
from hub.compute.rollup import Span, spans
from hub.migrate import alembic_config

PERIOD = ("2026-10-01", "2027-03-01")
TABLES = ("hub_usage_place", "hub_usage", "hub_usage_learner", "hub_gpu_usage")


@pytest.fixture
def used(any_bench: Any) -> Any:
    """Seven learners at two sites over a year's end, sessions over midnight, two of them on a GPU that was watched."""
    bench = any_bench
    noon = bench.request().requested_us
    for number in range(7):
        learner = f"learner{number}"
        bench.grant(500, learner)
        site = "far" if number % 3 else "main"
        bench.session(learner, site=site, lab=f"lab{number % 2}")
        bench.session(learner, site=site, requested_us=noon + 11 * HOUR_US + number * 9 * DAY_US, hours=2.5)
    for number in range(2):
        lease = bench.session(f"learner{number}", profile="gpu")
        minutes = {"minutes": 60, "samples": 60, "rated": 60, "busy_sum": 3_000, "memory_mb": 1, "sha256": "0" * 64}
        bench.ledger.keep_gpu_evidence(GpuEvidence(lease=lease.id, source="nvml", slice="GPU-1", **minutes))
    return bench


def stored(bench: Any) -> dict[str, list[str]]:
    return {name: bench.rows(name) for name in TABLES}


@pytest.mark.parametrize("period", [PERIOD, ("2026-11-22", "2027-01-03"), ("2026-12-05", "2026-12-20")])
def test_every_breakdown_is_what_the_lines_of_its_rows_sum_to(used: Any, period: tuple[str, str]) -> None:
    lines = used.ledger.lines({}, *period)
    for width in (0, 1, 2, 6):
        for by in itertools.combinations(DIMENSIONS, width):
            made = used.ledger.report(by, *period)
            keys = {(line.programme, *(getattr(line, name) for name in by)) for line in lines}
            assert [(row.programme, *row.where.values()) for row in made.rows] == sorted(keys)
            for row in made.rows:
                if row.sums:
                    behind = [
                        line
                        for line in lines
                        if {"programme": row.programme, **row.where}.items() <= line._asdict().items()
                    ]
                    assert row.sums.learners == len({line.learner for line in behind})
                    assert row.sums.total_uy == sum(line.total_uy for line in behind)
                    assert row.sums.seconds == sum(line.billed_us for line in behind) // 1_000_000
                    assert row.sums.sessions == sum(line.sessions for line in behind)


FORGERIES = (
    "UPDATE hub_usage SET amount_uy = amount_uy + 1 WHERE grain = 'month' AND payer = 'city'",
    "UPDATE hub_usage SET sessions = 0 WHERE grain = 'day'",
    "UPDATE hub_usage SET place = place + 1",
    "DELETE FROM hub_usage WHERE payer = 'district'",
    "DELETE FROM hub_usage_learner WHERE learner = 'learner3'",
    "DELETE FROM hub_usage_learner WHERE grain = 'month'",
    (
        "INSERT INTO hub_usage_learner SELECT grain, period, programme, place, 'mallory', 0, 0 FROM hub_usage_learner"
        " WHERE learner = 'learner3'"
    ),
    (
        "INSERT INTO hub_usage SELECT 'day', '2025-01-01', programme, payer, place, 0, 0, 0, 0, 0, 0, 0 FROM hub_usage"
        " WHERE grain = 'month' AND period = '2026-12' AND payer = 'city'"
    ),
    "UPDATE hub_usage_place SET site = 'elsewhere'",
    "DELETE FROM hub_usage_place",
    "UPDATE hub_gpu_usage SET busy_sum = busy_sum * 2",
    "DELETE FROM hub_gpu_usage",
)


def test_whoever_changes_what_reports_read_is_found(used: Any) -> None:
    assert used.ledger.verify().held
    before = stored(used)
    for change in FORGERIES:
        used.sql(change)
        found = used.ledger.verify().first_bad
        assert found is not None, change
        assert found.seq == 0
        assert found.reason.startswith(TABLES), found.reason
        assert used.ledger.rebuild().held
        assert stored(used) == before, change
    assert used.ledger.verify().held


def test_an_upgrade_fills_it_from_the_lines_that_are_there(used: Any) -> None:
    before = stored(used)
    assert all(before.values())
    config = alembic_config(used.engine.url.render_as_string(hide_password=False))
    command.stamp(config, "0002")
    command.downgrade(config, "0001")
    command.upgrade(config, "0002")
    assert stored(used) == before
    assert used.ledger.verify().held


def test_days_are_whole_months_and_the_rest() -> None:
    assert spans("2026-11-01", "2027-02-01") == (Span("month", "2026-11", "2027-02"),)
    assert spans("2026-11-02", "2026-11-30") == (Span("day", "2026-11-02", "2026-11-30"),)
    assert spans("2026-12-31", "2027-02-02") == (
        Span("day", "2026-12-31", "2027-01-01"),
        Span("month", "2027-01", "2027-02"),
        Span("day", "2027-02-01", "2027-02-02"),
    )
    assert spans("2026-11-05", "2026-11-05") == ()
