"""PDF files, read as hostile: in a child process with little time and memory, and nothing but plain data comes back.

``python -m certs.forms.pdf`` is that child: a PDF on standard input, JSON on standard output. What it gives of the page
is a digest of everything drawn, so that a page can be compared with what the signed facts print, and with ``--text``
its text, which costs ten times as much and only says where two pages differ. With ``--many`` it serves one PDF after
another, each under the same limits; :class:`PdfReader` starts a new one when a file brings it down.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import resource
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Self

MAX_PDF_BYTES = 4 * 1024 * 1024  # ours are about 80 KB
_CPU_SECONDS = 10
_CPU_SECONDS_OF_MANY = 120
_WALL_SECONDS = 30
_MEMORY_BYTES = 1024**3
_MAX_ATTACHMENT = 256 * 1024
_MAX_STREAM = 8 * 1024 * 1024
_MAX_PAGES = 20
_MAX_OBJECTS = 20_000
_MAX_TEXT = 200_000
_QUESTION = struct.Struct(">I?")
"""What goes before each PDF: its length, and whether its text is wanted."""
_TOO_MUCH = "it took too much time or memory"
# Where a page hangs, how it is tagged: nothing a reader sees.
_NOT_DRAWN = frozenset({"/Parent", "/StructParents", "/StructParent", "/P", "/Dest"})


class PdfError(Exception):
    """The PDF cannot be read; the message says what was got and what was expected."""


@dataclass(frozen=True)
class ReadPdf:
    """What a PDF holds: attached files, text where asked for, software and layout named, a digest of all drawn."""

    attachments: tuple[tuple[str, bytes], ...]
    text: str
    software: str
    drawing: str


def read_pdf(data: bytes, *, text: bool = False) -> ReadPdf:
    """Read a hostile PDF in a child process; its ``text`` only when asked for.

    Raises:
        PdfError: it is too big, damaged, encrypted, or takes too much time or memory.
    """
    if len(data) > MAX_PDF_BYTES:
        raise PdfError(f"got a PDF of {len(data)} bytes, expected at most {MAX_PDF_BYTES}")
    command = [sys.executable, "-m", "certs.forms.pdf", *(["--text"] if text else [])]
    try:
        child = subprocess.run(command, input=data, capture_output=True, timeout=_WALL_SECONDS, check=False, env={})
    except subprocess.TimeoutExpired:
        raise PdfError("got a PDF that takes too long to read, expected a plain one") from None
    last = child.stderr.decode(errors="replace").strip().splitlines()[-1:] or [_TOO_MUCH]
    return _read_answer(child.stdout, last[0])


def read_ours(data: bytes, *, text: bool = False) -> ReadPdf:
    """As :func:`read_pdf`, in this process: only for files that we made."""
    return _read_answer(json.dumps(extract(data, text=text)).encode(), "")


class PdfReader:
    """Reads many hostile PDFs, one after another, in a child that is replaced when one of them brings it down."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, data: bytes, *, text: bool = False) -> ReadPdf:
        """As :func:`read_pdf`."""
        if len(data) > MAX_PDF_BYTES:
            raise PdfError(f"got a PDF of {len(data)} bytes, expected at most {MAX_PDF_BYTES}")
        child = self._start()
        try:
            line = _ask(child, data, text=text)
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self._end()
            return _read_answer(b"", _TOO_MUCH)
        return _read_answer(line, "")

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            command = [sys.executable, "-m", "certs.forms.pdf", "--many"]
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


def _ask(child: subprocess.Popen[bytes], data: bytes, *, text: bool) -> bytes:
    """One line of answer, whole or cut short by the child's end or the clock."""
    if child.stdin is None or child.stdout is None:
        return b""
    child.stdin.write(_QUESTION.pack(len(data), text) + data)
    child.stdin.flush()
    line, deadline = bytearray(), time.monotonic() + _WALL_SECONDS
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))
        some = child.stdout.read1(1 << 20) if ready else b""  # type: ignore[attr-defined]
        if not some:
            break
        line += some
    return bytes(line)


