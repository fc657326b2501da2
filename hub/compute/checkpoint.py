"""Daily signed statements of where the chain ends: with a copy kept elsewhere, nothing before it can change unseen.

The key file is PEM: a private Ed25519 key (mode 0600, made on first use) signs and checks; a public one only checks.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.compute.chain import canonical
from hub.compute.lease import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

_PURPOSE = "reelwright compute ledger checkpoint 1"


class CheckpointError(LedgerError):
    """A checkpoint or its key cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How many entries there were and the digest of the last, signed; ``key_id`` is SHA-256 of the raw public key."""

    day: str
    entries: int
    digest: str
    signed_us: int
    key_id: str
    signature: str

    def message(self) -> bytes:
        """The signed bytes."""
        said = {**self.as_row(), "purpose": _PURPOSE}
        del said["signature"]
        return canonical(said).encode("utf-8", "surrogateescape")

    def as_row(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)

    def signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether ``key`` made the signature."""
        try:
            key.verify(bytes.fromhex(self.signature), self.message())
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


def sign(key: Ed25519PrivateKey, day: str, entries: int, digest: str, signed_us: int) -> Checkpoint:
    """State where the chain ends."""
    unsigned = Checkpoint(
        day=day, entries=entries, digest=digest, signed_us=signed_us, key_id=key_id(key.public_key()), signature=""
    )
    return Checkpoint(**{**unsigned.as_row(), "signature": key.sign(unsigned.message()).hex()})


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, in hexadecimal."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def public_pem(key: Ed25519PublicKey) -> str:
    """The public key as PEM, for whoever checks checkpoints elsewhere."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def make_key(file: Path) -> Ed25519PrivateKey:
    """A new signing key in a new file that only its owner can read.

    Raises:
        FileExistsError: there is a file already; a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(pem)
    return key


def signing_key(file: Path) -> Ed25519PrivateKey:
    """The private key in ``file``.

    Raises:
        CheckpointError: it holds none.
    """
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{file}: got no readable private key, expected Ed25519 in PEM ({error})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CheckpointError(f"{file}: got a {type(key).__name__}, expected an Ed25519 private key")
    return key


def checking_key(file: Path) -> Ed25519PublicKey:
    """The public key in ``file``, or of the private key in it.

    Raises:
        CheckpointError: it holds neither.
    """
    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except (OSError, ValueError):
        return signing_key(file).public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise CheckpointError(f"{file}: got a {type(key).__name__}, expected an Ed25519 key")
    return key


def parse_checkpoints(lines: str) -> tuple[Checkpoint, ...]:
    """Checkpoints kept elsewhere, one JSON object a line.

    Raises:
        CheckpointError: a line is not a checkpoint.
    """
    found = []
    for number, line in enumerate(lines.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            made = Checkpoint(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"line {number}: got {line[:60]!r}, expected a checkpoint as JSON") from error
        if type(made.entries) is not int or not isinstance(made.digest, str):
            raise CheckpointError(f"line {number}: got {line[:60]!r}, expected a whole number of entries and a digest")
        found.append(made)
    return tuple(found)
