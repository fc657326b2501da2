"""What the store does for issuers and holders: cohorts, new editions, pauses, shares, export, erasure."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from certs.app import create_app
from certs.certificate import Certificate, Level, State
from certs.credential.identity import commit
from certs.credential.opened import open_credential
from certs.issue import issue_pending, refresh_lists, run_issuer
from certs.rules import ClaimRefused
from certs.status import read_list
from certs.store import Progress, UnknownCertificateError

if TYPE_CHECKING:
    from certs.certificate import Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store


@pytest.fixture
def issued(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey) -> str:
    store.register_key(key.multibase)
    asked = store.request(claim)
    issue_pending(store, key, profile)
    return asked


def found(store: Store, certificate_id: str) -> Certificate:
    certificate = store.by_id(certificate_id)
    assert certificate is not None
    return certificate


def test_a_new_edition_takes_the_place_of_the_old_when_it_is_signed_and_not_before(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey, issued: str
) -> None:
    corrected = replace(claim, holder_name="陈晓宇")
    newer = store.reissue(issued, corrected)
    assert found(store, issued).superseded_us is None
    assert store.reissue(issued, corrected) == newer
    issue_pending(store, key, profile)
    old, new = found(store, issued), found(store, newer)
    assert (old.superseded_by, old.edition, new.edition, new.state) == (newer, 1, 2, State.ISSUED)
    assert "陈晓宇" in (new.document or b"").decode()
    assert store.request(claim) == newer
    assert [certificate.id for certificate in store.for_holder(claim.holder_ref)] == [issued, newer]
    refresh_lists(store, key, profile)
    listed = read_list(json.loads(store.status_list(0) or b""))
    assert listed.is_set(old.status_index)
    assert not listed.is_set(new.status_index)


def test_only_the_newest_edition_of_the_same_holder_is_re_issued(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey, issued: str
) -> None:
    with pytest.raises(ValueError, match="same holder"):
        store.reissue(issued, replace(claim, holder_ref="somebody else"))
    with pytest.raises(UnknownCertificateError):
        store.reissue("0" * 32, claim)
    with pytest.raises(ClaimRefused):
        store.reissue(issued, replace(claim, holder_name=""))
    store.reissue(issued, claim)
    issue_pending(store, key, profile)
    with pytest.raises(ValueError, match="superseded by"):
        store.reissue(issued, claim)


def test_re_issue_starts_from_what_was_asked(store: Store, claim: Claim, issued: str) -> None:
    assert store.claim_of(issued) == claim


def test_a_cohort_is_asked_at_once_and_one_bad_claim_is_named(store: Store, claim: Claim) -> None:
    cohort = [replace(claim, holder_ref=f"u{number}") for number in range(250)]
    asked, refused = store.request_all([*cohort, replace(claim, holder_ref="bad", holder_name="")])
    assert len(set(asked)) == 250
    assert list(refused) == ["bad"]
    assert store.request_all(cohort)[0] == asked
    assert store.progress(asked) == Progress(250, 0, 0)


def test_progress_is_told_until_the_last_one(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    asked, _ = store.request_all([replace(claim, holder_ref=f"u{number}") for number in range(3)])
    store.record_refused(asked[0], "why")
    assert not store.progress(asked).is_done
    issue_pending(store, key, profile)
    assert store.progress(asked) == Progress(3, 2, 1)
    assert store.progress(asked).is_done


@pytest.mark.slow
def test_a_cohort_is_printed_by_processes_that_never_see_the_key(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    asked, _ = store.request_all([replace(claim, holder_ref=f"u{number}") for number in range(30)])
    stop = threading.Event()
    issuer = threading.Thread(
        target=run_issuer, args=(store, key, profile), kwargs={"poll_seconds": 0.05, "stop": stop}
    )
    issuer.start()
    for _ in range(1200):
        if store.progress(asked).is_done:
            break
        threading.Event().wait(0.05)
    stop.set()
    issuer.join()
    assert store.progress(asked) == Progress(30, 30, 0)
    assert all(store.form(certificate_id, kind) for certificate_id in asked for kind in ("pdf", "png", "svg"))


def test_pausing_and_resuming(store: Store, issued: str) -> None:
    store.pause(issued)
    paused_us = found(store, issued).paused_us
    store.pause(issued)
    assert paused_us is not None
    assert found(store, issued).paused_us == paused_us
    store.resume(issued)
    assert found(store, issued).paused_us is None
    with pytest.raises(UnknownCertificateError):
        store.pause("0" * 32)


def test_shares_are_given_out_and_ended_one_by_one(store: Store, issued: str) -> None:
    token = store.share(issued, hide_name=True, hide_score=False)
    other = store.share(issued, hide_name=False, hide_score=True)
    assert {share.token for share in store.shares(issued)} == {token, other}
    store.end_share("0" * 32, token)
    share = store.by_token(token)
    assert share is not None
    assert share.ended_us is None
    store.end_share(issued, token)
    ended, kept = store.by_token(token), store.by_token(other)
    assert ended is not None
    assert kept is not None
    assert ended.ended_us is not None
    assert kept.ended_us is None
    assert store.by_token("0" * 32) is None


def test_what_the_holder_decided_holds_for_the_next_edition(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    old = store.request(claim)
    issue_pending(store, key, profile)
    store.pause(old)
    token = store.share(old, hide_name=True, hide_score=False)
    newer = store.reissue(old, replace(claim, holder_name="陈晓宇"))
    issue_pending(store, key, profile)
    assert [share.token for share in store.shares(newer)] == [token]
    assert [store.by_id(one).paused_us is not None for one in (old, newer)] == [True, True]  # type: ignore[union-attr]
    store.resume(newer)
    assert store.by_token(token).certificate_id == newer  # type: ignore[union-attr]


def test_a_refused_new_edition_is_asked_for_again_and_not_twice(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    old = store.request(claim)
    issue_pending(store, key, profile)
    newer = store.reissue(old, replace(claim, holder_name="陈晓宇"))
    store.record_refused(newer, "the typesetter has no such character")
    assert store.reissue(old, replace(claim, holder_name="陈小雨")) == newer
    issue_pending(store, key, profile)
    assert store.claim_of(newer).holder_name == "陈小雨"
    with pytest.raises(ValueError, match="expected a refused certificate"):
        store.ask_again(newer, claim)


def test_export_gives_everything_kept_and_is_plain_data(store: Store, claim: Claim, issued: str) -> None:
    store.share(issued, hide_name=True, hide_score=True)
    exported = json.loads(json.dumps(store.export_holder(claim.holder_ref)))
    (certificate,) = exported["certificates"]
    assert certificate["claim"]["holder_name"] == claim.holder_name
    assert certificate["credential"]["id"].endswith(issued)
    assert set(certificate["forms"]) == {"pdf", "png", "svg"}
    assert len(certificate["shares"]) == 1
    assert store.export_holder("nobody") == {"holder_ref": "nobody", "certificates": []}


def test_erasure_forgets_the_person_and_keeps_the_place_on_the_list(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey, issued: str
) -> None:
    before = found(store, issued)
    store.revoke(issued, "陈晓雨 asked for it")
    store.share(issued, hide_name=True, hide_score=True)
    other = store.request(replace(claim, holder_ref="u2"))
    issue_pending(store, key, profile)
    assert store.erase_holder(claim.holder_ref) == 1
    assert store.export_holder(claim.holder_ref)["certificates"] == []
    assert store.form(issued, "pdf") is None
    assert store.shares(issued) == ()
    after = found(store, issued)
    assert (after.state, after.status_index, after.document) == (State.ERASED, before.status_index, None)
    assert store.revoked_indices(0) == (before.status_index,)
    assert found(store, other).state is State.ISSUED
    with store._engine.connect() as connection:
        everything = connection.exec_driver_sql("SELECT * FROM certs_certificate").fetchall()
    mine = next(row for row in everything if row[0] == issued)
    assert "陈晓雨" not in str(mine)
    assert claim.holder_ref not in str(mine)
    assert store.request(claim) != issued


def test_an_expiry_and_a_commitment_are_signed(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    sealed = commit("110101199003071234")
    asked = store.request(replace(claim, valid_until_us=claim.completed_us + 10**13, identity_sha256=sealed.sha256))
    issue_pending(store, key, profile)
    document = (found(store, asked).document or b"").decode()
    assert "validUntil" in document
    assert sealed.sha256 in document
    assert sealed.opening not in document
    assert "110101199003071234" not in document


@pytest.mark.parametrize("change", [{"valid_until_us": 1}, {"identity_sha256": "110101199003071234"}])
def test_an_expiry_before_completion_and_a_bare_number_are_refused(
    store: Store, claim: Claim, change: dict[str, object]
) -> None:
    with pytest.raises(ClaimRefused, match=next(iter(change))):
        store.request(replace(claim, **change))


def test_the_level_is_signed_and_read_back(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey) -> None:
    asked = store.request(replace(claim, level=Level.FOUNDATION))
    issue_pending(store, key, profile)
    found = store.by_id(asked)
    assert found is not None
    facts = open_credential(found.document or b"").facts()
    assert facts.record is not None
    assert facts.record.level is Level.FOUNDATION
    page = create_app(store, profile).test_client().get(f"/certs/{asked}?lang=en").text
    assert "Foundation" in page
