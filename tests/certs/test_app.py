from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from sqlalchemy import update

from certs import tables
from certs.app import create_app
from certs.issue import issue_pending, refresh_lists

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from certs.certificate import Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store


@pytest.fixture
def issued(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey) -> str:
    store.register_key(key.multibase)
    asked = store.request(claim)
    issue_pending(store, key, profile)
    refresh_lists(store, key, profile)
    return asked


@pytest.fixture
def client(store: Store, profile: IssuerProfile, issued: str) -> FlaskClient:
    return create_app(store, profile).test_client()


def upload(client: FlaskClient, data: bytes, **headers: str) -> TestResponse:
    return client.post("/certs/verify?lang=en", data={"file": (io.BytesIO(data), "certificate")}, headers=headers)


def test_the_page_says_at_once_that_it_is_valid_and_every_signed_fact(
    client: FlaskClient, issued: str, claim: Claim
) -> None:
    page = client.get(f"/certs/{issued}?lang=en").text
    assert "Valid" in page
    for fact in (claim.holder_name, claim.title.en, claim.criteria.en, claim.ai_use.en, claim.skills[0].title.en):
        assert fact in page
    for fact in ("89.25", "3 h 41 min", "30 min", "86.5", "ab12" * 16, "cd34" * 16, "2026-1", "Not revoked"):
        assert fact in page


def test_both_languages_and_the_browsers_choice(client: FlaskClient, issued: str) -> None:
    chinese = client.get(f"/certs/{issued}?lang=zh_CN").text
    assert '<html lang="zh-CN">' in chinese
    assert "真实、未被改动、当前有效。" in chinese
    english = client.get(f"/certs/{issued}", headers={"Accept-Language": "en-GB,en;q=0.8"}).text
    assert '<html lang="en">' in english
    assert '<html lang="zh-CN">' in client.get(f"/certs/{issued}", headers={"Accept-Language": "zh-Hans-CN"}).text


def test_the_chinese_catalog_is_complete() -> None:
    package = Path(__file__).parents[2] / "certs"
    with (package / "translations/zh_CN/LC_MESSAGES/messages.po").open("rb") as source:
        catalog = read_po(source)
    used = {message for _, _, message, _, _ in extract_from_dir(package / "templates", [("**.html", "jinja2")])}
    assert len(used) > 50
    assert {message for message in used if not (found := catalog.get(message)) or not found.string} == set()
    assert {message.id for message in catalog if message.id} - used == set()


def test_a_revoked_certificate_says_so_at_once_in_word_and_mark(client: FlaskClient, store: Store, issued: str) -> None:
    store.revoke(issued, "graded by mistake")
    page = client.get(f"/certs/{issued}?lang=en").text
    assert "Revoked" in page
    assert "graded by mistake" in page
    assert "verdict-revoked" in page
    assert "Genuine, unaltered and in force." not in page
    assert "graded by mistake" in client.get(f"/certs/{issued}/check?lang=en").text


def test_every_form_can_be_downloaded_and_verified_here(client: FlaskClient, issued: str, store: Store) -> None:
    for kind, mime in (("json", "application/json"), ("pdf", "application/pdf"), ("png", "image/png")):
        answer = client.get(f"/certs/{issued}.{kind}")
        assert (answer.status_code, answer.mimetype) == (200, mime)
        checked = upload(client, answer.data, Accept="application/json").json
        assert checked["verdict"] == "valid", checked
        assert all(step["outcome"] == "held" for step in checked["steps"]), checked["steps"]
    assert client.get(f"/certs/{issued}.json").data == store.by_id(issued).document


def test_the_signature_can_be_checked_again_on_the_page(client: FlaskClient, issued: str) -> None:
    page = client.get(f"/certs/{issued}/check?lang=en").text
    assert "The signature holds" in page


def test_a_revoked_file_is_refused_even_before_the_list_is_signed_again(
    client: FlaskClient, store: Store, issued: str
) -> None:
    pdf = client.get(f"/certs/{issued}.pdf").data
    store.revoke(issued, "graded by mistake")
    page = upload(client, pdf).text
    assert "Revoked" in page
    assert "verdict-valid" not in page


