"""Many certificates at once: a CSV of numbers, or a zip of files, answered row by row within fixed bounds."""

from __future__ import annotations

import csv
import io
import re
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certs.files import MAX_FILE_BYTES, PdfReaders
from certs.forms.pdf import PdfReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from certs.verification import Verification

MAX_ROWS = 200
MAX_BATCH_BYTES = 24 * 1024 * 1024
MAX_UNPACKED_BYTES = 64 * 1024 * 1024
_MAX_CSV_BYTES = 256 * 1024
_HEX_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_END_OF_DIRECTORY = b"PK\x05\x06"
# What systems put into a zip by themselves.
_NOT_CONTENT = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_AT_ONCE = 2


class BatchError(Exception):
    """The batch cannot be taken; the message says what was got and what was expected."""


@dataclass(frozen=True)
class Row:
    """One line of the answer: what it was called, and what came of it; ``answer`` is None when nothing was found."""

    name: str
    certificate_id: str | None
    answer: Verification | None


def is_zip(data: bytes) -> bool:
    """Whether the batch is a zip (and not a CSV)."""
    return data.startswith(b"PK")


def read_ids(data: bytes) -> tuple[tuple[str, str | None], ...]:
    """The lines of a CSV as what they said and the certificate number found in them; a heading line is left out.

    Raises:
        BatchError: there are none, or too many.
    """
    if len(data) > _MAX_CSV_BYTES:
        raise BatchError(f"got a list of {len(data)} bytes, expected at most {_MAX_CSV_BYTES}")
    # Numbers are ASCII whatever the table was saved as; names in it are shown as far as they can be read.
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").replace("\x00", "")
    try:
        lines = [" ".join(cell.strip() for cell in line if cell.strip()) for line in csv.reader(io.StringIO(text))]
    except csv.Error as error:
        raise BatchError(f"got a list that cannot be read ({error}), expected a CSV file") from None
    found = [(line[:120], _number(line)) for line in lines if line]
    if found and found[0][1] is None:
        found = found[1:]
    if not found or len(found) > MAX_ROWS:
        raise BatchError(f"got {len(found)} certificate numbers, expected 1 to {MAX_ROWS}, one a line")
    return tuple(found)


def read_files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a zip by name; one that is too large is given as far as shows that it is.

    Raises:
        BatchError: it is no plain zip, or unpacks to too much.
    """
    _bound_entries(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if _is_content(entry)]
            if not entries or len(entries) > MAX_ROWS:
                raise BatchError(f"got {len(entries)} files, expected 1 to {MAX_ROWS}")
            left = MAX_UNPACKED_BYTES
            for entry in entries:
                content = _unpack(archive, entry)
                left -= len(content)
                if left < 0:
                    raise BatchError(f"got files of more than {MAX_UNPACKED_BYTES} bytes, expected less")
                yield entry.filename[-120:], content
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError) as error:
        raise BatchError(f"got a zip that cannot be read ({str(error)[:120]}), expected a plain one") from None


def verify_files(
    files: Sequence[tuple[str, bytes]], check: Callable[[bytes, PdfReaders], Verification]
) -> tuple[tuple[str, Verification], ...]:
    """What ``check`` says of every file, in their order; PDFs are read in processes that serve many."""
    shares = [files[start::_AT_ONCE] for start in range(_AT_ONCE)]

    def work(share: Sequence[tuple[str, bytes]]) -> list[tuple[str, Verification]]:
        # What a hostile file did to its reader never touches what it is compared with.
        with PdfReader() as theirs, PdfReader() as ours:
            return [(name, check(content, PdfReaders(theirs, ours))) for name, content in share]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(work, shares))
    return tuple(answers[index % _AT_ONCE][index // _AT_ONCE] for index in range(len(files)))


def _number(line: str) -> str | None:
    found = _HEX_ID.findall(line.lower())
    return found[0] if len(found) == 1 else None


def _bound_entries(data: bytes) -> None:
    """Read the count of entries first: the library would read a directory of any length."""
    end = data.rfind(_END_OF_DIRECTORY)
    if end < 0 or len(data) < end + 22:
        raise BatchError("got a zip without its end, expected a whole one")
    if b"PK\x06\x07" in data[max(0, end - 20) : end]:
        raise BatchError("got a zip for very large files (zip64), expected a plain one")
    (count,) = struct.unpack("<H", data[end + 10 : end + 12])
    (directory,) = struct.unpack("<I", data[end + 12 : end + 16])
    if count > 2 * MAX_ROWS or directory > 2 * MAX_ROWS * 1024:
        raise BatchError(f"got a zip of {count} entries, expected at most {MAX_ROWS} files")


def _is_content(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not any(
        entry.filename.startswith(name) or entry.filename.endswith(name) for name in _NOT_CONTENT
    )


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.flag_bits & 1:
        raise BatchError(f"got the encrypted file {entry.filename[-80:]!r}, expected plain ones")
    with archive.open(entry) as stream:
        return stream.read(MAX_FILE_BYTES + 1)
