"""What an operator's Prometheus scrapes: it parses, adds up, and names no learner."""

from datetime import date
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from hub.compute.lease import HOUR_US, SECOND_US
from hub.compute.metrics import metrics


def scraped(ledger: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    samples = [sample for family in text_string_to_metric_families(metrics(ledger)) for sample in family.samples]
    return {(sample.name.removeprefix("reelwright_"), tuple(sample.labels.items())): sample.value for sample in samples}


def test_an_empty_ledger_has_metrics(any_bench: Any) -> None:
    found = scraped(any_bench.ledger)
    assert found["ledger_entries_total", ()] == 0
    assert ("ledger_checkpoint_age_seconds", ()) not in found


def test_metrics_say_what_the_books_say_and_name_nobody(make_bench: Any, tmp_path: Any) -> None:
    bench = make_bench(key=tmp_path / "key.pem")
    bench.grant(200, "li-the-learner")
    bench.session("li-the-learner", hours=2, site='a "quoted\\" site')
    bench.session("li-the-learner", profile="gpu")
    lease = bench.ledger.open(bench.request("li-the-learner"))
    bench.ledger.checkpoint(date(2026, 11, 22))
    bench.clock.now_us += 90 * SECOND_US
    bench.ledger.observe(lease.id, "docker", lease.requested_us, lease.requested_us + HOUR_US)
    found = scraped(bench.ledger)
    assert "li-the-learner" not in metrics(bench.ledger)
    assert found["leases", (("state", "opened"),)] == 1
    assert found["leases", (("state", "ended"),)] == 2
    assert found["held_yuan", ()] == 2
    assert found["lab_seconds_total", (("site", 'a "quoted\\" site'), ("profile", "cpu"))] == 7200
    assert found["gpu_seconds_total", (("site", "main"), ("profile", "gpu"))] == 3600
    assert found["charged_yuan_total", (("site", "main"), ("profile", "gpu"))] == 28
    assert found["programme_paid_yuan_total", (("programme", "city-2026"), ("year", "2026"))] == 23.2
    assert found["ledger_checkpoint_age_seconds", ()] == 90
    assert found["ledger_unsigned_entries", ()] == 1
    assert found["witness_differences", ()] == 1
