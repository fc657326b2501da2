"""Content credentials (C2PA) in a finished film: who signed it, that AI made it, out of what. Sign last.

Any later rewrite of the file drops them. A lab signs with a certificate of its own making, which no list of trusted
signers holds: readers then see who says so and that nothing changed since, and that nobody vouches for the name.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labs.measure.boxed import in_box
from labs.provenance.record import ProvenanceError
from labs.provenance.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

AI_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
DRAWN = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
"""IPTC's words for what a trained model made, and for what a procedure such as previs drew."""
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
"""A hostile film may name an address for its credentials: nobody goes there."""
DAYS = 366
UNTRUSTED = "signingCredential.untrusted"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A certificate chain and its private key, both PEM."""

    certificates: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a film's credentials say. ``intact``: the signature holds and the film is what was signed."""

    signer: str
    title: str
    source_types: tuple[str, ...]
    intact: bool
    trusted: bool
    failures: tuple[str, ...]


def make_signing_key(name: str, *, now: dt.datetime | None = None) -> SigningKey:
    """A key for one person with a certificate chain of two (C2PA takes no self-signed signer), valid for a year."""
    start = now or dt.datetime.now(dt.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, leaf_name = _name("Reelwright lab signing"), _name(name)
    root = _certificate(root_name, root_name, root_key.public_key(), start, root=True).sign(root_key, hashes.SHA256())
    issued = _certificate(leaf_name, root_name, key.public_key(), start, root=False)
    issued = issued.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
    )
    leaf = issued.sign(root_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return SigningKey(leaf.public_bytes(pem) + root.public_bytes(pem), private)


def sign_film(source: str | Path, target: str | Path, key: SigningKey, *, source_type: str = AI_MADE) -> Credentials:
    """Write ``source`` with content credentials to ``target``, read them back and return them.

    Raises:
        ProvenanceError: the film cannot be signed, or what was written does not read back as signed.
    """
    import c2pa  # type: ignore[import-untyped]  # noqa: PLC0415 - late: loads a large native library

    film, made = Path(source), Path(target)
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, key.certificates, key.key, None)  # no time authority
    written = io.BytesIO()
    try:
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(json.dumps(_manifest(film, source_type))) as builder,
            film.open("rb") as stream,
        ):
            builder.sign(signer, "video/mp4", stream, written)
    except (c2pa.C2paError, OSError) as error:
        raise ProvenanceError(f"{film}：不能写入内容凭证（{error}）", f"{film}: cannot be signed ({error})") from error
    unfinished = made.with_name(f".{made.name}.part")
    unfinished.write_bytes(written.getvalue())
    found = read_credentials(unfinished)
    if found is None or not found.intact:
        unfinished.unlink()
        raise ProvenanceError(f"{film}：签名读不回来", f"{film}: what was signed does not read back")
    unfinished.replace(made)
    return found


@in_box
def read_credentials(path: str | Path) -> Credentials | None:
    """The content credentials in a film; None when it has none. Nothing is fetched from a network.

    Raises:
        ProvenanceError: the file cannot be read.
    """
    import c2pa  # noqa: PLC0415

    try:
        with (
            Path(path).open("rb") as stream,
            c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as offline,
            c2pa.Reader("video/mp4", stream, context=offline) as reader,
        ):
            told: dict[str, Any] = json.loads(reader.json())
    except OSError as error:
        raise ProvenanceError(f"读不到 {path}：{error.strerror}", f"cannot read {path}: {error.strerror}") from error
    except c2pa.C2paError:
        return None
    return _credentials(told)


def _credentials(told: Mapping[str, Any]) -> Credentials:
    manifest = told["manifests"][told["active_manifest"]]
    failures = tuple(one["code"] for one in told.get("validation_status", ()))
    actions = [
        action
        for assertion in manifest.get("assertions", ())
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    return Credentials(
        signer=manifest["signature_info"].get("common_name") or manifest["signature_info"].get("issuer", ""),
        title=manifest.get("title", ""),
        source_types=tuple(action["digitalSourceType"] for action in actions if "digitalSourceType" in action),
        intact=not set(failures) - {UNTRUSTED},
        trusted=UNTRUSTED not in failures,
        failures=failures,
    )


def _manifest(film: Path, source_type: str) -> dict[str, Any]:
    action = {
        "action": "c2pa.created",
        "digitalSourceType": source_type,
        "softwareAgent": {"name": "Reelwright", "version": version("reelwright")},
        "parameters": {"source_sha256": sha256_of(film)},
    }
    return {
        "claim_generator_info": [{"name": "Reelwright", "version": version("reelwright")}],
        "title": film.name,
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
    }


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Reelwright"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, start: dt.datetime, *, root: bool
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=not root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=root,
        crl_sign=root,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - dt.timedelta(minutes=5))
        .not_valid_after(start + dt.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if root:
        return made
    return made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
