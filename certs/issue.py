"""Issues certificates: checks the claim, signs exactly what was checked, and publishes who is revoked.

The only module that uses the private key, and it runs in a process that does nothing else. Preparing and signing are
two calls, and the second cannot be made without the first.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certs.credential import proof
from certs.credential.build import build
from certs.credential.controller import parse_controller
from certs.forms.typeset import PrintError, print_forms
from certs.rules import ClaimRefused, check
from certs.status import LIST_LIFE_US, LIST_SIZE, build_list
from certs.store import now_us
from certs.verification import Outcome, Verdict
from certs.verify import verify

if TYPE_CHECKING:
    import threading

    from certs.certificate import Certificate, Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store

# A list is signed anew long before it ends, so that copies stay usable while the issuer is away for days.
_LIST_AGE_US = LIST_LIFE_US // 14
_LOG = logging.getLogger(__name__)


class SigningError(Exception):
    """The signed certificate did not pass our own verifier, so it was not let out."""


@dataclass(frozen=True)
class Prepared:
    """A checked claim as the exact document to be signed. Made by :func:`prepare` only."""

    certificate_id: str
    issuer: str
    document: dict[str, Any]
    valid_from_us: int


def prepare(
    claim: Claim,
    profile: IssuerProfile,
    *,
    certificate_id: str,
    status_index: int,
    valid_from_us: int,
    status_list: int = 0,
) -> Prepared:
    """Check a claim and lay out what will be signed.

    Raises:
        certs.rules.ClaimRefused: with every reason against the claim.
    """
    check(claim, profile)
    if not 0 <= status_index < LIST_SIZE:
        raise ClaimRefused((f"status_index: got {status_index}, expected 0 to {LIST_SIZE - 1}",))
    document = build(
        claim,
        profile,
        certificate_id=certificate_id,
        status_list=status_list,
        status_index=status_index,
        valid_from_us=valid_from_us,
    )
    return Prepared(certificate_id, profile.id, document, valid_from_us)


def sign(prepared: Prepared, key: IssuerKey) -> bytes:
    """Sign exactly what was prepared, and verify the result strictly before it leaves.

    Raises:
        SigningError: the result does not pass (a member would be unsigned, say).
    """
    document = _signed(prepared.document, key, prepared.issuer, prepared.valid_from_us)
    answer = verify(
        document,
        controllers=[parse_controller(key.controller_document(prepared.issuer))],
        status_lists={},
        trusted=[prepared.issuer],
        at_us=prepared.valid_from_us,
    )
    if answer.verdict is not Verdict.VALID:
        reasons = [f"{step.name}: {step.detail}" for step in answer.steps if step.outcome is Outcome.FAILED]
        raise SigningError(f"{prepared.certificate_id}: {'; '.join(reasons)}")
    return document


def run_issuer(
    store: Store, key: IssuerKey, profile: IssuerProfile, *, poll_seconds: float, stop: threading.Event
) -> None:
    """The issuer process: sign what is requested, keep the status lists current, until ``stop`` is set."""
    store.register_key(key.multibase)
    while not stop.is_set():
        issue_pending(store, key, profile)
        refresh_lists(store, key, profile)
        stop.wait(poll_seconds)


def issue_pending(store: Store, key: IssuerKey, profile: IssuerProfile) -> int:
    """Sign everything that waits, oldest first; how many were issued. One bad claim holds up no other."""
    issued = 0
    for certificate, claim in store.pending():
        try:
            document, forms = _issue(certificate, claim, key, profile)
        except (ClaimRefused, SigningError, PrintError) as error:
            _LOG.warning("certificate %s refused: %s", certificate.id, error)
            store.record_refused(certificate.id, str(error))
            continue
        store.record_signed(certificate.id, document, forms)
        issued += 1
    return issued


def refresh_lists(store: Store, key: IssuerKey, profile: IssuerProfile) -> int:
    """Sign every status list that is missing, ageing, or behind the revocations; how many were."""
    signed = 0
    for number in store.list_numbers():
        revoked, last = store.revoked_indices(number), store.list_age(number)
        if last is not None and last[1] == len(revoked) and now_us() - last[0] < _LIST_AGE_US:
            continue
        at_us = now_us()
        unsigned = build_list(profile.id, profile.status_address(number), revoked, signed_us=at_us)
        document = _signed(unsigned, key, profile.id, at_us)
        store.publish_list(number, document, signed_us=at_us, set_count=len(revoked))
        signed += 1
    return signed


def _issue(
    certificate: Certificate, claim: Claim, key: IssuerKey, profile: IssuerProfile
) -> tuple[bytes, dict[str, bytes]]:
    prepared = prepare(
        claim,
        profile,
        certificate_id=certificate.id,
        status_list=certificate.status_list,
        status_index=certificate.status_index,
        valid_from_us=now_us(),
    )
    document = sign(prepared, key)
    return document, print_forms(document)


def _signed(document: dict[str, Any], key: IssuerKey, issuer: str, at_us: int) -> bytes:
    try:
        signed = proof.add(document, key.private_pem(), key.method(issuer), at_us)
    except proof.ProofError as error:
        raise SigningError(str(error)) from error
    return json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()
