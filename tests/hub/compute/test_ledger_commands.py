"""`reelwright ledger` as it is typed, on a real ledger."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from hub import prepare
from hub.ledger_commands import ledger_commands

Typed = Callable[..., Result]


@pytest.fixture
def typed(bench: Any) -> Typed:
    return lambda *words: CliRunner().invoke(ledger_commands(lambda: bench.ledger), list(words))


def test_checkpoints_are_printed_and_checked_against(make_bench: Any, tmp_path: Path) -> None:
    bench = make_bench(key=tmp_path / "key.pem")
    bench.grant()

    def typed(*words: str) -> Result:
        return CliRunner().invoke(ledger_commands(lambda: bench.ledger), list(words))

    assert json.loads(typed("checkpoint", "2026-11-21").output)["entries"] == 1
    kept = tmp_path / "kept.jsonl"
    kept.write_text(typed("checkpoints").output, encoding="utf-8")
    bench.sql("delete from hub_event")
    bench.sql("delete from hub_grant")
    bench.sql("delete from hub_chain_head")
    bench.sql("delete from hub_checkpoint")
    assert typed("verify").exit_code == 0
    found = typed("verify", "--checkpoints", str(kept), "--json")
    assert found.exit_code == 1
    assert json.loads(found.output)["first_bad"]["reason"].startswith("missing: the checkpoint of 2026-11-21")


def test_a_report_is_broken_down_as_asked(bench: Any, typed: Typed) -> None:
    for number in range(5):
        bench.grant(learner=f"learner{number}")
        bench.session(f"learner{number}")
    table = typed("report", "2026-11-01", "2026-12-01", "--by", "lab", "--by", "cohort", "--output", "csv").output
    assert table.startswith("programme,lab,cohort,learners,")
    assert "\ncity-2026,first-take,autumn,5," in table
    assert typed("report", "2026-11-01", "2026-12-01", "--by", "learner").exit_code == 2


def test_budgets_and_vouchers_from_the_command_line(bench: Any, typed: Typed) -> None:
    def allot(yuan: str, why: str) -> Result:
        return typed("budget", "allot", "site", "main", yuan, "--why", why, "--by", "root")

    assert "10.00 yuan left of 10.00" in allot("10", "autumn").output
    assert "9.00 yuan left of 9.00" in allot("-1", "cut").output
    refused = allot("-20", "more")
    assert (refused.exit_code, "at most 9.00 to be taken back" in refused.output) == (1, True)
    assert allot("ten", "words").exit_code == 1
    assert "site\tmain\tallotted 9.00\theld 0.00\tspent 0.00\tleft 9.00" in typed("budget", "list").output
    codes = typed(
        "voucher", "issue", "2", "micro-drama", "5", "--until", "2027-06-01", "--why", "open day", "--by", "r"
    ).output.split()
    bench.ledger.vouchers.redeem(codes[0], "li", ("micro-drama",))
    told = typed("voucher", "list").output
    assert told.count("free") == 1
    assert "turned in by li" in told
    late = typed("voucher", "issue", "1", "micro-drama", "5", "--until", "2020-01-01", "--why", "x", "--by", "r")
    assert (late.exit_code, "past" in late.output) == (1, True)


def ran(folder: Path, name: str, started_us: int, ended_us: int) -> None:
    """What the shim leaves of a session that it saw begin and end."""
    kept = folder / name
    kept.mkdir(parents=True)
    (kept / "lock").touch()
    (kept / "started.json").write_text(json.dumps({"at_us": started_us, "shim_pid": 0}), encoding="utf-8")
    ended = {"at_us": ended_us, "exit_status": 0, "reason": "stopped"}
    (kept / "ended.json").write_text(json.dumps(ended), encoding="utf-8")


def test_a_session_that_the_ledger_voided_or_does_not_know_is_reported_once_and_charged_nothing(
    bench: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench.grant()
    platform: Any = SimpleNamespace(
        leases=tmp_path / "leases", ledger=bench.ledger, config=SimpleNamespace(engine="local")
    )
    platform.leases.mkdir()
    void = bench.ledger.open(bench.request())
    bench.ledger.void(void.id, "never started")
    good = bench.session()
    stranger, noon = uuid4(), void.requested_us
    for name in (str(void.id), str(good.id), str(stranger), "not-a-lease"):
        ran(platform.leases, name, noon, noon + 60_000_000)
    with caplog.at_level(logging.WARNING):
        assert [prepare.observe_unbilled(platform), prepare.observe_unbilled(platform)] == [2, 0]
    reasons = {each.observation.lease: each.reason for each in bench.ledger.differences()}
    assert reasons == {
        void.id: "the ledger says that it never started; it is void",
        stranger: "the ledger never opened this lease",
    }
    assert len(bench.ledger.sessions("li", "micro-drama")) == 1
    assert str(stranger) in caplog.text
