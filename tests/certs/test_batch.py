"""Many at once: within bounds, row by row, whatever is put in."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from certs import batch
from certs.app import create_app
from certs.forms.pdf import PdfError, PdfReader
from certs.forms.typeset import print_pdf
from certs.issue import issue_pending, refresh_lists
from certs.limit import Rate

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from certs.certificate import Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store

ID = "0123456789abcdef" * 2


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_a_csv_is_read_as_people_save_it() -> None:
    rows = (("陈晓雨 " + ID, ID), (f"https://example.org/certs/{ID}", ID), ("nothing here", None))
    text = f"姓名,编号\r\n陈晓雨,{ID.upper()}\r\n,https://example.org/certs/{ID}\r\n\r\nnothing here,\r\n"
    found = batch.read_ids(b"\xef\xbb\xbf" + text.encode())
    assert [number for _, number in found] == [number for _, number in rows]
    assert batch.read_ids(f"编号\n{ID}".encode("gb18030")) == ((ID, ID),)
    assert batch.read_ids(ID.encode()) == ((ID, ID),)


@pytest.mark.parametrize(
    "data",
    [b"", b"number\n", b"\n\n", (ID + "\n").encode() * 201, b"x" * 300_000, b'"' + b"x" * 200_000],
    ids=["empty", "heading", "blank", "201", "large", "one cell"],
)
def test_a_csv_beyond_its_bounds_is_refused(data: bytes) -> None:
    with pytest.raises(batch.BatchError):
        batch.read_ids(data)


def test_a_line_with_two_numbers_is_not_guessed_at() -> None:
    other = "f" * 32
    assert batch.read_ids(f"number\n{ID} {other}\n{ID}".encode()) == ((f"{ID} {other}", None), (ID, ID))


def test_a_zip_is_read_without_what_systems_add() -> None:
    data = zipped({"a/1.json": b"{}", "__MACOSX/a/._1.json": b"x", "a/.DS_Store": b"x", "2.pdf": b"%PDF-"})
    assert [name for name, _ in batch.read_files(data)] == ["a/1.json", "2.pdf"]


def _bomb() -> bytes:
    return zipped({f"{number}.json": b"\0" * 4_000_000 for number in range(40)})


def _many() -> bytes:
    return zipped({f"{number}.json": b"{}" for number in range(201)})


def _lying_count() -> bytes:
    """A directory of very many entries whose count says one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(30_000):
            archive.writestr(str(number), b"")
    data = out.getvalue()
    end = data.rfind(b"PK\x05\x06")
    return data[: end + 8] + struct.pack("<HH", 1, 1) + data[end + 12 :]


@pytest.mark.parametrize(
    "make",
    [_bomb, _many, _lying_count, lambda: b"PK\x03\x04", lambda: zipped({}), lambda: zipped({"a": b"x" * 99})[:-30]],
    ids=["bomb", "201 files", "lying count", "no zip", "empty", "truncated"],
)
def test_a_zip_beyond_its_bounds_is_refused_quickly(make: object) -> None:
    data = make()  # type: ignore[operator]
    started = time.process_time()
    with pytest.raises(batch.BatchError):
        list(batch.read_files(data))
    assert time.process_time() - started < 5


