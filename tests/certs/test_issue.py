from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from certs.certificate import Claim, IssuerProfile, State
from certs.credential.controller import controller_document, parse_controller
from certs.issue import SigningError, issue_pending, prepare, refresh_lists, sign
from certs.keys import IssuerKey
from certs.rules import ClaimRefused
from certs.status import LIST_SIZE, read_list
from certs.store import Store, UnknownCertificateError
from certs.verification import Verdict
from certs.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = 1_795_305_600_000_000


def test_signing_the_same_thing_twice_gives_the_same_bytes(
    claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    prepared = prepare(claim, profile, certificate_id="a" * 32, status_index=3, valid_from_us=NOW_US)
    assert sign(prepared, key) == sign(prepared, key)


def test_what_our_verifier_would_refuse_never_leaves(claim: Claim, profile: IssuerProfile, key: IssuerKey) -> None:
    prepared = prepare(claim, profile, certificate_id="a" * 32, status_index=3, valid_from_us=NOW_US)
    unsigned_member = replace(prepared, document={**prepared.document, "somethingUndefined": "not covered"})
    with pytest.raises(SigningError, match="signature"):
        sign(unsigned_member, key)


def test_a_status_index_beyond_the_list_is_refused(claim: Claim, profile: IssuerProfile) -> None:
    with pytest.raises(ClaimRefused, match="status_index"):
        prepare(claim, profile, certificate_id="a" * 32, status_index=LIST_SIZE, valid_from_us=NOW_US)


def test_asking_twice_gives_one_certificate(store: Store, claim: Claim) -> None:
    first = store.request(claim)
    assert store.request(replace(claim, score_percent=99.0)) == first
    assert len(store.pending()) == 1
    assert len(first) == 32
    assert int(first, 16) >= 0


def test_asking_at_the_same_moment_gives_one_certificate(store: Store, claim: Claim) -> None:
    found, together = [], threading.Barrier(8)

    def ask() -> None:
        together.wait()
        found.append(store.request(claim))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(store.for_holder(claim.holder_ref)) == 1


def test_ids_and_indices_tell_nothing_of_order_or_person(store: Store, claim: Claim) -> None:
    asked = [store.request(replace(claim, holder_ref=f"u{number}")) for number in range(20)]
    records = [store.by_id(certificate_id) for certificate_id in asked]
    indices = [record.status_index for record in records]
    assert asked != sorted(asked)
    assert indices != sorted(indices)
    assert len(set(indices)) == 20


def test_a_bad_claim_is_refused_when_asked_and_nothing_is_kept(store: Store, claim: Claim) -> None:
    with pytest.raises(ClaimRefused):
        store.request(replace(claim, holder_name=""))
    assert store.pending() == ()


def test_the_issuer_signs_what_waits_and_publishes_its_keys_and_list(
    issuing: Any, claim: Claim, key: IssuerKey
) -> None:
    asked = issuing.store.request(claim)
    record = issuing.wait_for(lambda: (found := issuing.store.by_id(asked)).state is State.ISSUED and found)
    lists = issuing.wait_for(issuing.store.published_lists)
    profile = issuing.profile
    answer = verify(
        record.document,
        controllers=[parse_controller(controller_document(profile.id, issuing.store.public_keys()))],
        status_lists={profile.status_address(number): listed for number, listed in lists.items()},
        trusted=[profile.id],
        at_us=record.issued_us,
    )
    assert answer.verdict is Verdict.VALID
    assert all(step.outcome == "held" for step in answer.steps)
    assert issuing.store.form(asked, "pdf").startswith(b"%PDF-")
    assert issuing.store.form(asked, "png").startswith(b"\x89PNG")


def test_a_revocation_reaches_the_list(issuing: Any, claim: Claim) -> None:
    asked = issuing.store.request(claim)
    record = issuing.wait_for(lambda: (found := issuing.store.by_id(asked)).state is State.ISSUED and found)
    issuing.store.revoke(asked, "graded by mistake")

    def listed() -> bool:
        document = issuing.store.status_list(record.status_list)
        return document and read_list(json.loads(document)).is_set(record.status_index)

    assert issuing.wait_for(listed)


def test_one_claim_the_issuer_refuses_holds_up_no_other(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    bad_profile = replace(profile, name=replace(profile.name, zh="全国中心"))
    asked = store.request(claim)
    assert issue_pending(store, key, bad_profile) == 0
    refused = store.by_id(asked)
    assert refused.state is State.REFUSED
    assert "全国" in refused.refused_reason
    other = store.request(replace(claim, holder_ref="u2"))
    assert issue_pending(store, key, profile) == 1
    assert store.by_id(other).state is State.ISSUED


def test_signing_twice_records_once(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey) -> None:
    asked = store.request(claim)
    issue_pending(store, key, profile)
    before = store.by_id(asked)
    store.record_signed(asked, b"something else", {"pdf": b"x"})
    assert store.by_id(asked) == before


def test_the_list_is_not_signed_again_for_nothing(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    assert refresh_lists(store, key, profile) == 1
    assert refresh_lists(store, key, profile) == 0


def test_revoking_needs_a_reason_and_an_issued_certificate_and_keeps_the_first_reason(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    asked = store.request(claim)
    with pytest.raises(UnknownCertificateError):
        store.revoke(asked, "too early")
    issue_pending(store, key, profile)
    with pytest.raises(ValueError, match="reason"):
        store.revoke(asked, "  ")
    store.revoke(asked, "first")
    store.revoke(asked, "second")
    assert store.by_id(asked).revoked_reason == "first"


def test_a_new_key_retires_the_old_one_and_both_generations_verify(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey, tmp_path: Path
) -> None:
    store.register_key(key.multibase)
    old = store.request(claim)
    issue_pending(store, key, profile)
    newer = IssuerKey.load_or_create(tmp_path / "newer.pem")
    store.register_key(newer.multibase)
    new = store.request(replace(claim, holder_ref="u2"))
    issue_pending(store, newer, profile)
    controllers = [parse_controller(controller_document(profile.id, store.public_keys()))]
    assert [bool(public.retired_us) for public in store.public_keys()] == [True, False]
    for asked in (old, new):
        record = store.by_id(asked)
        answer = verify(record.document, controllers=controllers, status_lists={}, trusted=(), at_us=record.issued_us)
        assert answer.verdict is Verdict.VALID, answer.steps
