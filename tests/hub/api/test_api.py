"""The read API: a token may do so much and no more, its text is nowhere kept, and nobody is named."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text

import hub.api.tables
import hub.compute.tables
from hub.api.app import create_app
from hub.api.store import Tokens
from hub.api.token import Scope
from hub.compute.claim.value import ClaimRequest
from hub.compute.lease import HOUR_US, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy
from hub.config import POLICY
from hub.db import open_engine
from hub.token_commands import token_commands

NOON_US = 1_795_320_000_000_000  # 2026-11-22 12:00 in UTC+8
DAY_US = 24 * HOUR_US
MONTH = "first=2026-11&last=2026-11"
PROGRAMME = "sh-ai-micro-drama-2026"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Any]:
    """A ledger with a site of seven, one of six and one of two, and the API in front of it."""
    engine = open_engine(f"sqlite:///{tmp_path / 'api.db'}")
    for module in (hub.compute.tables, hub.api.tables):
        module.metadata.create_all(engine)
    world = SimpleNamespace(engine=engine, now_us=NOON_US + 40 * DAY_US)
    policy = load_policy(POLICY / "tariffs.toml", POLICY / "subsidies.toml")
    world.ledger = Ledger(engine, policy, tmp_path / "key.pem", clock=lambda: world.now_us)
    world.tokens = Tokens(engine, lambda: world.now_us)
    for site, cohort, count in (("main", "a", 7), ("north", "b", 6), ("far", "c", 2)):
        for number in range(count):
            session(world.ledger, f"{site}{number}", site, cohort)
    world.client = create_app(world.ledger, world.tokens, pseudonym_key=b"k" * 32).test_client()
    yield world
    engine.dispose()


def session(ledger: Ledger, learner: str, site: str, cohort: str) -> None:
    ledger.grant(learner, "micro-drama", 10**8, "enrolled", 1)
    asked = LeaseRequest(
        id=uuid4(), learner=learner, course="micro-drama", lab="first-take", cohort=cohort, site=site,
        profile="cpu", longest_us=HOUR_US, requested_us=NOON_US,
    )  # fmt: skip
    lease = ledger.open(asked)
    ledger.record_started(lease.id, NOON_US, "engine")
    ledger.record_ended(lease.id, NOON_US + HOUR_US, "engine", "stopped")


def get(api: Any, path: str, *scopes: str) -> Any:
    _, token = api.tokens.make("test", scopes or ("report", "claims", "metrics"), 30, "root")
    return api.client.get(f"/v1{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_report_is_what_a_funder_may_see(api: Any) -> None:
    answer = get(api, f"/report.json?{MONTH}&by=site").get_json()
    shown = {row["where"]["site"]: row["sums"] and row["sums"]["learners"] for row in answer["rows"]}
    assert shown == {"far": None, "main": 7, "north": None}
    assert answer["total"]["learners"] == 15
    table = list(csv.DictReader(io.StringIO(get(api, f"/report.csv?{MONTH}&by=site&by=lab").text)))
    assert [row["lab"] for row in table] == ["first-take"] * 3
    assert table[1]["subsidised_yuan"] == "3.50"


def test_a_narrower_token_sees_its_part_cut_out_of_the_whole(api: Any) -> None:
    mine = get(api, f"/report.json?{MONTH}", "report:site=main").get_json()
    assert [(row["where"], row["sums"]["learners"]) for row in mine["rows"]] == [({"site": "main"}, 7)]
    assert mine["total"] is None
    hidden = get(api, f"/report.json?{MONTH}", "report:site=north").get_json()
    assert [row["sums"] for row in hidden["rows"]] == [None]
    by_class = get(api, f"/report.json?{MONTH}&by=lab", "report:cohort=a").get_json()
    assert [row["where"] for row in by_class["rows"]] == [{"cohort": "a", "lab": "first-take"}]
    assert get(api, f"/report.json?{MONTH}", "report:site=elsewhere").get_json()["rows"] == []


def test_many_lines_are_handed_over_in_pages(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = f"/lines.json?{MONTH}&programme={PROGRAMME}&by=site&site=main"
    whole = get(api, asked).get_json()
    monkeypatch.setattr("hub.api.web.LINES_A_PAGE", 8)
    refused = get(api, asked)
    pages = -(-len(whole) // 8)
    assert refused.status_code == 422
    assert f"from 1 to {pages}, 8 lines each" in refused.text
    assert [line for page in range(pages) for line in get(api, f"{asked}&page={page + 1}").get_json()] == whole
    assert get(api, f"{asked}&page={pages + 1}").status_code == 404
    for typed in ("0", "-1", "x", "\u00b2", "9" * 5000):
        assert get(api, f"{asked}&page={typed}").status_code == 422


def test_lines_stand_behind_a_shown_row_and_name_nobody(api: Any) -> None:
    row = f"programme={PROGRAMME}&by=site&site="
    lines = get(api, f"/lines.json?{MONTH}&{row}main").get_json()
    assert len({line["trainee"] for line in lines}) == 7
    assert sum(line["amount_uy"] for line in lines) == 3_500_000
    assert not any("main" in line["trainee"] or "lease" in line for line in lines)
    assert get(api, f"/lines.csv?{MONTH}&{row}main").text.count("\n") == len(lines) + 1
    assert get(api, f"/lines.json?{MONTH}&{row}far").status_code == 403
    assert get(api, f"/lines.json?{MONTH}&{row}none").status_code == 404
    assert get(api, f"/lines.json?{MONTH}&programme={PROGRAMME}&site=north", "report:site=main").status_code == 404


def test_metrics_and_claims_have_scopes_of_their_own(api: Any) -> None:
    api.now_us = NOON_US + 40 * DAY_US
    asked = ClaimRequest(
        id=uuid4(), programme=PROGRAMME, payer="city", from_day="2026-11-01", until_day="2026-12-01",
        operator="Operator", contract="C-1",
    )  # fmt: skip
    api.ledger.claims.freeze(asked)
    scraped = get(api, "/metrics", "metrics")
    assert scraped.content_type.startswith("text/plain; version=0.0.4")
    assert 'reelwright_sessions_total{site="main",profile="cpu"} 7' in scraped.text
    (claim,) = get(api, "/claims.json", "claims").get_json()
    assert claim["due_yuan"] == "4.50"
    assert get(api, f"/claims/{claim['id']}/pack.zip", "claims").data[:2] == b"PK"
    assert get(api, f"/claims/{uuid4()}/pack.zip", "claims").status_code == 404
    for path, scope in (("/metrics", "report"), ("/claims.json", "metrics"), (f"/report.json?{MONTH}", "claims")):
        refused = get(api, path, scope)
        assert (refused.status_code, "may not read" in refused.get_json()["error"]) == (403, True)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("first=2026-11", "last: got ''"),
        ("first=2026-11-01&last=2026-11-30", "expected a month"),
        ("first=2026-12&last=2026-11", "from first on"),
        ("first=2000-01&last=2026-11", "at most 36"),
        (f"{MONTH}&by=learner", "by: got ['learner']"),
    ],
)
def test_a_question_that_is_none_is_refused_with_the_reason(api: Any, query: str, said: str) -> None:
    refused = get(api, f"/report.json?{query}")
    assert (refused.status_code, said in refused.get_json()["error"]) == (422, True)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Basic abc", "Bearer \ufffd"])
def test_without_a_good_token_nothing_is_answered(api: Any, header: str | None) -> None:
    headers = {"Authorization": header.encode("utf-8").decode("latin-1")} if header else {}
    for path in (f"/report.json?{MONTH}", "/metrics", "/none"):
        refused = api.client.get(f"/v1{path}", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_ends_when_revoked_or_run_out_and_its_text_is_nowhere_kept(api: Any) -> None:
    token, said = api.tokens.make("grafana", ["metrics"], 1, "root")
    ask = {"headers": {"Authorization": f"Bearer {said}"}}
    assert api.client.get("/v1/metrics", **ask).status_code == 200
    (kept,) = api.tokens.all()
    assert kept.last_used_us == api.now_us
    with api.engine.begin() as connection:
        assert said not in repr(connection.execute(text("select * from hub_api_token")).all())
    assert [api.tokens.revoke(token.id), api.tokens.revoke(token.id)] == [True, False]
    assert api.client.get("/v1/metrics", **ask).status_code == 401
    _, later = api.tokens.make("grafana", ["metrics"], 1, "root")
    api.now_us += DAY_US
    assert api.client.get("/v1/metrics", headers={"Authorization": f"Bearer {later}"}).status_code == 401


@pytest.mark.parametrize("scope", ["", "admin", "report:", "report:learner=li", "report:site=", "metrics:site=a"])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="scope: got"):
        Scope.parse(scope)


def test_tokens_are_made_listed_and_revoked_from_the_command_line(api: Any) -> None:
    def typed(*words: str) -> Any:
        return CliRunner().invoke(token_commands(lambda: api.tokens), list(words))

    said = typed("make", "grafana", "--scope", "metrics", "--scope", "report:site=main").output.strip()
    assert api.client.get("/v1/metrics", headers={"Authorization": f"Bearer {said}"}).status_code == 200
    row = typed("list").output
    assert "grafana\tmetrics, report:site=main\tuntil 2027-04-01" in row
    assert [typed("revoke", row.split("\t")[0]).exit_code, typed("revoke", str(UUID(int=1))).exit_code] == [0, 1]
    assert "revoked" in typed("list").output
    assert typed("make", "x", "--scope", "everything").exit_code == 2
    assert typed("make", "x", "--scope", "claims", "--days", "999").exit_code == 2