def test_a_damaged_entry_and_an_encrypted_one_are_refused() -> None:
    data = bytearray(zipped({"a.json": b"hello world " * 50}))
    data[40] ^= 0xFF
    with pytest.raises(batch.BatchError):
        list(batch.read_files(bytes(data)))
    locked = bytearray(zipped({"a.json": b"{}"}))
    locked[6] |= 1
    locked[locked.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(batch.BatchError, match="encrypted"):
        list(batch.read_files(bytes(locked)))


def test_one_hostile_pdf_takes_no_other_with_it(document: bytes) -> None:
    good = print_pdf(document)
    with PdfReader() as reader:
        for bad in (b"%PDF-1.7\nnothing", b"", b"%PDF-" + zlib.compress(bytes(1000)), good[: len(good) // 2]):
            with pytest.raises(PdfError):
                reader(bad)
            assert reader(good).attachments == (("credential.json", document),)


def test_a_pdf_reader_that_is_killed_starts_again(document: bytes) -> None:
    good = print_pdf(document)
    with PdfReader() as reader:
        reader(good)
        assert reader._child is not None
        reader._child.kill()
        reader._child.wait()
        with pytest.raises(PdfError, match="too much"):
            reader(good)
        assert reader(good).attachments


@pytest.fixture
def client(store: Store, profile: IssuerProfile) -> FlaskClient:
    return create_app(store, profile, rate=Rate(1000, 10_000)).test_client()


@pytest.fixture
def issued(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey) -> list[str]:
    store.register_key(key.multibase)
    asked, _ = store.request_all([replace(claim, holder_ref=f"u{number}") for number in range(5)])
    issue_pending(store, key, profile)
    refresh_lists(store, key, profile)
    store.revoke(asked[1], "graded by mistake")
    store.pause(asked[2])
    return list(asked)


def send(client: FlaskClient, data: bytes, **headers: str) -> TestResponse:
    return client.post("/certs/batch?lang=en", data={"file": (io.BytesIO(data), "many")}, headers=headers)


def test_numbers_are_answered_row_by_row(client: FlaskClient, issued: list[str]) -> None:
    lines = "\n".join(["number", *issued[:3], "0" * 32, "no number"]).encode()
    rows = send(client, lines, Accept="application/json").json["rows"]
    assert [row["verdict"] for row in rows] == ["valid", "revoked", "paused", "not_found", "not_found"]
    assert rows[2]["facts"] is None
    page = send(client, lines)
    assert page.status_code == 200
    for words in ("5 rows, of which valid: 1", "graded by mistake", "Paused by the holder", "Not found here"):
        assert words in page.text


def test_files_are_answered_row_by_row(client: FlaskClient, store: Store, issued: list[str]) -> None:
    forms = {f"{kind}/{issued[0]}.{kind}": store.form(issued[0], kind) or b"" for kind in ("pdf", "png", "svg")}
    good = store.by_id(issued[3])
    assert good is not None
    forged = (good.document or b"").replace("陈晓雨".encode(), "李晓雨".encode())
    resaved = (store.form(issued[4], "pdf") or b"") + b"\n%"
    files = {
        **forms,
        "good.json": good.document or b"",
        "forged.json": forged,
        "resaved.pdf": resaved,
        "notes.txt": b"x",
    }
    rows = send(client, zipped(files), Accept="application/json").json["rows"]
    assert {row["name"]: row["verdict"] for row in rows} == {
        **dict.fromkeys(forms, "valid"),
        "good.json": "valid",
        "forged.json": "invalid",
        "resaved.pdf": "valid",
        "notes.txt": "invalid",
    }
    page = send(client, zipped(files)).text
    assert "李晓雨" not in page
    assert "陈晓雨" in page


def test_a_batch_that_cannot_be_taken_says_what_was_expected(client: FlaskClient) -> None:
    answer = send(client, b"number\n", Accept="application/json")
    assert answer.status_code == 400
    assert "expected 1 to 200" in answer.json["problem"]
    assert "expected 1 to 200" in send(client, b"number\n").text
    assert client.post("/certs/batch?lang=en").status_code == 400


@pytest.mark.slow
def test_many_files_are_answered_within_the_bound(
    client: FlaskClient, store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    """As they were issued, and saved again by other software, which costs reading and printing each of them."""
    store.register_key(key.multibase)
    asked, _ = store.request_all([replace(claim, holder_ref=f"u{number}") for number in range(40)])
    issue_pending(store, key, profile)
    refresh_lists(store, key, profile)
    for suffix in (b"", b"\n%"):
        files = {f"{one}.pdf": (store.form(one, "pdf") or b"") + suffix for one in asked}
        rows = json.loads(send(client, zipped(files), Accept="application/json").data)["rows"]
        assert [row["verdict"] for row in rows] == ["valid"] * 40
