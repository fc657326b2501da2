"""Writes, reads and checks provenance records; a record lies beside its film: ``first.mp4``, ``first.json``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from labs.provenance.chain import add_to_chain, chain_folder, sha256_file
from labs.provenance.record import Edit, Output, ProvenanceError, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD_BYTES = 100_000


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, as 64 lower-case hex digits.

    Raises:
        ProvenanceError: the file cannot be read.
    """
    try:
        return sha256_file(Path(path))
    except OSError as error:
        raise ProvenanceError(f"读不到 {path}：{error.strerror}", f"cannot read {path}: {error.strerror}") from error


def record_path(film: str | Path) -> Path:
    """Where the record of ``film`` lies."""
    return Path(film).with_suffix(".json")


def write_record(record: Record, film: str | Path) -> Path:
    """Write ``record`` beside ``film`` and return where."""
    path = record_path(film)
    path.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def record_take(record: Record, film: str | Path) -> Record:
    """Put ``record`` at the end of its lab's chain and write it beside ``film``; returns it as written."""
    folder = chain_folder(Path(film))
    linked = add_to_chain(folder, lambda previous: record.model_copy(update=_whose(folder) | {"previous": previous}))
    write_record(linked, film)
    return linked


def log_edit(inputs: Sequence[str | Path], output: str | Path, what: str) -> Edit:
    """Note in the lab's chain that ``output`` was made out of ``inputs`` by hand or by a tool.

    Raises:
        ProvenanceError: a file cannot be read, or ``what`` says nothing.
    """
    if not what.strip():
        raise ProvenanceError("what：没有写做了什么", "what: got nothing, expected what was done")
    folder = chain_folder(Path(output))
    edit = Edit(
        what=what.strip(),
        inputs=tuple(_output(Path(file)) for file in inputs),
        output=_output(Path(output)),
        made_us=time.time_ns() // 1000,
        **_whose(folder),
    )
    return add_to_chain(folder, lambda previous: edit.model_copy(update={"previous": previous}))


def read_record(path: str | Path) -> Record:
    """Parse a record.

    Raises:
        ProvenanceError: it is missing, too large, or not a record; the message names the member that is wrong.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_RECORD_BYTES:
            raise ProvenanceError(
                f"{file}：超过 {MAX_RECORD_BYTES} 字节", f"{file}: more than {MAX_RECORD_BYTES} bytes"
            )
        return Record.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ProvenanceError(f"读不到 {file}：{error.strerror}", f"cannot read {file}: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "JSON"
        raise ProvenanceError(
            f"{file}：不是有效的来源记录（{where}：{problem['msg']}）",
            f"{file}: no valid provenance record ({where}: {problem['msg']})",
        ) from error


def verify(film: str | Path) -> Record:
    """Read the record beside ``film`` and hold it against the film's bytes.

    Raises:
        ProvenanceError: film or record is missing, the record names another file, or the bytes differ.
    """
    file = Path(film)
    record = read_record(record_path(file))
    if record.output.file != file.name:
        raise ProvenanceError(
            f"{file}：记录写的是 {record.output.file}", f"{file}: the record is about {record.output.file}"
        )
    got = sha256_of(file)
    if got != record.output.sha256:
        raise ProvenanceError(
            f"{file}：文件已改变（SHA-256 为 {got}，记录为 {record.output.sha256}）",
            f"{file}: the file has changed (SHA-256 is {got}, the record says {record.output.sha256})",
        )
    return record


def _output(file: Path) -> Output:
    return Output(file=file.name, sha256=sha256_of(file), bytes=file.stat().st_size)


def _whose(folder: Path) -> dict[str, str]:
    return {"learner": os.environ.get("JUPYTERHUB_USER", ""), "lab": folder.name}
