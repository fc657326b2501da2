from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pypdf
import pytest
from openbadgeslib.baking import ITXT_KEYWORD_OB3, bake_png, extract_svg
from pypdf.generic import DecodedStreamObject, NameObject

from certs.certificate import Skill, Text
from certs.files import MAX_FILE_BYTES, verify_file
from certs.forms.pdf import read_pdf
from certs.forms.png import SIGNATURE, read_png
from certs.forms.svg import read_svg
from certs.forms.typeset import print_pdf, print_png, print_svg
from certs.issue import prepare, sign
from certs.rules import MAX_LABS, MAX_PROSE, MAX_SKILLS, MAX_TITLE
from certs.verification import Outcome, Verdict, Verification

if TYPE_CHECKING:
    from collections.abc import Callable

    from certs.certificate import Claim, IssuerProfile
    from certs.credential.controller import Controller
    from certs.keys import IssuerKey

NOW_US = 1_795_305_600_000_000


@pytest.fixture(scope="module")
def pdf(document: bytes) -> bytes:
    return print_pdf(document)


@pytest.fixture(scope="module")
def png(document: bytes) -> bytes:
    return print_png(document)


@pytest.fixture
def look(controller: Controller) -> Callable[[bytes], Verification]:
    def run(data: bytes) -> int:
        return verify_file(data, controllers=[controller], status_lists={}, trusted=(), at_us=NOW_US)

    return run


def rewritten(pdf: bytes, change: Callable[[pypdf.PdfWriter], Any]) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def overdraw(writer: pypdf.PdfWriter, operators: bytes) -> None:
    page = writer.pages[0]
    stream = DecodedStreamObject()
    stream.set_data(page.get_contents().get_data() + operators)
    page[NameObject("/Contents")] = writer._add_object(stream)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png: bytes, extra: bytes) -> bytes:
    return png[:-12] + extra + png[-12:]


def test_every_form_verifies(look: Callable[[bytes], Verification], document: bytes, pdf: bytes, png: bytes) -> None:
    for data in (document, pdf, png):
        answer = look(data)
        assert answer.verdict is Verdict.VALID, answer.steps
        assert answer.facts.holder_name == "陈晓雨"


def test_every_form_carries_the_exact_signed_bytes(document: bytes, pdf: bytes, png: bytes) -> None:
    assert read_pdf(pdf).attachments == (("credential.json", document),)
    assert read_png(png).credential == document


def test_printing_again_gives_the_same_bytes(document: bytes, pdf: bytes, png: bytes) -> None:
    assert print_pdf(document) == pdf
    assert print_png(document) == png


def test_the_printed_text_can_be_selected_in_both_languages(pdf: bytes) -> None:
    text = read_pdf(pdf, text=True).text
    for words in (
        "结业证书",
        "Certificate of completion",
        "陈晓雨",
        "AI 微短剧制作",
        "Making micro-drama with AI",
        "89.25",
    ):
        assert words in text
    assert "http://127.0.0.1:8000/certs/" + "0123456789abcdef" * 2 in text


def test_the_pdf_says_it_is_archival_and_embeds_its_fonts(pdf: bytes) -> None:
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert "pdfaid:part>3" in reader.root_object["/Metadata"].get_data().decode()
    fonts = reader.pages[0]["/Resources"]["/Font"].values()
    assert all(font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts)


def test_a_pdf_saved_again_by_other_software_still_verifies(look: Callable[[bytes], Verification], pdf: bytes) -> None:
    assert look(rewritten(pdf, lambda writer: writer.compress_identical_objects())).verdict is Verdict.VALID


@pytest.mark.parametrize(
    "operators", [b"\n1 1 1 rg 80 60 100 100 re f\n", b"\nBT 1 0 0 1 100 500 Tm ET\n"], ids=["covered", "text moved"]
)
def test_a_page_drawn_over_is_refused(look: Callable[[bytes], Verification], pdf: bytes, operators: bytes) -> None:
    answer = look(rewritten(pdf, lambda writer: overdraw(writer, operators)))
    assert answer.verdict is Verdict.INVALID
    assert answer.step("signature").outcome is Outcome.HELD
    assert answer.step("page").outcome is Outcome.FAILED


def test_a_page_of_one_certificate_around_another_is_refused(
    look: Callable[[bytes], Verification],
    claim: Claim,
    profile: IssuerProfile,
    key: IssuerKey,
    pdf: bytes,
    document: bytes,
) -> None:
    """The page, text and QR code of somebody else, with a genuine credential attached."""
    other = replace(claim, holder_name="李四")
    theirs = print_pdf(
        sign(prepare(other, profile, certificate_id="e" * 32, status_index=9, valid_from_us=NOW_US), key)
    )

    def swap(writer: pypdf.PdfWriter) -> None:
        writer._root_object["/Names"]["/EmbeddedFiles"]["/Names"].clear()
        writer.add_attachment("credential.json", document)

    answer = look(rewritten(theirs, swap))
    assert answer.verdict is Verdict.INVALID
    assert "李四" in answer.step("page").detail


