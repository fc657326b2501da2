"""Data Integrity proofs, cryptosuite ``eddsa-rdfc-2022`` (W3C vc-di-eddsa): made and checked.

openbadgeslib does the canonicalisation, under its guard: pyld by itself has no limit on work. Documents of our own
shape take a direct way to the same bytes (:mod:`certs.credential.quads`). What both leave open is closed by the
callers: the strict parse before, and the key's purpose and lifetime (:mod:`certs.verify`).
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from openbadgeslib.errors import LibOpenBadgesException
from openbadgeslib.ob3 import ldp
from openbadgeslib.ob3.contexts import document_loader

from certs.credential.quads import signed_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

CRYPTOSUITE = "eddsa-rdfc-2022"
_MEMBERS = frozenset(
    {"type", "cryptosuite", "created", "expires", "verificationMethod", "proofPurpose", "proofValue", "id"}
)


class ProofError(Exception):
    """The proof does not hold, or cannot be made; the message says why."""


def add(
    document: dict[str, Any],
    private_pem: bytes,
    method: str,
    created_us: int,
    *,
    extra_contexts: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """``document`` with a proof by the key, named ``method``; the same input gives the same output.

    Raises:
        ProofError: the document cannot be signed whole.
    """
    created = datetime.fromtimestamp(created_us // 1_000_000, UTC)
    try:
        signed: dict[str, Any] = ldp.add_data_integrity_proof(
            document, private_pem, method, created=created, extra_contexts=extra_contexts
        )
    except LibOpenBadgesException as error:
        raise ProofError(str(error)) from error
    return signed


def check_shape(proof: dict[str, Any]) -> None:
    """Require the one kind of proof that is understood, with nothing in it that is not.

    Raises:
        ProofError: it is of another type, suite or purpose, or carries members the check would not read.
    """
    expected = {"type": "DataIntegrityProof", "cryptosuite": CRYPTOSUITE, "proofPurpose": "assertionMethod"}
    for name, value in expected.items():
        if proof.get(name) != value:
            raise ProofError(f"proof.{name}: got {str(proof.get(name))[:80]!r}, expected {value!r}")
    if unknown := sorted(set(proof) - _MEMBERS):
        raise ProofError(f"proof: got the members {unknown[:5]}, expected only {sorted(_MEMBERS)}")
    for name in ("verificationMethod", "proofValue", "created"):
        if not isinstance(proof.get(name), str):
            raise ProofError(f"proof.{name}: got {str(proof.get(name))[:80]!r}, expected a string")


def check_signature(
    document: dict[str, Any], pem: bytes, *, extra_contexts: Mapping[str, dict[str, Any]] | None = None
) -> None:
    """Require that the key signed every member of ``document`` as it is spelled.

    Raises:
        ProofError: the signature does not match, or a member is not covered by it.
    """
    digest = None if extra_contexts else signed_hash(document)
    if digest is not None:
        _check_digest(digest, document["proof"], pem)
        return
    loader = document_loader(extra_contexts)
    try:
        if not extra_contexts:
            # Counted before it is processed: what JSON-LD costs grows with typed nodes far more than with bytes.
            ldp._screen_structure(document, contexts=False)  # noqa: SLF001 - as below
            # The library's context check (VC Data Integrity 2.4.1) is public only inside a verifier that also reads
            # the clock and wants an OpenBadgeCredential; status lists are none. openbadgeslib is pinned exactly.
            ldp._check_json_ld_form(document, document["proof"], loader)  # noqa: SLF001
        ldp.verify_data_integrity_proof(document, pem, extra_contexts=extra_contexts)
    except LibOpenBadgesException as error:
        raise ProofError(str(error)[:300]) from error


def _check_digest(digest: bytes, proof: dict[str, Any], pem: bytes) -> None:
    try:
        _public_key(pem).verify(ldp._decode_proof_value(proof["proofValue"]), digest)  # noqa: SLF001 - pinned, as above
    except InvalidSignature:
        raise ProofError("got a signature that does not match, expected the key's own over every member") from None
    except (LibOpenBadgesException, ValueError, TypeError) as error:
        raise ProofError(str(error)[:300]) from error


@functools.lru_cache(maxsize=256)
def _public_key(pem: bytes) -> Ed25519PublicKey:
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"got a {type(key).__name__}, expected an Ed25519 key")
    return key
