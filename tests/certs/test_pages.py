"""What holders decide and issuers change, as the public pages show it; how much one address may ask."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from certs.app import create_app
from certs.credential.identity import commit
from certs.issue import issue_pending, refresh_lists, refresh_logs
from certs.keys import IssuerKey
from certs.limit import Rate
from certs.wallet import interaction_address

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

    from certs.certificate import Claim, IssuerProfile
    from certs.store import Store

SECOND_US = 1_000_000
NUMBER = "11010119900307123X"
SEALED = commit(NUMBER)


@pytest.fixture
def issued(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey) -> str:
    store.register_key(key.multibase)
    asked = store.request(replace(claim, identity_sha256=SEALED.sha256))
    issue_pending(store, key, profile)
    refresh_lists(store, key, profile)
    return asked


@pytest.fixture
def client(store: Store, profile: IssuerProfile, issued: str) -> FlaskClient:
    return create_app(store, profile).test_client()


def test_a_paused_certificate_shows_no_fact_at_any_of_its_addresses(
    client: FlaskClient, store: Store, issued: str, claim: Claim
) -> None:
    store.pause(issued)
    for address in ("", ".json", ".pdf", ".png", ".svg", "/check", "/wallet.svg"):
        answer = client.get(f"/certs/{issued}{address}?lang=en")
        assert answer.status_code == 403
        assert "Paused by the holder" in answer.text
        assert "verdict-paused" in answer.text
        for fact in (claim.holder_name, claim.title.en, "89.25"):
            assert fact not in answer.text
    store.resume(issued)
    assert client.get(f"/certs/{issued}").status_code == 200


def test_a_file_of_a_paused_certificate_still_verifies(client: FlaskClient, store: Store, issued: str) -> None:
    document = client.get(f"/certs/{issued}.json").data
    store.pause(issued)
    answer = client.post("/certs/verify", data=document, headers={"Accept": "application/json"})
    assert answer.json["verdict"] == "valid"


def test_a_superseded_certificate_leads_to_the_newer_one(
    client: FlaskClient, store: Store, issued: str, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    document = client.get(f"/certs/{issued}.json").data
    newer = store.reissue(issued, replace(claim, holder_name="陈晓宇"))
    issue_pending(store, key, profile)
    page = client.get(f"/certs/{issued}?lang=en").text
    assert "Superseded" in page
    assert "verdict-superseded" in page
    assert f"/certs/{newer}?lang=en" in page
    assert "Genuine, unaltered and in force." not in page
    uploaded = client.post("/certs/verify", data=document, headers={"Accept": "application/json"})
    assert uploaded.json["verdict"] == "superseded"
    store.revoke(issued, "graded by mistake")
    assert "Revoked" in client.get(f"/certs/{issued}?lang=en").text


def test_an_aged_certificate_is_expired(
    client: FlaskClient, store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    aged = replace(claim, holder_ref="u2", completed_us=10**15, valid_until_us=10**15 + SECOND_US)
    asked = store.request(aged)
    issue_pending(store, key, profile)
    found = store.by_id(asked)
    assert found is not None
    assert found.refused_reason is not None, "nothing is issued that has expired already"
    later = found.requested_us + 2 * SECOND_US
    asked = store.request(replace(aged, holder_ref="u3", valid_until_us=later + 3600 * SECOND_US))
    issue_pending(store, key, profile)
    page = client.get(f"/certs/{asked}?lang=en").text
    assert "Valid from" in page
    assert "with no expiry date" not in page


@pytest.mark.parametrize(
    "hidden", [{"name"}, {"score"}, {"name", "score"}, set()], ids=["name", "score", "both", "none"]
)
def test_a_share_shows_what_the_holder_chose_and_leads_to_nothing_more(
    client: FlaskClient, store: Store, issued: str, claim: Claim, hidden: set[str]
) -> None:
    hide_name, hide_score = "name" in hidden, "score" in hidden
    token = store.share(issued, hide_name=hide_name, hide_score=hide_score)
    page = client.get(f"/certs/s/{token}?lang=en").text
    assert "Shown in part." in page
    assert claim.title.en in page
    assert (claim.holder_name in page) is not hide_name
    assert ("89.25" in page) is not hide_score
    assert ("86.5" in page) is not hide_score
    assert issued not in page
    store.pause(issued)
    assert client.get(f"/certs/s/{token}").status_code == 200
    store.end_share(issued, token)
    assert client.get(f"/certs/s/{token}").status_code == 404


def test_a_share_says_when_the_certificate_was_revoked(client: FlaskClient, store: Store, issued: str) -> None:
    token = store.share(issued, hide_name=True, hide_score=True)
    store.revoke(issued, "graded by mistake")
    assert "verdict-revoked" in client.get(f"/certs/s/{token}?lang=en").text


def test_an_erased_certificate_is_unknown_everywhere(
    client: FlaskClient, store: Store, issued: str, claim: Claim
) -> None:
    token = store.share(issued, hide_name=False, hide_score=False)
    unknown = client.get(f"/certs/{'0' * 32}?lang=en").text
    store.erase_holder(claim.holder_ref)
    for address in (issued, f"{issued}.pdf", f"{issued}/check", f"s/{token}"):
        answer = client.get(f"/certs/{address}?lang=en")
        assert answer.status_code == 404
        assert re.sub(r'href="[^"]*"', "", answer.text) == re.sub(r'href="[^"]*"', "", unknown)


def test_the_holder_proves_who_they_are_with_number_and_code(client: FlaskClient, issued: str) -> None:
    def ask(number: str, opening: str) -> str:
        return client.post(f"/certs/{issued}/identity?lang=en", data={"number": number, "opening": opening}).text

    assert "Does it belong to the person before you?" in client.get(f"/certs/{issued}?lang=en").text
    assert "Yes: this number and this code" in ask(NUMBER, SEALED.opening)
    for number, opening in (("1", SEALED.opening), (NUMBER, "0" * 32), ("", ""), ("x" * 5_000, "y" * 5_000)):
        answer = ask(number, opening)
        assert "No: this number and this code" in answer
        assert NUMBER not in answer


def test_the_credential_is_found_at_its_own_id(client: FlaskClient, store: Store, issued: str) -> None:
    found = store.by_id(issued)
    assert found is not None
    for kind in ("application/vc", "application/ld+json"):
        answer = client.get(f"/certs/{issued}", headers={"Accept": kind})
        assert (answer.mimetype, answer.data) == (kind, found.document)
    standing = client.get(f"/certs/{issued}", headers={"Accept": "application/json"}).json
    assert standing["verdict"] == "valid"
    assert client.get(f"/certs/{issued}", headers={"Accept": "*/*"}).mimetype == "text/html"


def test_links_for_the_holder_say_nothing_of_the_name(client: FlaskClient, issued: str, claim: Claim) -> None:
    page = client.get(f"/certs/{issued}?lang=en").text
    (link,) = re.findall(r'href="(https://www\.linkedin\.com/[^"]+)"', page)
    assert "Making+micro-drama+with+AI" in link
    assert issued in link
    assert "%E9%99%88" not in link
    assert "<svg" in client.get(f"/certs/{issued}/wallet.svg").text


def test_a_wallet_takes_the_credential_from_the_address_in_the_qr_code(
    client: FlaskClient, store: Store, issued: str, profile: IssuerProfile
) -> None:
    """The steps of a wallet that is a page of another site: ask for protocols, ask whether it may post, post."""
    address = interaction_address(profile, issued)
    local = address.removeprefix(profile.base_url)
    offered = client.get(f"/certs{local}", headers={"Accept": "application/json"})
    exchange = offered.json["protocols"]["vcapi"]
    assert offered.headers["Access-Control-Allow-Origin"] == "*"
    path = "/certs" + exchange.removeprefix(profile.base_url)
    may = client.options(path, headers={"Origin": "https://wallet.example", "Access-Control-Request-Method": "POST"})
    assert may.headers["Access-Control-Allow-Headers"] == "Content-Type, Accept"
    done = client.post(path, json={})
    presentation = done.json["verifiablePresentation"]
    assert presentation["type"] == ["VerifiablePresentation"]
    assert "verifiablePresentationRequest" not in done.json
    (taken,) = presentation["verifiableCredential"]
    kept = store.by_id(issued)
    assert kept is not None
    assert taken == json.loads(kept.document or b"")
    checked = client.post("/certs/verify", data=json.dumps(taken), headers={"Accept": "application/json"})
    assert checked.json["verdict"] == "valid"


def test_a_person_who_follows_the_wallets_address_comes_to_the_page(client: FlaskClient, issued: str) -> None:
    answer = client.get(f"/certs/{issued}/wallet?iuv=1", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.location) == (303, f"/certs/{issued}")
    plain = client.get(f"/certs/{issued}/wallet", headers={"Accept": "application/vc"})
    assert plain.mimetype == "application/vc"


def test_a_wallet_gets_nothing_of_a_paused_or_unknown_certificate(
    client: FlaskClient, store: Store, issued: str
) -> None:
    assert client.post(f"/certs/{'0' * 32}/wallet", json={}).status_code == 404
    store.pause(issued)
    assert client.post(f"/certs/{issued}/wallet", json={}).status_code == 403
    assert client.get(f"/certs/{issued}/wallet?iuv=1", headers={"Accept": "application/json"}).status_code == 403


def test_a_certificate_signed_after_the_key_was_stolen_is_not_valid(
    client: FlaskClient, store: Store, issued: str, key: IssuerKey, profile: IssuerProfile, tmp_path: Path
) -> None:
    found = store.by_id(issued)
    assert found is not None
    assert found.issued_us is not None
    newer = IssuerKey.load_or_create(tmp_path / "newer.pem")
    store.register_key(newer.multibase)
    store.mark_key_bad(key.multibase, found.issued_us + SECOND_US)
    refresh_lists(store, newer, profile)
    refresh_logs(store, newer, profile)
    fresh = create_app(store, profile).test_client()
    assert "verdict-valid" in fresh.get(f"/certs/{issued}?lang=en").text
    checked = fresh.get(f"/certs/{issued}/check", headers={"Accept": "application/json"}).json
    assert checked["verdict"] == "valid"
    assert fresh.get(f"/certs/log/{key.multibase}").mimetype == "application/jwt"
    store.mark_key_bad(key.multibase, found.issued_us - SECOND_US)
    page = create_app(store, profile).test_client().get(f"/certs/{issued}?lang=en").text
    assert "Not valid" in page
    assert "had been compromised" in page


def test_an_original_pdf_verifies_after_the_layout_has_changed(
    client: FlaskClient, store: Store, issued: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certs.forms import typeset  # noqa: PLC0415

    pdf = client.get(f"/certs/{issued}.pdf").data
    monkeypatch.setattr(typeset, "SOFTWARE", "Reelwright layout 99, typst 9.9")
    ask = {"Accept": "application/json"}
    assert client.post("/certs/verify", data=pdf, headers=ask).json["verdict"] == "valid"
    assert client.post("/certs/verify", data=pdf + b"\n%", headers=ask).json["verdict"] == "unknown"


def test_one_address_is_asked_to_wait_and_others_are_not(store: Store, profile: IssuerProfile, issued: str) -> None:
    client = create_app(store, profile, proxies=1, rate=Rate(0.5, 3)).test_client()

    def get(caller: str, **headers: str) -> tuple[int, str | None]:
        answer = client.get(f"/certs/{issued}", headers={"X-Forwarded-For": caller, **headers})
        return answer.status_code, answer.headers.get("Retry-After")

    assert [get("192.0.2.7")[0] for _ in range(3)] == [200] * 3
    assert get("192.0.2.7") == (429, "2")
    assert get("203.0.113.9, 192.0.2.7")[0] == 429, "what a caller claims of itself does not help it"
    assert get("192.0.2.8")[0] == 200
    answer = client.get("/certs/", headers={"X-Forwarded-For": "192.0.2.7", "Accept": "application/json"})
    assert answer.json["problem"] == "too many requests"
    assert client.get("/certs/static/certs.css", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 200


def test_every_address_that_shows_nothing_answers_with_the_same_headers(client: FlaskClient, issued: str) -> None:
    """Headers too: nothing tells a certificate that was never issued from one that waits to be."""
    shapes = {
        json.dumps(sorted(client.get(f"/certs/{name}", headers={"Accept": "text/html"}).headers.keys()))
        for name in ("0" * 32, "f" * 32, "x", "s/" + "0" * 32, "log/z6Mk")
    }
    assert len(shapes) == 1


def test_a_revocation_is_seen_on_the_list_within_a_minute(
    client: FlaskClient, store: Store, issued: str, key: IssuerKey, profile: IssuerProfile
) -> None:
    """A copy lives half a minute, and the issuer signs a new list in its next round."""
    before = client.get("/certs/status/0")
    assert before.headers["Cache-Control"] == "public, max-age=30"
    store.revoke(issued, "graded by mistake")
    assert refresh_lists(store, key, profile) == 1
    assert client.get("/certs/status/0").data != before.data