def test_another_qr_code_on_the_badge_is_refused(
    look: Callable[[bytes], Verification],
    claim: Claim,
    profile: IssuerProfile,
    key: IssuerKey,
    png: bytes,
    document: bytes,
) -> None:
    theirs = print_png(
        sign(prepare(claim, profile, certificate_id="e" * 32, status_index=9, valid_from_us=NOW_US), key)
    )
    position = theirs.index(b"iTXt") - 4
    length = struct.unpack(">I", theirs[position : position + 4])[0]
    bare = theirs[:position] + theirs[position + 12 + length :]
    answer = look(bake_png(bare, document.decode(), keyword=ITXT_KEYWORD_OB3))
    assert answer.verdict is Verdict.INVALID
    assert answer.step("page").outcome is Outcome.FAILED


def test_a_print_of_another_software_version_is_not_called_valid(
    look: Callable[[bytes], Verification], pdf: bytes, png: bytes
) -> None:
    older = look(rewritten(pdf, lambda writer: writer.add_metadata({"/Keywords": "Reelwright layout 0, typst 0.14"})))
    unnamed = look(png.replace(*_software_chunks(png)))
    for answer in (older, unnamed):
        assert answer.verdict is Verdict.UNKNOWN
        assert answer.step("page").outcome is Outcome.UNCHECKED


def _software_chunks(png: bytes) -> tuple[bytes, bytes]:
    start = png.index(b"tEXt") - 4
    length = struct.unpack(">I", png[start : start + 4])[0]
    return png[start : start + 12 + length], chunk(b"tEXt", b"Software\x00Other")


def test_two_credentials_in_one_png_are_refused(
    look: Callable[[bytes], Verification], png: bytes, document: bytes
) -> None:
    extra = chunk(b"iTXt", b"openbadgecredential\x00\x00\x00\x00\x00" + document)
    answer = look(with_chunk(png, extra))
    assert answer.verdict is Verdict.INVALID
    assert "got 2 credentials" in answer.step("file").detail


def test_an_old_style_credential_beside_ours_counts_as_a_second(
    look: Callable[[bytes], Verification], png: bytes
) -> None:
    assert look(with_chunk(png, chunk(b"iTXt", b"openbadges\x00\x00\x00\x00\x00{}"))).verdict is Verdict.INVALID


def test_two_attachments_are_refused(look: Callable[[bytes], Verification], pdf: bytes) -> None:
    answer = look(rewritten(pdf, lambda writer: writer.add_attachment("other.json", b"{}")))
    assert answer.verdict is Verdict.INVALID
    assert "2 attached files" in answer.step("file").detail


def bomb_png() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    text = b"openbadgecredential\x00\x01\x00\x00\x00" + zlib.compress(bytes(50 * 1024 * 1024), 9)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"iTXt", text) + chunk(b"IEND", b"")


def bomb_pdf(pdf: bytes) -> bytes:
    def inflate(writer: pypdf.PdfWriter) -> None:
        writer._root_object["/Names"]["/EmbeddedFiles"]["/Names"].clear()
        writer.add_attachment("credential.json", bytes(200 * 1024 * 1024))
        writer.compress_identical_objects()
        for entry in writer._objects:
            if hasattr(entry, "flate_encode") and entry.get("/Type") == "/EmbeddedFile":
                packed = entry.flate_encode()
                entry.clear()
                entry.update(packed)
                entry._data = packed._data

    return rewritten(pdf, inflate)


def test_bombs_are_refused(look: Callable[[bytes], Verification], pdf: bytes) -> None:
    for data in (bomb_png(), bomb_pdf(pdf)):
        assert len(data) < MAX_FILE_BYTES
        answer = look(data)
        assert answer.verdict is Verdict.INVALID
        assert answer.step("file").outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"PK\x03\x04zip",
        b"%PDF-1.7\nnothing",
        b"%PDF-1.7\n" + b"1 0 obj<</Type/Catalog/Pages 1 0 R>>endobj trailer<</Root 1 0 R>>",
        SIGNATURE,
        SIGNATURE + b"\xff" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00" * 5_000_000,
    ],
    ids=["empty", "text", "zip", "no pdf", "looping pdf", "png start", "png noise", "svg", "5 MB"],
)
def test_other_files_are_refused_with_what_was_expected(look: Callable[[bytes], Verification], data: bytes) -> None:
    answer = look(data)
    assert answer.verdict is Verdict.INVALID
    assert "expected" in answer.step("file").detail


