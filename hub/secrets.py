"""The instance's secrets: one file each under ``data_dir/secrets``, mode 0600, made at first use."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECRET_BYTES = 32
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretError(Exception):
    """A secret file cannot be trusted; the message says which and how to mend it."""


class Secrets:
    """The folder of secrets; every process reads only the ones it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the secret ``name`` lies, whether or not it has been made."""
        return self.folder / name

    def text(self, name: str) -> str:
        """The secret ``name`` as hex text; made on first use.

        Raises:
            SecretError: others on this machine can read the file.
        """
        file = self.path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self._read(file)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            value = secrets.token_hex(SECRET_BYTES)
            stream.write(value)
            stream.flush()
            os.fsync(stream.fileno())
        return value

    def _read(self, file: Path) -> str:
        mode = file.stat().st_mode
        if mode & OTHERS:
            raise SecretError(
                f"{file}: mode is {stat.S_IMODE(mode):04o}, expected 0600; mend it with: chmod 600 {file}"
            )
        value = file.read_text(encoding="ascii").strip()
        if len(value) != 2 * SECRET_BYTES:
            raise SecretError(
                f"{file}: holds {len(value)} characters, expected {2 * SECRET_BYTES}; delete it to make a new one"
            )
        return value
