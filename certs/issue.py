"""Issues certificates: checks the claim, signs exactly what was checked, and publishes who is revoked.

The only module that uses the private key, and it runs in a process that does nothing else. Preparing and signing are
two calls, and the second cannot be made without the first.
"""

from __future__ import annotations

import functools
import json
import logging
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certs.certificate import ProgrammeClaim
from certs.credential import programme, proof
from certs.credential.build import build
from certs.credential.controller import PublicKey, controller_document, method_id, parse_controller
from certs.credential.witness import IssueLog, sign_log
from certs.forms.typeset import PrintError, print_forms
from certs.rules import ClaimRefused, check
from certs.status import LIST_LIFE_US, LIST_SIZE, build_list
from certs.store import now_us
from certs.verification import Outcome, Verdict
from certs.verify import verify

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from certs.certificate import Certificate, Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store

# A list is signed anew long before it ends, so that copies stay usable while the issuer is away for days.
_LIST_AGE_US = LIST_LIFE_US // 14
# So many at once are worth starting processes for.
_COHORT = 20
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


def prepare_programme(
    claim: ProgrammeClaim,
    profile: IssuerProfile,
    members: Sequence[bytes],
    *,
    certificate_id: str,
    status_index: int,
    valid_from_us: int,
    status_list: int = 0,
) -> Prepared:
    """Check a claim over signed course certificates and lay out what will be signed.

    Raises:
        certs.rules.ClaimRefused: with every reason against the claim.
    """
    check(claim, profile)
    document = programme.build(
        claim,
        profile,
        [json.loads(member) for member in members],
        certificate_id=certificate_id,
        status_list=status_list,
        status_index=status_index,
        valid_from_us=valid_from_us,
    )
    return Prepared(certificate_id, profile.id, document, valid_from_us)


def sign(prepared: Prepared, key: IssuerKey, *, keys: Sequence[PublicKey] = (), logs: Sequence[bytes] = ()) -> bytes:
    """Sign exactly what was prepared, and verify the result strictly before it leaves.

    ``keys`` and ``logs`` are those that course certificates inside were signed with.

    Raises:
        SigningError: the result does not pass (a member would be unsigned, say).
    """
    document = _signed(prepared.document, key, prepared.issuer, prepared.valid_from_us)
    answer = verify(
        document,
        controllers=[parse_controller(controller_document(prepared.issuer, keys or [PublicKey(key.multibase)]))],
        status_lists={},
        trusted=[prepared.issuer],
        at_us=prepared.valid_from_us,
        logs=logs,
    )
    if answer.verdict is not Verdict.VALID:
        reasons = [f"{step.name}: {step.detail}" for step in answer.steps if step.outcome is Outcome.FAILED]
        raise SigningError(f"{prepared.certificate_id}: {'; '.join(reasons)}")
    return document


def run_issuer(
    store: Store,
    key: IssuerKey,
    profile: IssuerProfile,
    *,
    poll_seconds: float,
    stop: threading.Event,
    reload: Callable[[], IssuerKey] | None = None,
) -> None:
    """The issuer process: sign what is requested, keep lists and logs current, until ``stop`` is set.

    ``reload`` gives the key as it is now, so that a rotated key signs from the next round on. Nothing is signed with a
    key that was given up; what is asked for waits for the next one.
    """
    with _printers() as printers:
        while not stop.is_set():
            key = reload() if reload is not None else key
            if _may_sign(store, key):
                issue_pending(store, key, profile, printers=printers)
                refresh_lists(store, key, profile)
                refresh_logs(store, key, profile)
            stop.wait(poll_seconds)


def issue_pending(
    store: Store, key: IssuerKey, profile: IssuerProfile, *, printers: Callable[[], Executor] | None = None
) -> int:
    """Sign everything that waits, oldest first; how many were issued. One bad claim holds up no other.

    A cohort is printed by ``printers``, processes beside this one that never see the key.
    """
    waiting = store.pending()
    signed = [(certificate.id, _try_sign(store, certificate, claim, key, profile)) for certificate, claim in waiting]
    ready = [(certificate_id, document) for certificate_id, document in signed if document is not None]
    if printers is None or len(ready) < _COHORT:
        return sum(_finish(store, one, document, functools.partial(print_forms, document)) for one, document in ready)
    pool = printers()
    printing = [(one, document, pool.submit(print_forms, document)) for one, document in ready]
    return sum(_finish(store, one, document, printed.result) for one, document, printed in printing)


