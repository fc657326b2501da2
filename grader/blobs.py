"""Keeps bytes by their SHA-256 on disk: written once, fsynced before anyone is told, never overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFullError(Exception):
    """There is no room left to keep what was handed in; nothing was recorded."""


class BlobMissingError(Exception):
    """The bytes of a recorded digest are gone or no longer match it; the message names the digest."""


class Blobs:
    """A folder of byte strings, each in a file named by its own digest."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, content: bytes) -> str:
        """Keep ``content`` durably and return its digest.

        Raises:
            DiskFullError: the disk or the quota is full.
        """
        digest = hashlib.sha256(content).hexdigest()
        target = self._path(digest)
        if target.is_file():
            return digest
        try:
            self._write(target, content)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFullError(str(error)) from error
            raise
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes kept under ``digest``.

        Raises:
            BlobMissingError: they are not there, or the disk changed them.
        """
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissingError(f"no bytes are kept under {digest}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise BlobMissingError(f"the bytes kept under {digest} no longer have that digest")
        return content

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest

    def _write(self, target: Path, content: bytes) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        # A rename is durable only when the folders that hold the names are; a crash must not lose a receipted file.
        for folder in (target.parent, self._root):
            _fsync_folder(folder)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
