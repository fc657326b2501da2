"""Keys replaced and keys stolen: what was signed before holds, what is signed after does not; a date proves nothing."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from certs.credential import proof
from certs.credential.controller import controller_document, method_id, parse_controller
from certs.credential.witness import IssueLog, WitnessError, proof_digest, read_log, sign_log
from certs.issue import issue_pending, refresh_lists, refresh_logs, run_issuer
from certs.keys import IssuerKey, KeyFileError
from certs.store.published import UnknownKeyError
from certs.verification import Outcome, Verdict
from certs.verify import verify

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from certs.certificate import Claim, IssuerProfile
    from certs.store import Store
    from certs.verification import Verification

SECOND_US = 1_000_000


@pytest.fixture
def old(tmp_path: Path) -> IssuerKey:
    return IssuerKey.load_or_create(tmp_path / "issuer.pem")


@pytest.fixture
def new(tmp_path: Path, old: IssuerKey) -> IssuerKey:
    return IssuerKey.rotate(tmp_path / "issuer.pem")


@pytest.fixture
def stolen(store: Store, claim: Claim, profile: IssuerProfile, old: IssuerKey, new: IssuerKey) -> bytes:
    """A certificate signed and recorded with the old key, which was stolen later; the new key has signed the log."""
    store.register_key(old.multibase)
    asked = store.request(claim)
    issue_pending(store, old, profile)
    found = store.by_id(asked)
    assert found is not None
    assert found.issued_us is not None
    store.mark_key_bad(old.multibase, found.issued_us + SECOND_US)
    store.register_key(new.multibase)
    refresh_logs(store, new, profile)
    refresh_lists(store, new, profile)
    return found.document or b""


def look(store: Store, profile: IssuerProfile, data: bytes, *, logs: bool = True, at_us: int = 0) -> Verification:
    created = json.loads(data)["proof"]["created"]
    from certs.wording import microseconds  # noqa: PLC0415

    return verify(
        data,
        controllers=[parse_controller(controller_document(profile.id, store.public_keys()))],
        status_lists={profile.status_address(number): listed for number, listed in store.published_lists().items()},
        trusted=(),
        at_us=at_us or microseconds(created),
        logs=store.issue_logs() if logs else (),
    )


def test_what_was_signed_before_holds_by_the_log_and_is_unknown_without_it(
    store: Store, profile: IssuerProfile, stolen: bytes
) -> None:
    assert look(store, profile, stolen).verdict is Verdict.VALID
    alone = look(store, profile, stolen, logs=False)
    assert alone.verdict is Verdict.UNKNOWN
    signature = alone.step("signature")
    assert signature is not None
    assert signature.outcome is Outcome.UNCHECKED
    assert "issuer's log" in signature.words.en


def test_a_forgery_with_the_stolen_key_dated_back_is_not_valid(
    store: Store, profile: IssuerProfile, stolen: bytes, old: IssuerKey
) -> None:
    forged = json.loads(stolen)
    created = forged.pop("proof")["created"]
    forged["credentialSubject"]["identifier"][0]["identityHash"] = "李四"
    from certs.wording import microseconds  # noqa: PLC0415

    signed = proof.add(forged, old.private_pem(), old.method(profile.id), microseconds(created))
    data = json.dumps(signed, ensure_ascii=False).encode()
    answer = look(store, profile, data)
    assert answer.verdict is Verdict.INVALID
    assert [step.name for step in answer.steps if step.outcome is Outcome.FAILED] == ["signature"]
    assert look(store, profile, data, logs=False).verdict is Verdict.UNKNOWN


def test_a_log_still_vouches_for_a_copy_after_its_holder_was_forgotten(
    store: Store, claim: Claim, profile: IssuerProfile, stolen: bytes, new: IssuerKey
) -> None:
    store.erase_holder(claim.holder_ref)
    store.publish_log(store.public_keys()[0].multibase, b"", bad_from_us=0, signed_with="")
    refresh_logs(store, new, profile)
    assert look(store, profile, stolen).verdict is Verdict.VALID


def test_what_is_dated_after_fails(store: Store, profile: IssuerProfile, stolen: bytes, old: IssuerKey) -> None:
    later = json.loads(stolen)
    del later["proof"]
    bad_us = store.public_keys()[0].bad_from_us
    assert bad_us is not None
    signed = proof.add(later, old.private_pem(), old.method(profile.id), bad_us + 2 * SECOND_US)
    answer = look(store, profile, json.dumps(signed, ensure_ascii=False).encode(), at_us=bad_us + 3 * SECOND_US)
    assert answer.verdict is Verdict.INVALID


def test_a_list_of_the_stolen_key_says_nothing_and_is_signed_again(
    store: Store, profile: IssuerProfile, stolen: bytes, old: IssuerKey, new: IssuerKey
) -> None:
    assert new.multibase.encode() in (store.status_list(0) or b"")
    refresh_lists(store, old, profile)
    answer = look(store, profile, stolen).step("status")
    assert answer is not None
    assert answer.outcome is Outcome.UNCHECKED
    assert refresh_lists(store, new, profile) == 1


def test_a_key_that_was_given_up_signs_nothing_and_never_comes_back(
    store: Store, claim: Claim, profile: IssuerProfile, old: IssuerKey, stolen: bytes, stop_soon: threading.Event
) -> None:
    store.request(replace(claim, holder_ref="u2"))
    with pytest.raises(ValueError, match="given up"):
        store.register_key(old.multibase)
    run_issuer(store, old, profile, poll_seconds=0.01, stop=stop_soon)
    assert len(store.pending()) == 1


def test_the_issuer_goes_on_with_the_rotated_key(
    store: Store, claim: Claim, profile: IssuerProfile, old: IssuerKey, tmp_path: Path, stop_soon: threading.Event
) -> None:
    store.register_key(old.multibase)
    path = tmp_path / "issuer.pem"
    newer = IssuerKey.rotate(path)
    asked = store.request(claim)
    run_issuer(store, old, profile, poll_seconds=0.01, stop=stop_soon, reload=lambda: IssuerKey.load_or_create(path))
    found = store.by_id(asked)
    assert found is not None
    assert newer.multibase in (found.document or b"").decode()
    assert old.multibase not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.glob("*.pem*")] == ["issuer.pem"]


def test_rotating_needs_a_key_and_giving_up_needs_one_of_ours(store: Store, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="expected the one to be replaced"):
        IssuerKey.rotate(tmp_path / "none.pem")
    with pytest.raises(UnknownKeyError):
        store.mark_key_bad("z6MkNobody", 1)


def test_an_earlier_moment_may_follow_and_a_later_one_changes_nothing(
    store: Store, profile: IssuerProfile, stolen: bytes, new: IssuerKey
) -> None:
    found = store.public_keys()[0]
    assert found.bad_from_us is not None
    store.mark_key_bad(found.multibase, found.bad_from_us + 10**12)
    assert store.public_keys()[0].bad_from_us == found.bad_from_us
    assert refresh_logs(store, new, profile) == 0
    store.mark_key_bad(found.multibase, found.bad_from_us - 10**9)
    assert refresh_logs(store, new, profile) == 1
    assert look(store, profile, stolen).verdict is not Verdict.VALID


def _log(profile: IssuerProfile, key: IssuerKey, proofs: tuple[str, ...] = ("ab" * 32,)) -> IssueLog:
    return IssueLog(profile.id, method_id(profile.id, key.multibase), 10**15, 10**15, frozenset(proofs))


def test_a_log_comes_back_as_it_was_signed(profile: IssuerProfile, new: IssuerKey) -> None:
    controller = parse_controller(new.controller_document(profile.id))
    log = _log(profile, new)
    assert read_log(sign_log(log, new.private_pem(), new.method(profile.id)), controller) == log


@pytest.mark.parametrize("part", [0, 1, 2])
def test_an_altered_log_is_refused(profile: IssuerProfile, new: IssuerKey, part: int) -> None:
    controller = parse_controller(new.controller_document(profile.id))
    parts = sign_log(_log(profile, new), new.private_pem(), new.method(profile.id)).split(b".")
    parts[part] = parts[part][:-6] + b"AAAA" + parts[part][-2:]
    with pytest.raises(WitnessError):
        read_log(b".".join(parts), controller)


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"kid": "https://else.example/i#k"}, {"crit": ["x"]}]
)
def test_another_kind_of_log_is_refused(profile: IssuerProfile, new: IssuerKey, header: dict[str, Any]) -> None:
    controller = parse_controller(new.controller_document(profile.id))
    _, payload, signature = sign_log(_log(profile, new), new.private_pem(), new.method(profile.id)).split(b".")
    good = {"alg": "EdDSA", "typ": "reelwright-issue-log+jwt", "kid": new.method(profile.id)}
    other = base64.urlsafe_b64encode(json.dumps({**good, **header}).encode()).rstrip(b"=")
    with pytest.raises(WitnessError):
        read_log(b".".join((other, payload, signature)), controller)


@pytest.mark.parametrize("data", [b"", b"..", b"a.b", b"a.b.c", b"{}", b"x" * (17 * 1024 * 1024)])
def test_what_is_no_log_is_refused(profile: IssuerProfile, new: IssuerKey, data: bytes) -> None:
    with pytest.raises(WitnessError):
        read_log(data, parse_controller(new.controller_document(profile.id)))


def test_a_log_by_a_given_up_key_counts_for_nothing(
    store: Store, profile: IssuerProfile, stolen: bytes, old: IssuerKey
) -> None:
    """The thief signs a log of their own that lists their forgery."""
    value = json.loads(stolen)["proof"]["proofValue"]
    log = replace(_log(profile, old), before_us=1, proofs=frozenset({proof_digest(value)}))
    forged = sign_log(log, old.private_pem(), old.method(profile.id))
    controller = parse_controller(controller_document(profile.id, store.public_keys()))
    with pytest.raises(WitnessError, match="still good"):
        read_log(forged, controller)


def test_the_log_tells_nothing_but_digests(
    store: Store, profile: IssuerProfile, stolen: bytes, check: Callable[..., Verification]
) -> None:
    (log,) = store.issue_logs()
    payload = base64.urlsafe_b64decode(log.split(b".")[1] + b"==")
    assert json.loads(stolen)["id"].rpartition("/")[2].encode() not in payload
    assert set(json.loads(payload)) == {"iss", "key", "before", "signed", "proofs"}