def test_truncated_files_are_refused(
    look: Callable[[bytes], Verification], pdf: bytes, png: bytes, document: bytes
) -> None:
    for data in (pdf[: len(pdf) // 2], png[:-20], document[:-5]):
        assert look(data).verdict is Verdict.INVALID


def test_a_changed_byte_in_the_picture_is_noticed(look: Callable[[bytes], Verification], png: bytes) -> None:
    position = png.index(b"IDAT") + 40
    assert look(png[:position] + bytes([png[position] ^ 1]) + png[position + 1 :]).verdict is Verdict.INVALID


def test_a_forged_credential_inside_a_pdf_is_refused(
    look: Callable[[bytes], Verification], pdf: bytes, document: bytes
) -> None:
    forged = json.loads(document)
    forged["credentialSubject"]["identifier"][0]["identityHash"] = "李四"

    def swap(writer: pypdf.PdfWriter) -> None:
        writer._root_object["/Names"]["/EmbeddedFiles"]["/Names"].clear()
        writer.add_attachment("credential.json", json.dumps(forged).encode())

    answer = look(rewritten(pdf, swap))
    assert answer.verdict is Verdict.INVALID
    assert answer.step("signature").outcome is Outcome.FAILED


@pytest.mark.slow
def test_the_largest_claim_allowed_is_signed_printed_and_verified(
    look: Callable[[bytes], Verification], claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    long = Text("长" * MAX_TITLE, "long words " * 18)
    long = replace(long, en=long.en.strip())
    largest = replace(
        claim,
        holder_name="名" * 100,
        title=long,
        criteria=Text("要" * MAX_PROSE, "x" * MAX_PROSE),
        skills=tuple(Skill(f"skill-{number}", long) for number in range(MAX_SKILLS)),
        labs=tuple(replace(claim.labs[0], lab=f"lab-{number}", title=long) for number in range(MAX_LABS)),
    )
    signed = sign(prepare(largest, profile, certificate_id="d" * 32, status_index=9, valid_from_us=NOW_US), key)
    for data in (signed, print_pdf(signed), print_png(signed)):
        answer = look(data)
        assert answer.verdict is Verdict.VALID, [step.detail for step in answer.steps]


def test_the_svg_badge_verifies_and_carries_the_exact_bytes(
    look: Callable[[bytes], Verification], document: bytes
) -> None:
    svg = print_svg(document)
    assert look(svg).verdict is Verdict.VALID
    assert read_svg(svg).credential == document
    assert extract_svg(svg, element="openbadges:credential", text_fallback=True) == document.decode()
    assert print_svg(document) == svg


def test_an_svg_saved_again_by_other_software_still_verifies(
    look: Callable[[bytes], Verification], document: bytes
) -> None:
    from lxml import etree  # noqa: PLC0415

    again = etree.tostring(etree.fromstring(print_svg(document)), xml_declaration=True, encoding="utf-8")
    assert again != print_svg(document)
    assert look(again).verdict is Verdict.VALID


@pytest.mark.parametrize(
    "change",
    [
        lambda svg: svg.replace(b'fill="#1c1b1a"', b'fill="#ffffff"', 1),
        lambda svg: svg.replace(b"</svg>", b'<path d="M0 0h200v200z"/></svg>'),
        lambda svg: svg.replace(b"<defs", b"<script>alert(1)</script><defs", 1),
        lambda svg: svg.replace(b"</svg>", b"<text>100</text></svg>"),
    ],
    ids=["colour", "covered", "script", "text"],
)
def test_an_altered_drawing_is_refused(
    look: Callable[[bytes], Verification], document: bytes, change: Callable[[bytes], bytes]
) -> None:
    svg = print_svg(document)
    assert change(svg) != svg
    answer = look(change(svg))
    assert answer.verdict is Verdict.INVALID
    assert answer.step("page").outcome is Outcome.FAILED


ENTITIES = b"".join(b'<!ENTITY l%d "&l%d;&l%d;">' % (n + 1, n, n) for n in range(40))


@pytest.mark.parametrize(
    "make",
    [
        lambda _svg: b"<!DOCTYPE svg [<!ENTITY l0 'ha'>" + ENTITIES + b"]><svg>&l40;</svg>",
        lambda svg: b'<!DOCTYPE svg SYSTEM "file:///etc/passwd">' + svg,
        lambda svg: svg[: len(svg) // 2],
        lambda svg: svg.replace(b"</svg>", svg[svg.index(b"<openbadges") : svg.index(b"}</") + 25] + b"</svg>"),
        lambda svg: svg.replace(b"openbadges:credential", b"openbadges:other"),
        lambda _svg: b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"<g>" * 200_000 + b"</g>" * 200_000 + b"</svg>",
        lambda svg: svg.replace(b"http://www.w3.org/2000/svg", b"http://www.w3.org/1999/xhtml"),
    ],
    ids=["laughs", "outside", "truncated", "two", "none", "deep", "other kind"],
)
def test_hostile_svg_is_refused(
    look: Callable[[bytes], Verification], document: bytes, make: Callable[[bytes], bytes]
) -> None:
    answer = look(make(print_svg(document)))
    assert answer.verdict is Verdict.INVALID
    assert answer.step("file").outcome is Outcome.FAILED