def _read_answer(line: bytes, problem: str) -> ReadPdf:
    try:
        answer = json.loads(line)
        problem = answer.get("problem", problem)
        found = [(str(name), base64.b64decode(content)) for name, content in answer["attachments"]]
        return ReadPdf(tuple(found), answer["text"], answer["software"], answer["drawing"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PdfError(f"got a PDF that cannot be read ({problem[:200]}), expected a plain one") from None


def extract(data: bytes, *, text: bool) -> dict[str, Any]:
    """What :func:`read_pdf` gives, as plain data, read in this process; only for the child and :func:`read_ours`."""
    import pypdf  # noqa: PLC0415 - the child sets its limits before the parser is loaded

    with pypdf.apply_configuration(zlib_maximum_output_length=_MAX_STREAM, lzw_maximum_output_length=_MAX_STREAM):
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted or len(reader.pages) > _MAX_PAGES:
            raise PdfError(f"got an encrypted PDF or more than {_MAX_PAGES} pages, expected a plain one")
        attached = [(item.name, bytes(item.content)) for item in reader.attachment_list]
        meta = reader.metadata
        return {
            "attachments": [(name, base64.b64encode(content).decode()) for name, content in attached],
            "text": "\n".join(page.extract_text() for page in reader.pages)[:_MAX_TEXT] if text else "",
            "software": "" if meta is None else str(meta.get("/Keywords") or ""),
            "drawing": _drawing(reader),
        }


def _drawing(reader: Any) -> str:
    """A digest of everything reachable from the pages, and of what else in the file could act or be shown."""
    acting = [name for name in ("/OpenAction", "/AA", "/AcroForm", "/OCProperties") if name in reader.root_object]
    names = sorted(name for name in reader.root_object.get("/Names", {}) if name != "/EmbeddedFiles")
    digest = _Digest()
    digest.add([acting, names])
    for page in reader.pages:
        digest.add(page)
    return digest.value()


class _Digest:
    """Hashes PDF objects by what they say, not by where in the file they lie; streams by their decoded bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._left = _MAX_OBJECTS

    def value(self) -> str:
        return self._hash.hexdigest()

    def add(self, node: Any) -> None:
        self._left -= 1
        if self._left < 0:
            raise PdfError(f"got more than {_MAX_OBJECTS} objects, expected a plain PDF")
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, dict | list):
            # Pages, fonts and pictures point to each other: the second time, only that it is the same one counts.
            if id(node) in self._seen:
                self._say(f"same {self._seen[id(node)]}")
                return
            self._seen[id(node)] = len(self._seen)
            self._container(node)
        else:
            self._say(f"{type(node).__name__} {node!r}")

    def _container(self, node: Any) -> None:
        self._say(f"{'dict' if isinstance(node, dict) else 'list'} {len(node)}")
        if isinstance(node, list):
            for child in node:
                self.add(child)
            return
        for name in sorted(set(node) - _NOT_DRAWN - {"/Length", "/Filter", "/DecodeParms"}):
            self._say(str(name))
            self.add(node.raw_get(name) if hasattr(node, "raw_get") else node[name])
        if hasattr(node, "get_data"):
            data = node.get_data()
            self._say(f"stream {len(data)}")
            self._hash.update(data)

    def _say(self, words: str) -> None:
        self._hash.update(words.encode("utf-8", "surrogatepass") + b"\x00")


def main() -> None:
    """The child: bounded by the system before the first byte of the PDF is looked at."""
    many = "--many" in sys.argv
    whole = _CPU_SECONDS_OF_MANY if many else _CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, whole))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if many:
        _serve(whole)
    else:
        sys.stdout.write(json.dumps(extract(sys.stdin.buffer.read(MAX_PDF_BYTES + 1), text="--text" in sys.argv)))


def _serve(whole: int) -> None:
    while len(question := sys.stdin.buffer.read(_QUESTION.size)) == _QUESTION.size:
        size, text = _QUESTION.unpack(question)
        data = sys.stdin.buffer.read(size)
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = min(whole, int(used.ru_utime + used.ru_stime) + _CPU_SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, whole))
        try:
            answer = extract(data, text=text)
        except Exception as error:  # noqa: BLE001 - whatever a hostile file raises, the next one is still read
            answer = {"problem": f"{type(error).__name__}: {str(error)[:200]}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
