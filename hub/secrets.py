"""The instance's secrets: one file each under ``data_dir/secrets``, mode 0600, made at first use."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Callable
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
            SecretError: others on this machine can read the file, or it holds something else.
        """
        value = self._kept(name, lambda: secrets.token_hex(SECRET_BYTES).encode()).decode().strip()
        if len(value) != 2 * SECRET_BYTES:
            expected = f"expected {2 * SECRET_BYTES}; delete it to make a new one"
            raise SecretError(f"{self.path(name)}: holds {len(value)} characters, {expected}")
        return value

    def signing_key(self, name: str) -> Ed25519PrivateKey:
        """The Ed25519 key in the PEM file ``name``; made on first use.

        Raises:
            SecretError: others on this machine can read the file, or it holds no such key.
        """
        key = load_pem_private_key(self._kept(name, _new_key), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise SecretError(f"{self.path(name)}: holds a {type(key).__name__}, expected an Ed25519 private key")
        return key

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        file = self.path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(file)
        with os.fdopen(descriptor, "wb") as stream:
            value = make()
            stream.write(value)
            stream.flush()
            os.fsync(stream.fileno())
        return value


def _read(file: Path) -> bytes:
    mode = file.stat().st_mode
    if mode & OTHERS:
        raise SecretError(f"{file}: mode is {stat.S_IMODE(mode):04o}, expected 0600; mend it with: chmod 600 {file}")
    return file.read_bytes()


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
