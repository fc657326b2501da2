"""What `reelwright ledger` prints and how it exits."""

import json
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from hub.compute import command
from hub.compute.claim.value import ClaimRequest


def test_verify_says_entries_head_and_first_bad_and_exits_accordingly(bench: Any, capsys: Any) -> None:
    bench.grant(100)
    bench.session()
    assert command.verify(bench.ledger) == 0
    assert "entries: 5" in capsys.readouterr().out
    assert command.verify(bench.ledger, as_json=True) == 0
    good = json.loads(capsys.readouterr().out)
    assert (good["entries"], good["first_bad"], good["held"]) == (5, None, True)
    assert len(good["head"]) == 64
    bench.sql("DELETE FROM hub_event WHERE seq = 4")
    assert command.verify(bench.ledger) == 1
    assert "BAD: entry 4: missing" in capsys.readouterr().out
    assert command.verify(bench.ledger, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["first_bad"]["seq"] == 4


def test_checkpoints_kept_elsewhere_are_checked_too(make_bench: Any, tmp_path: Any, capsys: Any) -> None:
    bench = make_bench(key=tmp_path / "key.pem")
    bench.grant(100)
    bench.session()
    assert command.checkpoint(bench.ledger, date(2026, 11, 22)) == 0
    kept = tmp_path / "kept.jsonl"
    kept.write_text(capsys.readouterr().out)
    assert command.verify(bench.ledger, checkpoints=kept) == 0
    assert "checkpoints held: 2" in capsys.readouterr().out
    kept.write_text("not one\n")
    assert command.verify(bench.ledger, checkpoints=kept) == 1
    assert "line 1" in capsys.readouterr().err
    assert command.verify(bench.ledger, checkpoints=tmp_path / "none") == 1


def test_report_prints_text_csv_and_json(bench: Any, capsys: Any) -> None:
    for number in range(5):
        bench.grant(100, f"learner{number}")
        bench.session(f"learner{number}")
    for number in range(6):
        bench.grant(100, f"few{number}")
        bench.session(f"few{number}", site=f"small{number % 2}")
    period = (date(2026, 11, 1), date(2026, 12, 1))
    assert command.report(bench.ledger, *period) == 0
    printed = capsys.readouterr().out
    assert "5 learners, 5 sessions, 18000 s, 2.50 yuan at list price, 2.00 yuan subsidised" in printed
    assert printed.count("suppressed (") == 2
    assert command.report(bench.ledger, *period, by=("course",), output="csv") == 0
    assert capsys.readouterr().out.startswith("programme,course,learners,")
    assert command.report(bench.ledger, *period, by=("course",), output="json") == 0
    assert json.loads(capsys.readouterr().out)["dimensions"] == ["course"]
    assert command.report(bench.ledger, *reversed(period)) == 1
    assert command.report(bench.ledger, *period, by=("learner",)) == 1


def test_grant_extends_once_for_each_reason(bench: Any, capsys: Any) -> None:
    assert command.grant(bench.ledger, "li", "micro-drama", "12.50", "retake", 1) == 0
    assert command.grant(bench.ledger, "li", "micro-drama", "12.50", "retake", 2) == 0
    assert "12.50 yuan left" in capsys.readouterr().out
    assert command.grant(bench.ledger, "li", "micro-drama", "20", "retake", 3) == 1
    assert "granted 12.50 yuan for 'retake' before" in capsys.readouterr().err
    assert command.grant(bench.ledger, "li", "micro-drama", "ten", "retake", 3) == 1
    assert "got 'ten'" in capsys.readouterr().err


def test_claims_are_previewed_frozen_packed_and_checked(make_bench: Any, tmp_path: Any, capsys: Any) -> None:
    bench = make_bench(key=tmp_path / "key.pem")
    bench.grant(100)
    bench.session()
    about = {"programme": "city-2026", "payer": "city", "from_day": "2026-11-01", "until_day": "2026-12-01"}
    request = ClaimRequest(id=UUID(int=3), operator="Base", contract="17", **about)
    assert command.preview_claim(bench.ledger, request) == 0
    assert "1 lines, 1 learners, 1 sessions (0 estimated), 0.266667 yuan due" in capsys.readouterr().out
    assert command.freeze_claim(bench.ledger, request) == 0
    pack = tmp_path / "pack.zip"
    assert command.write_pack(bench.ledger, request.id, pack) == 0
    assert command.check_evidence(pack, bench.key) == 0
    assert "the pack holds" in capsys.readouterr().out
    pack.write_bytes(pack.read_bytes().replace(b"0.27", b"0.72").replace(b"0.26", b"0.62"))
    assert command.check_evidence(pack, bench.key) == 1
    assert command.write_pack(bench.ledger, UUID(int=4), pack) == 1
    assert command.freeze_claim(bench.ledger, replace(request, id=UUID(int=4))) == 1
    assert command.preview_claim(bench.ledger, replace(request, payer="moon")) == 1
    assert "expected one of" in capsys.readouterr().err
