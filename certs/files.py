"""Verifies a file as people have it: JSON, our PDF with the credential attached, a PNG or SVG badge with it baked in.

The credential inside is what counts. A printed page can be altered around it, so the page is printed again from the
signed facts and compared: a page that says or draws anything else is not valid, and one that cannot be compared
(printed by another version of the software) is not called valid either. Who issued it can do without: they know the
digest of every file they ever printed, whatever the layout was then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from certs.certificate import Text
from certs.forms.pdf import PdfError, ReadPdf, read_ours, read_pdf
from certs.forms.png import SIGNATURE, BakedPng, PngError, read_png
from certs.forms.svg import BakedSvg, SvgError, read_svg
from certs.verification import Outcome, Step, Verdict, Verification
from certs.verify import verdict_of, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from certs.credential.controller import Controller

_Carrier = BakedPng | BakedSvg | ReadPdf
_AS_ISSUED = Text(
    zh="与颁发时印制的文件逐字节一致。", en="Byte for byte a file that was printed when the certificate was issued."
)
MAX_FILE_BYTES = 4 * 1024 * 1024


class ReadsPdf(Protocol):
    """Reads one PDF: its text only when asked for."""

    def __call__(self, data: bytes, *, text: bool = False) -> ReadPdf:
        """As :func:`certs.forms.pdf.read_pdf`."""


@dataclass(frozen=True)
class PdfReaders:
    """What reads a PDF that somebody brought, and what reads one that was printed here a moment ago."""

    theirs: ReadsPdf = read_pdf
    ours: ReadsPdf = read_ours


class FileError(Exception):
    """The file carries no credential we can take out; the message says what was got and what was expected."""


def verify_file(
    data: bytes,
    *,
    controllers: Sequence[Controller],
    status_lists: Mapping[str, bytes],
    trusted: Collection[str],
    at_us: int,
    logs: Sequence[bytes] = (),
    printed_from: Callable[[bytes], bytes | None] = lambda _data: None,
    readers: PdfReaders | None = None,
) -> Verification:
    """Verify the credential in a file, and the page around it; arguments as for :func:`certs.verify.verify`.

    ``printed_from`` gives the credential of a file that, byte for byte, was printed when it was issued; ``readers`` are
    there when many files are read one after another.
    """
    readers = readers or PdfReaders()

    def check(credential: bytes) -> Verification:
        return verify(
            credential, controllers=controllers, status_lists=status_lists, trusted=trusted, at_us=at_us, logs=logs
        )

    issued = printed_from(data)
    if issued is not None:
        answer = check(issued)
        return replace(answer, steps=(Step("file", Outcome.HELD, _AS_ISSUED), *answer.steps))
    try:
        words, credential, carrier = _open(data, readers.theirs)
    except (FileError, PdfError, PngError, SvgError) as error:
        said = Text(zh="文件中没有可读取的唯一证书。", en="The file does not hold exactly one readable certificate.")
        return Verification((Step("file", Outcome.FAILED, said, str(error)),), None, Verdict.INVALID)
    answer = check(credential)
    steps = (Step("file", Outcome.HELD, words), *answer.steps, *_page(answer, data, credential, carrier, readers))
    return replace(answer, steps=steps, verdict=verdict_of(steps, answer.facts, at_us))


def _open(data: bytes, open_pdf: ReadsPdf) -> tuple[Text, bytes, _Carrier | None]:
    if len(data) > MAX_FILE_BYTES:
        raise FileError(f"got {len(data)} bytes, expected at most {MAX_FILE_BYTES}")
    if data.startswith(SIGNATURE):
        baked = read_png(data)
        return (
            Text(zh="PNG 徽章，内含一份证书。", en="A PNG badge with one certificate in it."),
            baked.credential,
            baked,
        )
    if data.startswith(b"%PDF-"):
        read = open_pdf(data)
        if len(read.attachments) != 1:
            raise FileError(f"got a PDF with {len(read.attachments)} attached files, expected the credential alone")
        return Text(zh="PDF，附有一份证书。", en="A PDF with one certificate attached."), read.attachments[0][1], read
    if data.lstrip()[:1] == b"{":
        return Text(zh="JSON 证书。", en="A certificate in JSON."), data, None
    if data.lstrip()[:1] == b"<":
        svg = read_svg(data)
        return Text(zh="SVG 徽章，内含一份证书。", en="An SVG badge with one certificate in it."), svg.credential, svg
    raise FileError(f"got a file that begins with {data[:8]!r}, expected JSON, PDF, PNG or SVG")


def _page(
    answer: Verification, data: bytes, credential: bytes, carrier: _Carrier | None, readers: PdfReaders
) -> tuple[Step, ...]:
    """The step that compares what is printed; none for plain JSON, unsigned facts and badges of other issuers."""
    signature = answer.step("signature")
    if carrier is None or answer.facts is None or answer.facts.record is None:
        return ()
    if signature is None or signature.outcome is not Outcome.HELD:
        return ()
    try:
        from certs.forms import typeset  # noqa: PLC0415 - the typesetter is an optional extra of the verifier
    except ImportError:
        words = Text(
            zh="未安装排版程序，无法比对版面。", en="The typesetter is not installed, so the page was not compared."
        )
        return (Step("page", Outcome.UNCHECKED, words),)
    if carrier.software != typeset.SOFTWARE:
        words = Text(
            zh="由其他版本的软件印制，无法逐项比对版面；请核验所附的 JSON。",
            en="Printed by another version of the software, so the page was not compared; verify the JSON inside.",
        )
        detail = f"got {carrier.software[:80]!r}, expected {typeset.SOFTWARE!r}"
        return (Step("page", Outcome.UNCHECKED, words, detail),)
    if difference := _difference(data, carrier, credential, readers):
        words = Text(
            zh="版面与签名内容不一致，请勿相信纸面。",
            en="What is printed is not what was signed. Do not trust the page.",
        )
        return (Step("page", Outcome.FAILED, words, difference),)
    return (
        Step("page", Outcome.HELD, Text(zh="版面与签名内容一致。", en="What is printed is exactly what was signed.")),
    )


def _difference(data: bytes, carrier: _Carrier, credential: bytes, readers: PdfReaders) -> str:
    from certs.forms.typeset import print_png, print_svg  # noqa: PLC0415

    if isinstance(carrier, ReadPdf):
        return _pdf_difference(data, carrier, credential, readers)
    if isinstance(carrier, BakedPng):
        is_same = carrier.picture == read_png(print_png(credential)).picture
    else:
        is_same = carrier.picture == read_svg(print_svg(credential)).picture
    return "" if is_same else "got another picture than the one these signed facts give"


def _pdf_difference(data: bytes, carrier: ReadPdf, credential: bytes, readers: PdfReaders) -> str:
    from certs.forms.typeset import print_pdf  # noqa: PLC0415

    printed = print_pdf(credential)
    # Text is drawn: where the drawings agree, the fonts and the letters do.
    if carrier.drawing == readers.ours(printed).drawing:
        return ""
    try:
        text = readers.theirs(data, text=True).text
    except PdfError as error:
        return f"got another drawing than expected, and no text: {error}"
    expected = readers.ours(printed, text=True).text
    for got, wanted in zip(_lines(text), _lines(expected), strict=False):
        if got != wanted:
            return f"got the printed line {got[:120]!r}, expected {wanted[:120]!r}"
    if text != expected:
        return "got more or fewer printed lines than these signed facts give"
    return "got another drawing (a picture, a QR code) than expected"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