def test_a_forgery_is_not_repeated_on_the_page(client: FlaskClient, store: Store, issued: str) -> None:
    forged = store.by_id(issued).document.replace("陈晓雨".encode(), "<b>李四</b>".encode())
    page = upload(client, forged).text
    assert "Not valid" in page
    assert "李四</b>" not in page


def test_the_stored_bytes_are_held_to_their_digest(store: Store, profile: IssuerProfile, issued: str) -> None:
    altered = store.by_id(issued).document.replace("陈晓雨".encode(), "李晓雨".encode())
    with store._engine.begin() as connection:
        connection.execute(update(tables.certificate).values(document=altered))
    page = create_app(store, profile).test_client().get(f"/certs/{issued}?lang=en").text
    assert "Not valid" in page
    assert "It is not what was recorded at issue." in page


def test_unknown_malformed_and_pending_ids_get_the_same_answer(client: FlaskClient, store: Store, claim: Claim) -> None:
    pending = store.request(replace(claim, holder_ref="u2"))
    answers = [
        client.get(f"/certs/{name}?lang=en", headers={"Accept-Language": "en"})
        for name in (
            "0" * 32,
            "x",
            "A" * 32,
            pending,
            f"{pending}.json",
            f"{pending}.pdf",
            f"{pending}/check",
            "status/99",
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({re.sub(r'href="[^"]*"', "", answer.text) for answer in answers}) == 1


def test_no_cookie_no_script_no_third_party(client: FlaskClient, issued: str) -> None:
    found: list[tuple[str, str | None]] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found[len(found) :] = [
                (tag, value) for name, value in attrs if name in {"src", "href", "action"} and tag != "a"
            ]
            assert tag != "script"
            assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    for address in ("/certs/", f"/certs/{issued}", "/certs/nothing"):
        answer = client.get(address)
        assert "Set-Cookie" not in answer.headers
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        Links().feed(answer.text)
    assert found
    assert all(str(value).startswith("/certs/") for _, value in found), found


def test_an_id_or_a_pasted_address_leads_to_the_page(client: FlaskClient, issued: str) -> None:
    for text in (issued, f"http://127.0.0.1:8000/certs/{issued}", f" {issued.upper()} "):
        answer = client.get("/certs/", query_string={"id": text, "lang": "en"})
        assert (answer.status_code, answer.location) == (303, f"/certs/{issued}?lang=en")
    wrong = client.get("/certs/", query_string={"id": "<script>", "lang": "en"})
    assert wrong.status_code == 400
    assert "&lt;script&gt;" in wrong.text


def test_the_issuer_and_the_status_list_are_public_documents(
    client: FlaskClient, profile: IssuerProfile, key: IssuerKey
) -> None:
    issuer = client.get("/certs/issuer")
    assert issuer.json["id"] == profile.id
    assert key.multibase in issuer.text
    assert "PRIVATE" not in issuer.text
    listed = client.get("/certs/status/0")
    assert json.loads(listed.data)["credentialSubject"]["statusPurpose"] == "revocation"
    for answer in (issuer, listed):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_too_large_empty_and_odd_uploads_are_answered_plainly(client: FlaskClient) -> None:
    assert upload(client, b"x" * 5_000_000).status_code == 413
    assert client.post("/certs/verify?lang=en").status_code == 400
    assert upload(client, b"hello").status_code == 200
    assert "Not valid" in upload(client, b"hello").text
    assert client.post("/certs/").status_code == 404


def test_the_app_holds_no_key(store: Store, profile: IssuerProfile) -> None:
    app = create_app(store, profile)
    assert "certs.keys" not in {value.__module__ for value in vars(app).values() if hasattr(value, "__module__")}
    assert "certs.issue" not in Path(sys.modules["certs.app"].__file__).read_text()


def test_another_prefix_works(store: Store, profile: IssuerProfile, issued: str) -> None:
    assert create_app(store, profile, prefix="/c").test_client().get(f"/c/{issued}").status_code == 200
