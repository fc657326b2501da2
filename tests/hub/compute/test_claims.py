"""Claims: each line is claimed once, open periods are refused, and the evidence pack proves itself for ever."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pypdf
import pytest

from hub.compute.checkpoint import CheckpointError, checking_key, make_key
from hub.compute.claim.check import check_pack
from hub.compute.claim.focus import MANDATORY, check_focus, total
from hub.compute.claim.value import ClaimError, ClaimRequest, Note
from hub.compute.lease import HOUR_US, format_yuan
from hub.compute.ledger import Ledger
from hub.compute.tables import metadata

CLAIMS = ("hub_claim", "hub_claim_line", "hub_claim_person", "hub_claim_note")


def ask(**given: Any) -> ClaimRequest:
    asked = {
        "id": UUID(int=7),
        "programme": "city-2026",
        "payer": "city",
        "from_day": "2026-11-01",
        "until_day": "2026-12-01",
        "operator": "创作基地运营有限公司",
        "contract": "合同 2026-17",
        "invoice": "FP-0042",
    }
    return ClaimRequest(**{**asked, **given})


def say(claim: Any, **given: Any) -> Note:
    told = {"id": uuid4(), "claim": claim.request.id, "what": "query", "words": "why?", "by": "funder", "at_us": 1}
    return Note(**{**told, **given})


@pytest.fixture
def term(make_bench: Any, tmp_path: Any) -> Any:
    """Six learners in November: one over midnight, one on a GPU, one whose end is only known to the minute."""
    bench = make_bench(key=tmp_path / "ledger.pem")
    return fill(bench)


def fill(bench: Any) -> Any:
    for number in range(6):
        bench.grant(200, f"learner{number}")
        bench.session(f"learner{number}", hours=1.5, site=f"site{number % 2}")
    noon = bench.request().requested_us
    bench.session("learner3", requested_us=noon + 11 * HOUR_US, hours=2)
    bench.session("learner1", requested_us=noon + 1, profile="gpu", hours=1 / 7)
    lease = bench.ledger.open(bench.request("learner2", requested_us=noon + 2))
    bench.ledger.record_started(lease.id, noon + 2, "engine")
    bench.ledger.record_ended(lease.id, noon + HOUR_US, "heartbeat", "power cut", uncertainty_us=60_000_000)
    return bench


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_preview_is_what_freezing_gives_and_writes_nothing(term: Any) -> None:
    before = term.rows("hub_event")
    preview = term.ledger.claims.preview(ask())
    assert term.rows("hub_event") == before
    frozen = term.ledger.claims.freeze(ask())
    assert frozen.sums == preview.sums
    assert (frozen.sums.people, frozen.sums.sessions, frozen.sums.estimated_sessions) == (6, 9, 1)
    lines = term.ledger.lines({"programme": "city-2026", "payer": "city"}, "2026-11-01", "2026-12-01")
    assert frozen.sums.amount_uy == frozen.sums.due_uy == sum(line.amount_uy for line in lines)
    assert frozen.sums.total_uy == sum(
        session.charge_uy for number in range(6) for session in term.ledger.sessions(f"learner{number}", "micro-drama")
    )
    assert term.ledger.claims.preview(ask(id=uuid4())).claimed_before == frozen.sums.lines
    assert term.ledger.verify().held


def test_a_charge_is_claimed_once_per_payer_for_ever(term: Any) -> None:
    city = term.ledger.claims.freeze(ask())
    assert term.ledger.claims.freeze(ask()) == city
    with pytest.raises(ClaimError, match="nothing from"):
        term.ledger.claims.freeze(ask(id=uuid4(), from_day="2026-10-01"))
    with pytest.raises(ClaimError, match="different request"):
        term.ledger.claims.freeze(ask(contract="another"))
    district = term.ledger.claims.freeze(ask(id=uuid4(), payer="district"))
    assert district.sums.lines == city.sums.lines
    assert district.sums.total_uy == city.sums.total_uy
    assert district.sums.billed_us == city.sums.billed_us
    paid = sum(term.ledger.account(f"learner{number}", "micro-drama").subsidised_uy for number in range(6))
    assert city.sums.amount_uy + district.sums.amount_uy == paid
    assert [claim.request.payer for claim in term.ledger.claims.all()] == ["district", "city"]


def test_a_line_that_comes_late_goes_into_the_next_claim_of_the_same_days(term: Any) -> None:
    first = term.ledger.claims.freeze(ask())
    late = term.session("learner5", hours=1)
    second = term.ledger.claims.freeze(ask(id=uuid4()))
    assert (first.sums.sessions, second.sums.sessions, second.sums.lines) == (9, 1, 1)
    assert str(late.id) in files(term.ledger.claims.pack(second.request.id))["usage.csv"].decode()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"until_day": "2027-02-01"}, "still to come"),
        ({"programme": "moon"}, "expected one of"),
        ({"payer": "learner"}, "expected one of"),
    ],
)
def test_what_cannot_be_claimed_is_refused_with_its_reason(term: Any, given: Any, reason: str) -> None:
    before = term.rows("hub_event")
    for act in (term.ledger.claims.preview, term.ledger.claims.freeze):
        with pytest.raises(ClaimError, match=reason):
            act(ask(**given))
    assert term.rows("hub_event") == before


def test_a_period_with_a_session_that_still_runs_is_open(term: Any) -> None:
    lease = term.ledger.open(term.request("learner0"))
    with pytest.raises(ClaimError, match=f"{lease.id} is still opened"):
        term.ledger.claims.freeze(ask())
    term.ledger.void(lease.id, "never started")
    later = term.ledger.open(term.request("learner0", requested_us=term.clock.now_us))
    assert term.ledger.claims.freeze(ask()).sums.sessions == 9
    assert term.ledger.lease(later.id).state == "opened"


@pytest.mark.parametrize(
    "given",
    [
        {"from_day": "2026-12-01"},
        {"until_day": "tomorrow"},
        {"from_day": "20261101"},
        {"contract": ""},
        {"operator": "\n"},
    ],
)
def test_a_request_that_makes_no_sense_is_no_request(given: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        ask(**given)


def test_without_a_key_nothing_is_frozen(bench: Any) -> None:
    fill(bench)
    with pytest.raises(CheckpointError, match="key file"):
        bench.ledger.claims.freeze(ask())
    assert bench.ledger.claims.all() == ()
    assert bench.rows("hub_claim_line") == []


def test_the_pack_proves_itself_to_somebody_who_has_only_the_public_key(term: Any, tmp_path: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    content = term.ledger.claims.pack(claim.request.id)
    assert check_pack(content, checking_key(term.key)) == ()
    stranger = make_key(tmp_path / "stranger.pem").public_key()
    assert "not signed by the key" in check_pack(content, stranger)[0]


def test_the_pack_is_the_same_bytes_whatever_happens_later(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    once = term.ledger.claims.pack(claim.request.id)
    term.session("learner0")
    term.ledger.claims.note(say(claim, what="correction", words="the lab hung", amount_uy=1))
    term.ledger.claims.freeze(ask(id=uuid4()))
    term.clock.now_us += HOUR_US
    again = Ledger(term.engine, term.policy, term.key, clock=term.clock)
    assert again.rebuild().held
    assert again.claims.pack(claim.request.id) == once


@pytest.mark.parametrize(
    "name", ["usage.csv", "focus.csv", "claim.json", "checkpoint.json", "evidence.pdf", "README.txt"]
)
def test_any_changed_file_of_a_pack_is_found(term: Any, name: str) -> None:
    claim = term.ledger.claims.freeze(ask())
    parts = files(term.ledger.claims.pack(claim.request.id))
    for changed in (parts[name].replace(b"1", b"2", 1), parts[name][:-1], b""):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for other, content in parts.items():
                archive.writestr(other, changed if other == name else content)
        assert check_pack(out.getvalue(), checking_key(term.key))
    assert check_pack(b"not a zip", checking_key(term.key))


def test_a_pack_with_a_line_struck_out_everywhere_but_in_the_entry_is_found(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    parts = files(term.ledger.claims.pack(claim.request.id))
    parts["usage.csv"] = b"".join(parts["usage.csv"].splitlines(keepends=True)[:-1])
    manifest = json.loads(parts["manifest.json"])
    import hashlib  # noqa: PLC0415 - a forger's tool

    manifest["sha256"]["usage.csv"] = hashlib.sha256(parts["usage.csv"]).hexdigest()
    parts["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    found = check_pack(out.getvalue(), checking_key(term.key))
    assert found[0] == "usage.csv is not the file that the entry names"
    assert any(problem.startswith("claimed: ") for problem in found)


def test_a_pack_names_no_learner_and_the_operator_can_tell_who_a_number_is(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    for name, content in files(term.ledger.claims.pack(claim.request.id)).items():
        text = (
            "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
            if name.endswith("pdf")
            else content.decode()
        )
        assert "learner0" not in text
    assert term.ledger.claims.people("city-2026") == {number + 1: f"learner{number}" for number in range(6)}
    term.grant(10, "newcomer")
    term.session("newcomer")
    term.ledger.claims.freeze(ask(id=uuid4()))
    assert term.ledger.claims.people("city-2026")[7] == "newcomer"


def test_the_focus_file_keeps_its_rules_and_its_totals_are_the_claims(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    table = files(term.ledger.claims.pack(claim.request.id))["focus.csv"].decode()
    assert check_focus(table) == ()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert set(rows[0]) >= MANDATORY
    assert len(MANDATORY) == 21
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Credit"}
    assert total(table, "Usage") == Decimal(format_yuan(claim.sums.total_uy))
    assert total(table, "Credit") == -Decimal(format_yuan(claim.sums.due_uy))
    assert {row["BillingPeriodStart"] for row in rows} == {"2026-10-31T16:00:00Z"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("BilledCost,", "Billed,", "BilledCost is missing"),
        (",Credit,", ",Discount,", "ChargeCategory"),
        (",Compute,", ",Computing,", "ServiceCategory"),
        (",CNY,", ",yuan,", "BillingCurrency"),
        ("T04:00:00Z", "T04:00:00+08:00", "expected YYYY"),
        (",Seconds,", ",,", "one is null"),
        ("\n0.75,", "\nNaN,", "expected a decimal"),
        ("x_Person", "Person", "expected x_"),
    ],
)
def test_the_focus_checker_finds_what_breaks_a_rule(term: Any, old: str, new: str, problem: str) -> None:
    claim = term.ledger.claims.freeze(ask())
    table = files(term.ledger.claims.pack(claim.request.id))["focus.csv"].decode()
    assert old in table
    assert problem in " ".join(check_focus(table.replace(old, new)))


def test_the_pdf_says_it_in_both_languages(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    pdf = pypdf.PdfReader(io.BytesIO(files(term.ledger.claims.pack(claim.request.id))["evidence.pdf"]))
    text = "".join(page.extract_text() for page in pdf.pages)
    for words in ("证据包", "Evidence pack", "合同 2026-17", "FP-0042", "市级补贴", "City subsidy", "2026-11-01"):
        assert words in text
    assert format_yuan(claim.sums.due_uy) in text


def test_queries_and_corrections_are_new_entries_and_the_next_claim_carries_them(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    query = term.ledger.claims.note(say(claim, words="第三行是怎么回事？"))
    assert term.ledger.claims.note(query) == query
    answer = term.ledger.claims.note(say(claim, what="answer", words="the lab hung; we take it back", by="operator"))
    taken_back = term.ledger.claims.note(say(claim, what="correction", words="lab hung", amount_uy=120_000))
    assert term.ledger.claims.notes(claim.request.id) == (query, answer, taken_back)
    assert term.ledger.claims.one(claim.request.id) == claim

    term.session("learner0")
    following = term.ledger.claims.freeze(ask(id=uuid4()))
    assert following.corrections == (taken_back,)
    assert following.sums.due_uy == following.sums.amount_uy - 120_000
    content = term.ledger.claims.pack(following.request.id)
    assert check_pack(content, checking_key(term.key)) == ()
    rows = list(csv.DictReader(io.StringIO(files(content)["focus.csv"].decode())))
    assert [row["BilledCost"] for row in rows if row["ChargeClass"] == "Correction"] == ["0.12"]
    term.session("learner0", requested_us=term.request().requested_us + 5)
    assert term.ledger.claims.freeze(ask(id=uuid4())).corrections == ()
    assert term.ledger.verify().held


def test_notes_that_cannot_stand_are_refused(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    with pytest.raises(ClaimError, match="expected at most"):
        term.ledger.claims.note(say(claim, what="correction", amount_uy=claim.sums.amount_uy + 1))
    with pytest.raises(ClaimError, match="was frozen"):
        term.ledger.claims.note(replace(say(claim), claim=uuid4()))
    note = term.ledger.claims.note(say(claim))
    with pytest.raises(ClaimError, match="new id"):
        term.ledger.claims.note(replace(note, words="something else"))
    for given in ({"what": "joke"}, {"words": " "}, {"amount_uy": 5}, {"what": "correction"}, {"words": "a\x00b"}):
        with pytest.raises(ValueError, match="expected"):
            say(claim, **given)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM hub_claim_line",
        "DELETE FROM hub_claim",
        "UPDATE hub_claim SET due_uy = due_uy + 1",
        "UPDATE hub_claim_person SET number = number + 10",
        "UPDATE hub_claim_note SET amount_uy = 0",
        "DELETE FROM hub_claim_note",
        "UPDATE hub_claim_note SET carried_by = claim",
    ],
)
def test_cooked_claims_are_found_and_made_anew_from_the_chain(term: Any, statement: str) -> None:
    claim = term.ledger.claims.freeze(ask())
    term.ledger.claims.note(say(claim, what="correction", amount_uy=5))
    term.session("learner0")
    term.ledger.claims.freeze(ask(id=uuid4()))
    assert term.ledger.verify().held
    before = {name: term.rows(name) for name in metadata.tables}
    term.sql(statement)
    assert not term.ledger.verify().held
    assert term.ledger.rebuild().held
    assert {name: term.rows(name) for name in metadata.tables} == before
    assert term.ledger.verify().held


def test_a_claim_whose_lines_were_cooked_gives_no_pack(term: Any) -> None:
    claim = term.ledger.claims.freeze(ask())
    term.sql("UPDATE hub_charge_line SET amount_uy = amount_uy + 1 WHERE payer = 'city'")
    with pytest.raises(ClaimError, match="csv: got SHA-256"):
        term.ledger.claims.pack(claim.request.id)


@pytest.mark.postgres
def test_claims_are_the_same_on_postgresql(term: Any, postgres_bench: Any, tmp_path: Any) -> None:
    other = fill(postgres_bench)
    ledger = Ledger(other.engine, other.policy, tmp_path / "other.pem", clock=other.clock)
    mine, theirs = term.ledger.claims.freeze(ask()), ledger.claims.freeze(ask())
    assert mine.sums == theirs.sums
    assert check_pack(ledger.claims.pack(theirs.request.id), checking_key(tmp_path / "other.pem")) == ()
    assert ledger.rebuild().held
    assert ledger.verify().held
