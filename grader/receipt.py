"""Signs receipts and checks them: Ed25519 over the receipt's canonical JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from grader.submission import statement

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from grader.submission import Receipt


def sign(receipt: Receipt, key: Ed25519PrivateKey) -> str:
    """The signature in base64; the same whenever the same receipt is signed."""
    return base64.b64encode(key.sign(statement(receipt))).decode()


def is_ours(receipt: Receipt, signature: str, key: Ed25519PublicKey) -> bool:
    """Whether ``signature`` was made by the holder of ``key`` over exactly this receipt."""
    try:
        key.verify(base64.b64decode(signature, validate=True), statement(receipt))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