def refresh_logs(store: Store, key: IssuerKey, profile: IssuerProfile) -> int:
    """Sign the log of every key that was given up, where it is missing or no longer vouched for; how many were."""
    keys = store.public_keys()
    good = {public.multibase for public in keys if public.bad_from_us is None}
    signed = 0
    for public in keys:
        if public.bad_from_us is None:
            continue
        state = store.log_state(public.multibase)
        if state is not None and state[0] == public.bad_from_us and state[1] in good:
            continue
        log = IssueLog(
            issuer=profile.id,
            method=method_id(profile.id, public.multibase),
            before_us=public.bad_from_us,
            signed_us=now_us(),
            proofs=frozenset(store.signed_before(public.multibase, public.bad_from_us)),
        )
        document = sign_log(log, key.private_pem(), key.method(profile.id))
        store.publish_log(public.multibase, document, bad_from_us=public.bad_from_us, signed_with=key.multibase)
        signed += 1
    return signed


def refresh_lists(store: Store, key: IssuerKey, profile: IssuerProfile) -> int:
    """Sign every status list that is missing, ageing, another key's, or behind the revocations; how many were."""
    signed = 0
    for number in store.list_numbers():
        revoked, last = store.revoked_indices(number), store.list_age(number)
        is_current = last is not None and last[1] == len(revoked) and now_us() - last[0] < _LIST_AGE_US
        if is_current and f"#{key.multibase}".encode() in (store.status_list(number) or b""):
            continue
        at_us = now_us()
        unsigned = build_list(profile.id, profile.status_address(number), revoked, signed_us=at_us)
        document = _signed(unsigned, key, profile.id, at_us)
        store.publish_list(number, document, signed_us=at_us, set_count=len(revoked))
        signed += 1
    return signed


@contextmanager
def _printers() -> Iterator[Callable[[], Executor]]:
    """Processes that print, started when they are first needed; spawned, so that the key is not in their memory."""
    started: list[ProcessPoolExecutor] = []

    def start() -> Executor:
        if not started:
            context = multiprocessing.get_context("spawn")
            started.append(ProcessPoolExecutor(max_workers=min(4, os.cpu_count() or 1), mp_context=context))
        return started[0]

    try:
        yield start
    finally:
        for pool in started:
            pool.shutdown(cancel_futures=True)


def _may_sign(store: Store, key: IssuerKey) -> bool:
    try:
        store.register_key(key.multibase)
    except ValueError as error:
        _LOG.error("nothing is signed: %s", error)
        return False
    return True


def _try_sign(
    store: Store, certificate: Certificate, claim: Claim | ProgrammeClaim, key: IssuerKey, profile: IssuerProfile
) -> bytes | None:
    try:
        place: dict[str, Any] = {
            "certificate_id": certificate.id,
            "status_list": certificate.status_list,
            "status_index": certificate.status_index,
            "valid_from_us": now_us(),
        }
        if isinstance(claim, ProgrammeClaim):
            whole = prepare_programme(claim, profile, _members(store, claim), **place)
            return sign(whole, key, keys=store.public_keys(), logs=store.issue_logs())
        return sign(prepare(claim, profile, **place), key)
    except (ClaimRefused, SigningError) as error:
        _refuse(store, certificate.id, error)
        return None


def _members(store: Store, claim: ProgrammeClaim) -> list[bytes]:
    """The signed course certificates of a programme, all of them in force."""
    found = [store.by_id(member) for member in claim.members]
    if bad := [
        member
        for member, one in zip(claim.members, found, strict=True)
        if one is None or one.document is None or one.revoked_us is not None or one.superseded_us is not None
    ]:
        raise ClaimRefused((f"members: got {bad[0]}, expected issued certificates that are in force",))
    return [one.document for one in found if one is not None and one.document is not None]


def _finish(store: Store, certificate_id: str, document: bytes, printed: Callable[[], dict[str, bytes]]) -> bool:
    try:
        forms = printed()
    except PrintError as error:
        _refuse(store, certificate_id, error)
        return False
    store.record_signed(certificate_id, document, forms)
    return True


def _refuse(store: Store, certificate_id: str, error: Exception) -> None:
    _LOG.warning("certificate %s refused: %s", certificate_id, error)
    store.record_refused(certificate_id, str(error))


def _signed(document: dict[str, Any], key: IssuerKey, issuer: str, at_us: int) -> bytes:
    try:
        extra = programme.contexts() if programme.is_programme(document) else None
        signed = proof.add(document, key.private_pem(), key.method(issuer), at_us, extra_contexts=extra)
    except proof.ProofError as error:
        raise SigningError(str(error)) from error
    return json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()
