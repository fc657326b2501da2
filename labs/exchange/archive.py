"""Packs a lab's folder for handing in, and unpacks what the intake released. Same files, same bytes.

What is left out on the way to the intake is said, never silent: hidden files, links, caches, fetched feedback, model
weights. A file that is too large is a refusal, since leaving out a learner's film would cost its points.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from labs.language import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_TOTAL_BYTES = 50 * 1024 * 1024
MAX_FILES = 200
MAX_RELEASE_BYTES = 256 * 1024 * 1024
WEIGHTS = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".gguf", ".h5"})
LEFT_OUT_FOLDERS = frozenset({"feedback", "__pycache__"})
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_NOT_IN_NAMES = set('\\:*?"<>|')


class ArchiveError(LabError):
    """A folder cannot be handed in as it is, or a release cannot be unpacked."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A zip of a folder, and the relative paths that were left out of it."""

    archive: bytes
    left_out: tuple[str, ...]


def pack(folder: Path, *, without: frozenset[str] = frozenset()) -> Packed:
    """Zip the regular files of ``folder``, but not of its subfolders called as in ``without``.

    Raises:
        ArchiveError: a file is too large or cannot be read, or there are too many.
    """
    taken: dict[str, bytes] = {}
    left_out: list[str] = []
    for file in _files(folder):
        name = file.relative_to(folder).as_posix()
        is_wanted = _is_wanted(name) and name.partition("/")[0] not in without
        content = _content(file, name) if is_wanted else None
        if content is None:
            left_out.append(name)
        else:
            taken[name] = content
    _check_amount(taken)
    return Packed(_zip(taken), tuple(left_out))


def unpack(archive: bytes, folder: Path) -> tuple[str, ...]:
    """Write the files of ``archive`` into ``folder``, skipping those already there; returns the names written.

    Raises:
        ArchiveError: it is no zip, or holds a name outside the folder, a link, or more than a release may.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            for entry in entries:
                _check_entry(entry)
            if sum(entry.file_size for entry in entries) > MAX_RELEASE_BYTES:
                raise _broken(f"> {MAX_RELEASE_BYTES} bytes")
            return tuple(entry.filename for entry in entries if _write_new(folder, entry.filename, opened.read(entry)))
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise _broken(str(error)) from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step, so that a full disk never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFT_OUT_FOLDERS)
        yield from (Path(here) / name for name in sorted(names))


def _is_wanted(name: str) -> bool:
    path = PurePosixPath(name)
    plain = unicodedata.is_normalized("NFC", name) and not any(
        letter in _NOT_IN_NAMES or unicodedata.category(letter)[0] == "C" for letter in name
    )
    tidy = all(part == part.strip() and not part.endswith(".") for part in path.parts)
    return plain and tidy and not path.name.startswith(".") and path.suffix.lower() not in WEIGHTS | {".pyc"}


def _content(file: Path, name: str) -> bytes | None:
    """The bytes of a regular file; None for a link or anything else that is no regular file."""
    try:
        # No link is followed: a link to a secret elsewhere must not travel under a harmless name.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if file.is_symlink() or not file.is_file():
            return None
        raise ArchiveError(f"读不到 {name}：{error.strerror}", f"cannot read {name}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ArchiveError(
            f"{name} 超过 {MAX_FILE_BYTES >> 20} MB，不能提交；请缩小它，或移出本实验的文件夹",
            f"{name} is larger than {MAX_FILE_BYTES >> 20} MB and cannot be handed in; "
            "make it smaller or move it out of the lab's folder",
        )
    return content


def _check_amount(taken: dict[str, bytes]) -> None:
    total = sum(map(len, taken.values()))
    if len(taken) <= MAX_FILES and total <= MAX_TOTAL_BYTES:
        return
    largest = ", ".join(sorted(taken, key=lambda name: -len(taken[name]))[:3])
    raise ArchiveError(
        f"文件夹里有 {len(taken)} 个文件、{total} 字节；最多 {MAX_FILES} 个、{MAX_TOTAL_BYTES} 字节。最大：{largest}",
        f"the folder holds {len(taken)} files, {total} bytes; expected at most {MAX_FILES} files, "
        f"{MAX_TOTAL_BYTES} bytes. The largest: {largest}",
    )


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            made.writestr(entry, files[name])
    return buffer.getvalue()


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    outside = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts
    if outside or kind not in (0, stat.S_IFREG):
        raise _broken(repr(name))


def _write_new(folder: Path, name: str, content: bytes) -> bool:
    target = folder / name
    if os.path.lexists(target):
        return False
    write_whole(target, content)
    return True


def _broken(got: str) -> ArchiveError:
    return ArchiveError(
        f"作业服务发来的压缩包不能用（{got}）；请告诉教师",
        f"the archive from the assignment service cannot be used ({got}); tell your instructor",
    )
