"""Controlled identifier documents: which public keys speak for an issuer, and until when."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openbadgeslib.ob3.did import resolve_verification_method
from openbadgeslib.ob3.verifier import OB3VerificationError

from certs.credential.document import DocumentRefusedError, load
from certs.wording import microseconds, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CONTROLLER_BYTES = 64 * 1024
CONTEXTS = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")
"""The terms of a controller document that verifiers in use bring along, so that they need not fetch any."""


@dataclass(frozen=True)
class PublicKey:
    """A public key of an issuer. ``retired_us``: signs nothing after; ``bad_from_us``: compromised from then on."""

    multibase: str
    retired_us: int | None = None
    bad_from_us: int | None = None


@dataclass(frozen=True)
class Method:
    """A verification method: its id, its key (PEM), and from when proofs made with it do not count.

    ``ends_us``: it was replaced; ``bad_from_us``: it was compromised, so that the date in a proof proves nothing.
    """

    id: str
    controller: str
    pem: bytes
    ends_us: int | None
    bad_from_us: int | None = None


@dataclass(frozen=True)
class Controller:
    """The keys of one issuer, and which of them may assert (sign credentials)."""

    id: str
    methods: tuple[Method, ...]
    asserting: frozenset[str]


def method_id(issuer: str, multibase: str) -> str:
    """The id of a key in the controller document of ``issuer``."""
    return f"{issuer}#{multibase}"


def controller_document(issuer: str, keys: Iterable[PublicKey]) -> bytes:
    """The controller document of ``issuer`` as JSON bytes, to be served at that address."""
    methods = [_method_entry(issuer, key) for key in keys]
    document = {
        "@context": list(CONTEXTS),
        "id": issuer,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }
    return json.dumps(document, indent=2).encode()


def parse_controller(data: bytes) -> Controller:
    """Read a controller or DID document; keys of kinds we cannot use are left out.

    Raises:
        DocumentRefusedError: it is no such document, or a key in it belongs to somebody else or is malformed.
    """
    document = load(data, limit=MAX_CONTROLLER_BYTES)
    issuer = document.get("id")
    if not isinstance(issuer, str) or not issuer:
        raise DocumentRefusedError(f"id: got {issuer!r}, expected the issuer's address")
    if not {"verificationMethod", "assertionMethod"} & set(document):
        raise DocumentRefusedError("got a document without verificationMethod, expected a controller or DID document")
    listed = _as_list(document.get("verificationMethod"))
    asserting, embedded = set(), []
    for entry in _as_list(document.get("assertionMethod")):
        asserting.add(_absolute(issuer, entry.get("id") if isinstance(entry, dict) else entry))
        embedded += [entry] if isinstance(entry, dict) else []
    methods = tuple(method for entry in [*listed, *embedded] if (method := _parse_method(issuer, entry)) is not None)
    if len({method.id for method in methods}) != len(methods):
        raise DocumentRefusedError("verificationMethod: got the same id twice, expected each once")
    return Controller(id=issuer, methods=methods, asserting=frozenset(asserting))


def did_key_controller(did: str) -> Controller | None:
    """The controller a ``did:key`` identifier stands for by itself, or None for any other identifier."""
    multibase = did.removeprefix("did:key:")
    if multibase == did:
        return None
    name = f"{did}#{multibase}"
    try:
        pem = _pem_of_multibase(multibase)
    except DocumentRefusedError:
        return None
    return Controller(id=did, methods=(Method(name, did, pem, None),), asserting=frozenset({name}))


def _method_entry(issuer: str, key: PublicKey) -> dict[str, str]:
    entry = {
        "id": method_id(issuer, key.multibase),
        "type": "Multikey",
        "controller": issuer,
        "publicKeyMultibase": key.multibase,
    }
    if key.retired_us is not None:
        # Rounded up: proofs are dated to the second, and those of the last one were made before.
        entry["expires"] = timestamp(key.retired_us + 999_999)
    if key.bad_from_us is not None:
        entry["revoked"] = timestamp(key.bad_from_us)
    return entry


def _parse_method(issuer: str, entry: Any) -> Method | None:
    if isinstance(entry, str):
        return None
    if not isinstance(entry, dict) or entry.get("controller") != issuer:
        raise DocumentRefusedError(f"verificationMethod: got one not controlled by {issuer!r}, expected only its own")
    pem = _pem(entry)
    if pem is None:
        return None
    try:
        ends, bad = (microseconds(str(entry[name])) if name in entry else None for name in ("expires", "revoked"))
    except ValueError as error:
        raise DocumentRefusedError(f"verificationMethod: {error}") from None
    return Method(_absolute(issuer, entry.get("id")), issuer, pem, ends, bad)


def _pem(entry: dict[str, Any]) -> bytes | None:
    if entry.get("type") in {"Multikey", "Ed25519VerificationKey2020"}:
        return _pem_of_multibase(entry.get("publicKeyMultibase"))
    jwk = entry.get("publicKeyJwk")
    if isinstance(jwk, dict) and jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
        return _pem_of_jwk(jwk)
    return None


def _pem_of_multibase(multibase: Any) -> bytes:
    # A did:key is the same bytes under another name; the library decodes both curves' prefixes strictly.
    try:
        return bytes(resolve_verification_method(f"did:key:{multibase}#{multibase}"))
    except (OB3VerificationError, ValueError) as error:
        raise DocumentRefusedError(f"publicKeyMultibase: got {str(multibase)[:80]!r}: {str(error)[:120]}") from None


def _pem_of_jwk(jwk: dict[str, Any]) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(str(jwk.get("x")) + "==")
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, binascii.Error) as error:
        raise DocumentRefusedError(f"publicKeyJwk: got no Ed25519 key: {error}") from None
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _absolute(issuer: str, name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise DocumentRefusedError(f"verificationMethod: got the id {name!r}, expected an address")
    return issuer + name if name.startswith("#") else name


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
