"""Files of the box's working folder, read without following links or waiting on anything but regular files."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from pathlib import Path
from typing import Any

_MAX_LISTED = 4096
_MAX_DEPTH = 8
_SKIPPED = ("__pycache__", ".ipynb_checkpoints")


def list_files(folder: str) -> list[list[Any]]:
    """Path, size in bytes and a change mark of each regular file under ``folder``."""
    found: list[list[Any]] = []
    _walk(folder, "", found, 0)
    return found


def _walk(folder: str, prefix: str, found: list[list[Any]], depth: int) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if len(found) >= _MAX_LISTED or entry.name in _SKIPPED:
            continue
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found.append([prefix + entry.name, status.st_size, f"{status.st_mtime_ns}-{status.st_ino}"])
            elif stat.S_ISDIR(status.st_mode) and depth < _MAX_DEPTH:
                _walk(f"{folder}/{entry.name}", f"{prefix}{entry.name}/", found, depth + 1)


def read_file(folder: str, path: str, offset: int, size: int) -> str:
    """Base64 of up to ``size`` bytes at ``offset``.

    Raises:
        OSError: it is no regular file, or a link is in the way.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *parents, name = path.split("/")
        for parent in parents:
            deeper = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{path}: not a regular file")
        return base64.b64encode(os.pread(file, size, offset)).decode()
    finally:
        os.close(file)


def write_file(folder: str, path: str, content: str, *, more: bool) -> None:
    """Make ``path`` under ``folder`` from the bytes of base64 ``content``, or with ``more`` add them to its end."""
    target = Path(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("ab" if more else "wb") as file:
        file.write(base64.b64decode(content))


def remove_file(folder: str, path: str) -> None:
    """Take ``path`` out of ``folder``; nothing happens when it is not there, or no file."""
    with contextlib.suppress(OSError):
        Path(folder, path).unlink()
