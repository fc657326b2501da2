"""Opens and makes the zip archives that labs travel in. What a learner sends is hostile until this has read it.

Only regular files with plain relative names come out, bounded in number, depth and inflated size whatever the archive
claims about itself. Archives we make are bit-identical for identical content.
"""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

END_RECORD = struct.Struct("<4s4H2LH")
END_MAGIC = b"PK\x05\x06"
ENTRY_BYTES = 46 + 512
"""The most a directory entry may take: the fixed part, and a name with its extra fields."""
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
CHUNK = 1 << 16
FORBIDDEN = set('\\:*?"<>|')


@dataclass(frozen=True)
class Caps:
    """The most an archive may hold."""

    files: int = 200
    depth: int = 6
    name: int = 200
    inflated: int = 100 * 1024 * 1024


def unpack(archive: bytes, caps: Caps) -> dict[str, bytes]:
    """The files of ``archive`` by their relative names.

    Raises:
        Refused: it is no zip file, or holds anything but what the caps and the rules for names allow.
    """
    _check_directory_size(archive, caps)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = [entry for entry in opened.infolist() if not entry.filename.endswith("/")]
            return _read_all(opened, entries, caps)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError, OSError) as error:
        raise _not_a_zip(str(error)) from error


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of ``files``, the same bytes whenever and wherever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            made.writestr(entry, files[name])
    return buffer.getvalue()


def _check_directory_size(archive: bytes, caps: Caps) -> None:
    # Python builds an object for every directory entry before we could count them, so the end record is read first.
    tail = archive[-END_RECORD.size :]
    if len(tail) < END_RECORD.size or not tail.startswith(END_MAGIC):
        raise _not_a_zip(f"{len(archive)} bytes without a zip end record as their last {END_RECORD.size}")
    _, disk, start_disk, here, total, directory_bytes, _, _ = END_RECORD.unpack(tail)
    if disk or start_disk or here != total:
        raise _not_a_zip("an archive in several parts")
    if total > caps.files or directory_bytes > caps.files * ENTRY_BYTES:
        raise _too_large(f"{total} files, a directory of {directory_bytes} bytes", f"at most {caps.files} files")


def _read_all(opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], caps: Caps) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    room = caps.inflated
    for entry in entries:
        name = _checked_name(entry, caps)
        if name.casefold() in seen:
            raise _bad_entry(f"{name!r} twice", "every name once")
        seen.add(name.casefold())
        files[name] = _read_one(opened, entry, room, caps)
        room -= len(files[name])
    _check_no_file_is_a_folder(seen)
    return files


def _checked_name(entry: zipfile.ZipInfo, caps: Caps) -> str:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _bad_entry(f"{entry.filename!r} of type {stat.filemode(mode)[0]!r}", "regular files only")
    if entry.flag_bits & 0x1:
        raise _bad_entry(f"{entry.filename!r} encrypted", "files that are not encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad_entry(f"{entry.filename!r} packed by method {entry.compress_type}", "stored or deflated files")
    # orig_filename: zipfile cuts a name at its first NUL, which would let two names pass for one.
    name = entry.orig_filename
    parts = name.split("/")
    plain = all(_is_plain(part) for part in parts) and unicodedata.normalize("NFC", name) == name
    if not plain or len(name.encode()) > caps.name:
        raise _bad_entry(repr(name[: caps.name]), "a plain relative name")
    if len(parts) > caps.depth:
        raise _bad_entry(f"{name!r}, {len(parts)} levels deep", f"at most {caps.depth} levels")
    return name


def _is_plain(part: str) -> bool:
    if part in ("", ".", "..") or part != part.strip() or part.endswith("."):
        return False
    return not any(letter in FORBIDDEN or unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in part)


def _read_one(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int, caps: Caps) -> bytes:
    if entry.file_size > room:
        raise _too_large(f"{entry.filename!r} of {entry.file_size} bytes", f"at most {caps.inflated} bytes unpacked")
    content = bytearray()
    with opened.open(entry) as stream:
        while chunk := stream.read(CHUNK):
            content += chunk
            if len(content) > room:
                raise _too_large(f"{entry.filename!r} grew past its word", f"at most {caps.inflated} bytes unpacked")
    return bytes(content)


def _check_no_file_is_a_folder(names: set[str]) -> None:
    for name in names:
        parts = name.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in names:
                raise _bad_entry(f"{name!r} inside a file", "folders and files with different names")


def _not_a_zip(got: str) -> Refused:
    return Refused(
        422,
        "not_a_zip",
        zh="提交的内容不是可用的 zip 压缩包。",
        en="What was handed in is not a usable zip archive.",
        got=got,
        expected="a zip archive",
    )


def _bad_entry(got: str, expected: str) -> Refused:
    return Refused(
        422,
        "bad_entry",
        zh="压缩包里有不能接受的文件。",
        en="The archive holds a file that cannot be taken.",
        got=got,
        expected=expected,
    )


def _too_large(got: str, expected: str) -> Refused:
    return Refused(
        413,
        "too_large",
        zh="压缩包解开后太大或文件太多。",
        en="The archive is too large once unpacked, or holds too many files.",
        got=got,
        expected=expected,
    )
