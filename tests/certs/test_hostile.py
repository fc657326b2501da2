"""Every hostile input of the threat list, at every path a file can take: none is ever valid, none fetches anything.

The paths are the pure function, the upload, a zip of all of them, and the command.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pypdf
import pytest
from openbadgeslib.baking import ITXT_KEYWORD_OB3
from pypdf.generic import DecodedStreamObject, NameObject

from certs.app import create_app
from certs.command import Known, run_verify
from certs.credential.addresses import is_trap
from certs.credential.controller import controller_document
from certs.files import MAX_FILE_BYTES, verify_file
from certs.forms.png import SIGNATURE
from certs.forms.typeset import print_pdf, print_png, print_svg
from certs.issue import prepare, sign
from certs.keys import IssuerKey
from certs.limit import Rate
from certs.verification import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.certificate import Claim, IssuerProfile
    from certs.credential.controller import Controller
    from certs.store import Store

NOW_US = 1_795_305_600_000_000
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Kit:
    """A genuine certificate, its forms, and what signs anything at all with the genuine key."""

    document: bytes
    pdf: bytes
    png: bytes
    svg: bytes
    resign: Callable[..., bytes]
    stranger: bytes

    def altered(self, change: Callable[[dict[str, Any]], Any], *, signed: bool = False) -> bytes:
        data = json.loads(self.document)
        change(data)
        return self.resign(data) if signed else json.dumps(data, ensure_ascii=False).encode()

    def pdf_with(self, change: Callable[[pypdf.PdfWriter], Any]) -> bytes:
        writer, out = pypdf.PdfWriter(clone_from=io.BytesIO(self.pdf)), io.BytesIO()
        change(writer)
        writer.write(out)
        return out.getvalue()


@pytest.fixture(scope="module")
def kit(
    document: bytes,
    resign: Callable[..., bytes],
    claim: Claim,
    profile: IssuerProfile,
    tmp_path_factory: pytest.TempPathFactory,
) -> Kit:
    key = IssuerKey.load_or_create(tmp_path_factory.mktemp("stranger") / "key.pem")
    prepared = prepare(claim, profile, certificate_id="f" * 32, status_index=1, valid_from_us=NOW_US)
    forms = print_pdf(document), print_png(document), print_svg(document)
    return Kit(document, *forms, resign, sign(prepared, key))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _baked(document: bytes) -> bytes:
    return _chunk(b"iTXt", ITXT_KEYWORD_OB3 + b"\0\0\0\0\0" + document)


def _subject(**change: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data["credentialSubject"].update(change)


def _name(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data["credentialSubject"]["identifier"][0].update(identityHash=name)


def _list_at(address: str) -> Callable[[dict[str, Any]], Any]:
    return lambda data: data["credentialStatus"].update(statusListCredential=address)


def _jwt(document: bytes) -> bytes:
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"none"}', document, b""))


def _zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("credential.json", bytes(200 * 1024 * 1024))
    return out.getvalue()


def _png_bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    text = ITXT_KEYWORD_OB3 + b"\0\1\0\0\0" + zlib.compress(bytes(50 * 1024 * 1024), 9)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"iTXt", text) + _chunk(b"IEND", b"")


def _svg_bomb() -> bytes:
    entities = b"".join(b'<!ENTITY l%d "&l%d;&l%d;">' % (n + 1, n, n) for n in range(40))
    return b"<!DOCTYPE svg [<!ENTITY l0 'ha'>" + entities + b"]><svg>&l40;</svg>"


def _pdf_bomb(kit: Kit) -> bytes:
    def inflate(writer: pypdf.PdfWriter) -> None:
        stream = DecodedStreamObject()
        stream.set_data(bytes(100 * 1024 * 1024))
        writer.pages[0][NameObject("/Contents")] = writer._add_object(stream.flate_encode())

    return kit.pdf_with(inflate)


def _drawn_over(kit: Kit) -> bytes:
    def draw(writer: pypdf.PdfWriter) -> None:
        stream = DecodedStreamObject()
        stream.set_data(writer.pages[0].get_contents().get_data() + b"\n1 1 1 rg 80 60 100 100 re f\n")
        writer.pages[0][NameObject("/Contents")] = writer._add_object(stream)

    return kit.pdf_with(draw)


def _other_code(kit: Kit) -> bytes:
    """The badge of another certificate, whose QR code leads elsewhere, around this credential."""
    data = json.loads(kit.document)
    text = kit.document.replace(data["id"].encode(), (data["id"][:-4] + "9999").encode())
    other = print_png(text)
    start = other.index(b"iTXt" + ITXT_KEYWORD_OB3) - 4
    (length,) = struct.unpack(">I", other[start : start + 4])
    return other[:start] + _baked(kit.document) + other[start + 12 + length :]


HOSTILE: dict[str, Callable[[Kit], bytes]] = {
    "wrong proof type": lambda kit: kit.altered(lambda d: d["proof"].update(type="Ed25519Signature2020")),
    "alg none": lambda kit: _jwt(kit.document),
    "cryptosuite none": lambda kit: kit.altered(lambda d: d["proof"].update(cryptosuite="none")),
    "no proof": lambda kit: kit.altered(lambda d: d.pop("proof")),
    "unknown key": lambda kit: kit.stranger,
    "swapped issuer": lambda kit: kit.altered(lambda d: d["issuer"].update(id="https://evil.example/issuer")),
    "altered field": lambda kit: kit.altered(_name("李四")),
    "added unsigned claim": lambda kit: kit.altered(_subject(honours="summa cum laude")),
    "duplicate keys": lambda kit: kit.document.replace(b'"proof":', b'"name":"x","proof":'),
    "deep nesting": lambda _kit: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "100 MB": lambda _kit: b" " * (100 * 1024 * 1024) + b"{}",
    "png bomb": lambda _kit: _png_bomb(),
    "svg bomb": lambda _kit: _svg_bomb(),
    "pdf bomb": _pdf_bomb,
    "zip bomb": lambda _kit: _zip_bomb(),
    "two credentials in one png": lambda kit: kit.png[:-12] + _baked(kit.document) + kit.png[-12:],
    "remote context": lambda kit: kit.altered(
        lambda d: d["@context"].append("http://169.254.169.254/latest/meta-data"), signed=False
    ),
    "status list in the house": lambda kit: kit.altered(_list_at("http://192.168.0.1/list"), signed=True),
    "status list in the cloud's own": lambda kit: kit.altered(_list_at("http://169.254.169.254/list"), signed=True),
    "status list in a file": lambda kit: kit.altered(_list_at("file:///etc/passwd"), signed=True),
    "homoglyph name": lambda kit: kit.altered(_name("Nаdia"), signed=True),
    "right-to-left name": lambda kit: kit.altered(_name("李\u202e明"), signed=False),
    "script in name": lambda kit: kit.altered(_name("<script>alert(1)</script>"), signed=True),
    "expired": lambda kit: kit.altered(lambda d: d.update(validUntil="2026-11-22T00:00:01Z"), signed=True),
    "future": lambda kit: kit.altered(lambda d: d.update(validFrom="2099-01-01T00:00:00Z"), signed=True),
    "truncated json": lambda kit: kit.document[:-40],
    "truncated png": lambda kit: kit.png[:-40],
    "truncated svg": lambda kit: kit.svg[:-40],
    "truncated pdf": lambda kit: kit.pdf[: len(kit.pdf) // 2],
    "qr code of another": _other_code,
    "page that disagrees": _drawn_over,
}
LATER_US = NOW_US + DAY_US


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def site(store: Store, profile: IssuerProfile, key: IssuerKey) -> Any:
    store.register_key(key.multibase)
    return create_app(store, profile, rate=Rate(1000, 10_000)).test_client()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", HOSTILE)
def test_none_is_valid_and_each_says_why(
    kit: Kit, site: Any, controller: Controller, profile: IssuerProfile, key: IssuerKey, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], name: str,
) -> None:  # fmt: skip
    data = HOSTILE[name](kit)
    answer = verify_file(data, controllers=[controller], status_lists={}, trusted=(), at_us=LATER_US)
    assert answer.verdict is not Verdict.VALID
    assert any(step.detail or step.words.en for step in answer.steps if step.outcome != "held")
    sent = site.post("/certs/verify", data=data, headers={"Accept": "application/json"})
    if len(data) > MAX_FILE_BYTES:
        assert sent.status_code == 413
    else:
        assert sent.json["verdict"] != "valid"
    file = tmp_path / "hostile"
    file.write_bytes(data)
    controller_file = tmp_path / "issuer.json"
    controller_file.write_bytes(key.controller_document(profile.id))
    assert run_verify([file], [controller_file], [], [], "2026-11-23T12:00:00Z", False, Known()) == 1
    assert "hostile: Valid" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_a_zip_of_them_all_has_not_one_valid_row(kit: Kit, site: Any) -> None:
    out = io.BytesIO()
    small = {name: data for name, make in HOSTILE.items() if len(data := make(kit)) <= MAX_FILE_BYTES}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in small.items():
            archive.writestr(name, data)
        archive.writestr("genuine", kit.document)
    sent = site.post("/certs/batch", data=out.getvalue(), headers={"Accept": "application/json"})
    rows = {row["name"]: row["verdict"] for row in sent.json["rows"]}
    assert set(rows) == {*small, "genuine"}
    assert [name for name, verdict in rows.items() if verdict == "valid"] == ["genuine"]


def test_a_key_that_was_replaced_signs_nothing_new(kit: Kit, store: Store, profile: IssuerProfile, key: IssuerKey,
                                                   tmp_path: Path) -> None:  # fmt: skip
    """Dated after its replacement, a certificate of the old key is refused."""
    store.register_key(key.multibase)
    store.register_key(IssuerKey.load_or_create(tmp_path / "next.pem").multibase)
    (tmp_path / "issuer.json").write_bytes(controller_document(profile.id, store.public_keys()))
    future = kit.altered(lambda d: d.update(validFrom="2098-01-01T00:00:00Z"))
    late = kit.resign(json.loads(future), at_us=4_039_372_800_000_000)
    (tmp_path / "late.json").write_bytes(late)
    files = [tmp_path / "late.json"], [tmp_path / "issuer.json"]
    assert run_verify(*files, [], [], "2098-06-01T00:00:00Z", False, Known()) == 1


@pytest.mark.parametrize(
    ("address", "trap"),
    [
        ("https://example.org/status/0", False),
        ("http://8.8.8.8/status", False),
        ("http://127.0.0.1:8000/certs/status/0", False),
        ("http://127.0.0.1:9000/status/0", True),
        ("http://localhost/status", True),
        ("http://10.0.0.7/status", True),
        ("http://[::1]/status", True),
        ("http://[fd00::1]/status", True),
        ("http://2130706433/status", True),
        ("http://0x7f000001/status", True),
        ("http://db.internal/status", True),
        ("ftp://example.org/status", True),
        ("http://[broken/status", True),
        ("", True),
    ],
)
def test_addresses_into_a_private_network_are_known(address: str, trap: object) -> None:
    assert is_trap(address, "http://127.0.0.1:8000/certs/issuer") is trap
