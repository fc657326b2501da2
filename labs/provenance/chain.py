"""A lab's chain of records, ``provenance.jsonl``: one entry a line, each naming the SHA-256 of the line before.

A line cannot be changed, dropped or put in later without breaking the link after it. Whoever holds the whole file can
still write it anew from the start: what fixes it in time is the intake's signed receipt for the submission it lies in.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from labs.language import Words
from labs.provenance.record import Edit, ProvenanceError, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHAIN = "provenance.jsonl"
MAX_LINE_BYTES = 100_000
MAX_CHAIN_BYTES = 20_000_000
Entry = Annotated[Record | Edit, Field(discriminator="kind")]
_ENTRY: TypeAdapter[Record | Edit] = TypeAdapter(Entry)
Made = TypeVar("Made", Record, Edit)


@dataclass(frozen=True, slots=True)
class Chain:
    """The entries that could be read, in order, and everything that does not hold."""

    entries: tuple[Record | Edit, ...]
    problems: tuple[Words, ...]

    @property
    def holds(self) -> bool:
        """Whether every link holds and every file still is what its last entry says."""
        return not self.problems


def chain_folder(film: Path) -> Path:
    """The folder whose chain ``film`` belongs to: the one worked in, or the film's own when it lies elsewhere."""
    here, place = Path.cwd(), film.absolute().parent
    return here if place.is_relative_to(here) else place


def add_to_chain(folder: Path, make: Callable[[str | None], Made]) -> Made:
    """Append what ``make`` gives for the digest of the last line; two writers at once take turns.

    Raises:
        OSError: the chain cannot be written.
    """
    descriptor = os.open(folder / CHAIN, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        tail = _tail(stream.fileno())
        entry = make(_digest(tail.split(b"\n")[-1]) if tail else None)
        os.write(stream.fileno(), entry.model_dump_json().encode() + b"\n")
        return entry


def check_chain(folder: str | Path) -> Chain:
    """Walk the chain of a lab's folder and hold every link, and every file that is still there, against it.

    Raises:
        ProvenanceError: there is no chain, or it is larger than a chain can be.
    """
    file = Path(folder) / CHAIN
    try:
        size, content = file.stat().st_size, b""
        if size <= MAX_CHAIN_BYTES:
            content = file.read_bytes()
    except OSError as error:
        raise ProvenanceError(f"读不到 {file}：{error.strerror}", f"cannot read {file}: {error.strerror}") from error
    if size > MAX_CHAIN_BYTES:
        raise ProvenanceError(f"{file}：超过 {MAX_CHAIN_BYTES} 字节", f"{file}: more than {MAX_CHAIN_BYTES} bytes")
    entries: list[Record | Edit] = []
    problems = [*_links(content, entries), *_files(Path(folder), entries)]
    return Chain(tuple(entries), tuple(problems))


def _tail(descriptor: int) -> bytes:
    """The end of the chain, without its last line break; a line torn off by a full disk stays and gets its own."""
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, MAX_LINE_BYTES, max(size - MAX_LINE_BYTES, 0))
    if content and not content.endswith(b"\n"):
        os.write(descriptor, b"\n")
    return content.removesuffix(b"\n")


def _links(content: bytes, entries: list[Record | Edit]) -> Iterator[Words]:
    before: str | None = None
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        try:
            entry = _ENTRY.validate_json(line)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            yield Words(f"第 {number} 行不是记录（{why}）", f"line {number} is no record ({why})")
        else:
            entries.append(entry)
            if entry.previous != before:
                yield Words(
                    f"第 {number} 行与上一行接不上：应为 {before}，写的是 {entry.previous}",
                    f"line {number} does not link to the one before: expected {before}, got {entry.previous}",
                )
        before = _digest(line)


def _files(folder: Path, entries: list[Record | Edit]) -> Iterator[Words]:
    """Every film that lies in the folder must be what some entry of its name says."""
    known: dict[str, set[str]] = {}
    for entry in entries:
        known.setdefault(entry.output.file, set()).add(entry.output.sha256)
    for film in sorted(folder.rglob("*.mp4")):
        if film.name not in known or film.is_symlink():
            yield Words(f"{film.name}：链中没有记录", f"{film.name}: the chain does not know it")
        elif sha256_file(film) not in known[film.name]:
            yield Words(f"{film.name}：文件与记录不符", f"{film.name}: the file is not what its record says")


def sha256_file(file: Path) -> str:
    """The SHA-256 of a file, read block by block."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
