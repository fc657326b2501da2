"""The issuer's Ed25519 key: one file, readable by its owner alone, made at first start.

Only the issuer process opens it. Everyone else needs the public controller document, which the store can give.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from openbadgeslib.ob3.did import did_key_from_pem

from certs.credential.controller import PublicKey, controller_document, method_id

if TYPE_CHECKING:
    from pathlib import Path

_OWNER_ONLY = 0o600
_MAX_KEY_BYTES = 10_000


class KeyFileError(Exception):
    """The key file cannot be used; the message names it, what was got and what was expected."""


class IssuerKey:
    """A private signing key. Its text form shows the public half only."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def load_or_create(cls, path: Path) -> IssuerKey:
        """The key in ``path``; made there first when there is none.

        Raises:
            KeyFileError: the file is a link, open to others, somebody else's, or holds no Ed25519 key.
        """
        try:
            return cls._load(path)
        except FileNotFoundError:
            _create(path)
            return cls._load(path)

    @classmethod
    def _load(cls, path: Path) -> IssuerKey:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; expected a plain file of its owner, mode 0600") from error
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            mode = stat.S_IMODE(facts.st_mode)
            if not stat.S_ISREG(facts.st_mode) or mode & ~_OWNER_ONLY or facts.st_uid != os.geteuid():
                raise KeyFileError(
                    f"{path}: got mode {mode:04o} of user {facts.st_uid}, expected 0600 of {os.geteuid()}"
                )
            pem = file.read(_MAX_KEY_BYTES)
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(f"{path}: {error}; expected an Ed25519 private key in PEM") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path}: got a {type(key).__name__}, expected an Ed25519 private key in PEM")
        return cls(key)

    @classmethod
    def rotate(cls, path: Path) -> IssuerKey:
        """A new key in place of the one in ``path``, whose private half is gone from then on.

        The issuer process signs with the new one from its next round on; what the old one signed still verifies.

        Raises:
            KeyFileError: there is no key in ``path`` to be replaced, or the file cannot be used.
        """
        try:
            cls._load(path)
        except FileNotFoundError:
            raise KeyFileError(f"{path}: got no key, expected the one to be replaced") from None
        beside = _write_beside(path)
        beside.replace(path)
        return cls._load(path)

    @property
    def multibase(self) -> str:
        """The public half as a Multikey string (``z6Mk...``)."""
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return str(did_key_from_pem(pem)).removeprefix("did:key:")

    def method(self, issuer: str) -> str:
        """The id of this key in the controller document of ``issuer``."""
        return method_id(issuer, self.multibase)

    def controller_document(self, issuer: str) -> bytes:
        """A controller document of ``issuer`` with this key alone; the public one lists earlier keys too."""
        return controller_document(issuer, [PublicKey(self.multibase)])

    def private_pem(self) -> bytes:
        """The private key for the signing library; never written or shown anywhere else."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"IssuerKey({self.multibase})"


def _write_beside(path: Path) -> Path:
    """A file beside ``path`` with a new key, whole on the disk."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(IssuerKey(Ed25519PrivateKey.generate()).private_pem())
        file.flush()
        os.fsync(file.fileno())
    return beside


def _create(path: Path) -> None:
    """Write a new key beside ``path`` and link it there: two first starts at once end with one whole key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = _write_beside(path)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass  # the other start was first; its key is the key
    finally:
        beside.unlink()
