"""Baked PNG files, read as hostile: chunk by chunk, checksums and sizes checked, nothing inflated without a limit."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certs.credential.document import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORDS = (b"openbadgecredential", b"openbadges")
MAX_CHUNKS = 4_096
_SOFTWARE = b"Software"


class PngError(Exception):
    """The bytes are no PNG with exactly one credential; the message says what was got and what was expected."""


@dataclass(frozen=True)
class BakedPng:
    """What was found: the credential, the software named, and the picture's own chunks (size, palette, pixels)."""

    credential: bytes
    software: str
    picture: tuple[tuple[bytes, bytes], ...]


def read_png(data: bytes) -> BakedPng:
    """The one credential baked into a PNG.

    Raises:
        PngError: the file is damaged, or carries none or several.
    """
    chunks = list(_chunks(data))
    tokens = [token for kind, content in chunks if kind == b"iTXt" and (token := _token(content)) is not None]
    if len(tokens) != 1:
        raise PngError(f"got {len(tokens)} credentials in the PNG, expected exactly one")
    named = [
        content.partition(b"\x00")[2] for kind, content in chunks if kind == b"tEXt" and content.startswith(_SOFTWARE)
    ]
    # Critical chunks (upper-case first letter) are what is drawn; the others are remarks.
    picture = tuple((kind, content) for kind, content in chunks if kind[:1].isupper())
    return BakedPng(tokens[0], named[0].decode("latin-1") if named else "", picture)


def add_software(data: bytes, software: str) -> bytes:
    """``data`` with the name of what drew it, right after the header."""
    header_end = len(SIGNATURE) + 12 + struct.unpack(">I", data[8:12])[0]
    content = _SOFTWARE + b"\x00" + software.encode("latin-1")
    checksum = zlib.crc32(b"tEXt" + content)
    chunk = struct.pack(">I", len(content)) + b"tEXt" + content + struct.pack(">I", checksum)
    return data[:header_end] + chunk + data[header_end:]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise PngError("got no PNG signature, expected a PNG file")
    position, kind = len(SIGNATURE), b""
    for _ in range(MAX_CHUNKS):
        if len(data) - position < 12:  # noqa: PLR2004 - length, kind, checksum
            raise PngError("got a file that ends too early, expected a whole PNG")
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        content = data[position + 8 : position + 8 + length]
        checksum = data[position + 8 + length : position + 12 + length]
        if len(checksum) != 4 or zlib.crc32(kind + content) != struct.unpack(">I", checksum)[0]:  # noqa: PLR2004
            raise PngError(f"got a damaged chunk {kind!r}, expected its checksum to match")
        if (position == len(SIGNATURE)) != (kind == b"IHDR"):
            raise PngError(f"got the chunk {kind!r} in the wrong place, expected one header first")
        yield kind, content
        position += 12 + length
        if kind == b"IEND":
            break
    if kind != b"IEND" or position != len(data):
        raise PngError("got bytes after the end or too many chunks, expected a plain PNG")


def _token(content: bytes) -> bytes | None:
    """The credential of an ``iTXt`` chunk (PNG 11.3.4.5), or None when it is about something else."""
    keyword, _, rest = content.partition(b"\x00")
    if keyword not in KEYWORDS:
        return None
    compressed, method, rest = rest[:1], rest[1:2], rest[2:]
    _language, first, rest = rest.partition(b"\x00")
    _translated, second, text = rest.partition(b"\x00")
    if not first or not second or compressed not in {b"\x00", b"\x01"} or method != b"\x00":
        raise PngError("got a malformed credential chunk, expected iTXt")
    return _inflate(text) if compressed == b"\x01" else text


def _inflate(text: bytes) -> bytes:
    inflator = zlib.decompressobj()
    try:
        inflated = inflator.decompress(text, MAX_BYTES)
    except zlib.error as error:
        raise PngError(f"got a damaged compressed credential ({error}), expected zlib") from None
    if not inflator.eof or inflator.unused_data:
        raise PngError(f"got a compressed credential of more than {MAX_BYTES} bytes or cut short, expected less")
    return inflated
