"""The log of what a given-up key had signed before it was given up: a statement by the key that came after it.

Whoever has a stolen key can date a proof as they like, so the date in it proves nothing. The issuer's record made at
issue does, and it is published as a list of digests of proofs, signed (a compact JWS, RFC 7515, EdDSA) with a key that
is still good. A digest of a signature tells nothing of the certificate under it, and no other certificate has it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from certs.credential.document import DocumentRefusedError, load
from certs.rules import SHA256
from certs.wording import microseconds, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certs.credential.controller import Controller

MAX_LOG_BYTES = 16 * 1024 * 1024
"""Some 180,000 certificates; each takes a digest of 64 digits, in base64."""
TYPE = "reelwright-issue-log+jwt"
_JWS = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class WitnessError(Exception):
    """A log cannot be used; the message says what was got and what was expected."""


@dataclass(frozen=True)
class IssueLog:
    """Which proofs a key (the id of its method) had made before ``before_us``, as their digests."""

    issuer: str
    method: str
    before_us: int
    signed_us: int
    proofs: frozenset[str]


def proof_digest(proof_value: str) -> str:
    """The digest under which a log lists a proof."""
    return hashlib.sha256(proof_value.encode()).hexdigest()


def sign_log(log: IssueLog, private_pem: bytes, method: str) -> bytes:
    """``log`` as a compact JWS by the key named ``method``; whole seconds."""
    key = load_pem_private_key(private_pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"got a {type(key).__name__}, expected an Ed25519 key")
    header = {"alg": "EdDSA", "typ": TYPE, "kid": method}
    payload = {
        "iss": log.issuer,
        "key": log.method,
        "before": timestamp(log.before_us),
        "signed": timestamp(log.signed_us),
        "proofs": sorted(log.proofs),
    }
    signed = b".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    return signed + b"." + _encode(key.sign(signed))


@functools.lru_cache(maxsize=8)
def read_log(data: bytes, controller: Controller) -> IssueLog:
    """A log whose signature holds, by a key of ``controller`` that may sign and was never given up.

    Raises:
        WitnessError: it is anything else.
    """
    if len(data) > MAX_LOG_BYTES or not _JWS.fullmatch(data.strip()):
        raise WitnessError(f"got {len(data)} bytes, expected a compact JWS of at most {MAX_LOG_BYTES}")
    signed, _, signature = data.strip().rpartition(b".")
    try:
        header, payload = (load(_decode(part), limit=MAX_LOG_BYTES) for part in signed.split(b"."))
        _check_signature(header, signed, _decode(signature), controller)
        return _read(payload, controller)
    except (DocumentRefusedError, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise WitnessError(f"got a log that cannot be read ({str(error)[:200]}), expected digests of proofs") from None


def witnessed(proof: dict[str, Any], before_us: int, logs: Sequence[bytes], controller: Controller) -> bool | None:
    """Whether the issuer's record says that the proof was made by its key before ``before_us``.

    True when a log lists it, False when the log for that very moment does not, None when there is no such log.
    """
    answer = None
    for data in logs:
        try:
            log = read_log(data, controller)
        except WitnessError:
            continue
        if log.method != proof["verificationMethod"] or log.before_us > before_us:
            continue
        if proof_digest(proof["proofValue"]) in log.proofs:
            return True
        if log.before_us == before_us:
            answer = False
    return answer


def _check_signature(header: dict[str, Any], signed: bytes, signature: bytes, controller: Controller) -> None:
    if header.get("alg") != "EdDSA" or header.get("typ") != TYPE or set(header) != {"alg", "typ", "kid"}:
        raise WitnessError(f"got the header {str(header)[:200]}, expected EdDSA and {TYPE}")
    method = next((method for method in controller.methods if method.id == header["kid"]), None)
    if method is None or method.id not in controller.asserting or method.bad_from_us is not None:
        raise WitnessError(f"got the key {str(header['kid'])[:200]!r}, expected one of the issuer's that is still good")
    key = load_pem_public_key(method.pem)
    try:
        if not isinstance(key, Ed25519PublicKey):
            raise WitnessError("got a key of another kind, expected Ed25519")
        key.verify(signature, signed)
    except InvalidSignature:
        raise WitnessError("got a signature that does not match, expected the issuer's own") from None


def _read(payload: dict[str, Any], controller: Controller) -> IssueLog:
    if payload["iss"] != controller.id:
        raise WitnessError(f"got a log of {str(payload['iss'])[:200]!r}, expected {controller.id!r}")
    proofs = payload["proofs"]
    if not isinstance(proofs, list) or not all(isinstance(one, str) and SHA256.fullmatch(one) for one in proofs):
        raise WitnessError("got other proofs than SHA-256 digests, expected 64 digits each")
    return IssueLog(
        issuer=controller.id,
        method=str(payload["key"]),
        before_us=microseconds(str(payload["before"])),
        signed_us=microseconds(str(payload["signed"])),
        proofs=frozenset(proofs),
    )


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
