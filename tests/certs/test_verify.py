from __future__ import annotations

import base64
import copy
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from certs.credential import proof
from certs.credential.controller import Controller, PublicKey, controller_document, parse_controller
from certs.issue import prepare, sign
from certs.keys import IssuerKey
from certs.verification import Outcome, Verdict, Verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.certificate import Claim, IssuerProfile

NOW_US = 1_795_305_600_000_000
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


@pytest.fixture
def credential(document: bytes) -> dict[str, Any]:
    return json.loads(document)


def failed(answer: Verification) -> set[str]:
    return {step.name for step in answer.steps if step.outcome is Outcome.FAILED}


def reasons(answer: Verification) -> str:
    return " ".join(step.detail for step in answer.steps)


def test_a_genuine_certificate_is_valid_step_by_step(
    check: Callable[..., Verification], document: bytes, status_list: Callable[..., dict[str, bytes]], claim: Claim
) -> None:
    answer = check(document, status_lists=status_list(1, 2, 3))
    assert answer.verdict is Verdict.VALID
    assert [step.outcome for step in answer.steps] == [Outcome.HELD] * 6
    assert all(step.words.zh and step.words.en for step in answer.steps)
    facts = answer.facts
    assert (facts.holder_name, facts.title, facts.skills, facts.labs) == (
        claim.holder_name,
        claim.title,
        claim.skills,
        claim.labs,
    )
    assert (facts.summary, facts.criteria, facts.ai_use) == (claim.summary, claim.criteria, claim.ai_use)
    assert (facts.record.lab_seconds, facts.record.subsidised_gpu_seconds) == (13_260, 1_200)


def test_nothing_private_is_in_the_document(document: bytes, claim: Claim) -> None:
    assert claim.holder_ref.encode() not in document


def test_nothing_is_ever_fetched(
    check: Callable[..., Verification], document: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("the verifier opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert check(document).verdict is Verdict.VALID


def test_without_a_status_list_the_status_is_said_to_be_unchecked(
    check: Callable[..., Verification], document: bytes
) -> None:
    answer = check(document)
    assert answer.step("status").outcome is Outcome.UNCHECKED
    assert answer.verdict is Verdict.VALID


def test_without_the_issuers_keys_it_is_unknown_not_valid(check: Callable[..., Verification], document: bytes) -> None:
    answer = check(document, controllers=[])
    assert answer.step("signature").outcome is Outcome.UNCHECKED
    assert answer.verdict is Verdict.UNKNOWN


def test_a_revoked_certificate_is_revoked(
    check: Callable[..., Verification], document: bytes, status_list: Callable[..., dict[str, bytes]]
) -> None:
    answer = check(document, status_lists=status_list(4711))
    assert answer.verdict is Verdict.REVOKED
    assert failed(answer) == {"status"}


@pytest.mark.parametrize("when", [NOW_US - 30 * DAY_US])
def test_a_stale_status_list_proves_nothing(
    check: Callable[..., Verification], document: bytes, status_list: Callable[..., dict[str, bytes]], when: int
) -> None:
    answer = check(document, status_lists=status_list(signed_us=when))
    assert answer.step("status").outcome is Outcome.UNCHECKED
    assert "ended" in answer.step("status").detail


def test_a_status_list_of_another_issuer_or_altered_is_not_believed(
    check: Callable[..., Verification], document: bytes, status_list: Callable[..., dict[str, bytes]]
) -> None:
    ((address, honest),) = status_list(4711).items()
    ((_, clean),) = status_list().items()
    forged = json.loads(honest)
    forged["credentialSubject"]["encodedList"] = json.loads(clean)["credentialSubject"]["encodedList"]
    answer = check(document, status_lists={address: json.dumps(forged).encode()})
    assert answer.step("status").outcome is Outcome.UNCHECKED
    assert answer.step("status").words.en != ""


def test_a_status_list_that_inflates_without_end_is_refused(
    check: Callable[..., Verification],
    document: bytes,
    status_list: Callable[..., dict[str, bytes]],
    resign: Callable[..., bytes],
) -> None:
    ((address, honest),) = status_list().items()
    bomb = json.loads(honest)
    packed = gzip.compress(bytes(6 * 1024 * 1024))
    bomb["credentialSubject"]["encodedList"] = "u" + base64.urlsafe_b64encode(packed).decode().rstrip("=")
    answer = check(document, status_lists={address: resign(bomb)})
    assert answer.step("status").outcome is Outcome.UNCHECKED
    assert "limit" in answer.step("status").detail


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("credentialSubject", "identifier", 0, "identityHash"), "李四"),
        (("credentialSubject", "result", 0, "value"), "100"),
        (("evidence", 0, "narrative"), "course: micro-drama"),
        (("evidence", 1, "digestSRI"), "sha256-AAAA"),
        (("validFrom",), "2020-01-01T00:00:00Z"),
        (("name",), "Something better"),
        (("credentialStatus", "statusListIndex"), "4712"),
        (("proof", "created"), "2020-01-01T00:00:00Z"),
    ],
)
def test_an_altered_member_is_refused(
    check: Callable[..., Verification], credential: dict[str, Any], path: Any, value: Any
) -> None:
    target = credential
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    answer = check(credential)
    assert answer.verdict is Verdict.INVALID
    assert failed(answer) & {"signature", "content"}


@pytest.mark.parametrize(
    "added",
    [
        {"validUntil": "2099-01-01T00:00:00Z"},
        {"licence": "film director"},
        {"termsOfUse": {"type": "Anything"}},
        {"credentialSchema": {"id": "https://example.org/s", "type": "JsonSchema"}},
    ],
)
def test_an_added_member_is_refused(check: Callable[..., Verification], credential: dict[str, Any], added: Any) -> None:
    assert check({**credential, **added}).verdict is Verdict.INVALID


def test_a_removed_member_is_refused(check: Callable[..., Verification], credential: dict[str, Any]) -> None:
    for name in ("credentialStatus", "evidence", "validFrom", "name"):
        changed = {key: value for key, value in credential.items() if key != name}
        assert check(changed).verdict is Verdict.INVALID, name


def test_the_renamed_status_attack_is_refused(
    check: Callable[..., Verification], credential: dict[str, Any], status_list: Callable[..., dict[str, bytes]]
) -> None:
    """The full IRI signs the same, but no reader of credentialStatus would find the revocation."""
    renamed = dict(credential)
    renamed["https://www.w3.org/2018/credentials#credentialStatus"] = renamed.pop("credentialStatus")
    answer = check(renamed, status_lists=status_list(4711))
    assert answer.verdict is Verdict.INVALID
    assert "member name" in reasons(answer)


def _wrapped(document: dict[str, Any], change: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update({"@context": [*d["@context"], {"x": "https://example.org/x"}]}), "inline context"),
        (lambda d: d.update({"@context": [*d["@context"], "http://169.254.169.254/c.json"]}), "not bundled"),
        (lambda d: d.update({"@context": d["@context"][::-1]}), "first"),
        (lambda d: d.update({"@context": "https://www.w3.org/ns/credentials/v2"}), "expected a list"),
        (lambda d: d.update({"evidence": [d["evidence"]]}), "array within an array"),
        (
            lambda d: d.update({"credentialSubject": [d["credentialSubject"], d["credentialSubject"]]}),
            "exactly one object",
        ),
        (lambda d: d.update({"proof": [d["proof"], d["proof"]]}), "exactly one object"),
        (lambda d: d["credentialSubject"].update({"id": "_:b0"}), "blank node"),
        (lambda d: d["credentialSubject"].update({"@id": "urn:x"}), "member name"),
        (lambda d: d["credentialSubject"].update({"schema:name": "x"}), "member name"),
        (lambda d: d.update({"name": "good \u202e dab"}), "characters"),
        (lambda d: d.update({"description": None}), "null"),
    ],
)
def test_every_other_spelling_is_refused_before_any_json_ld(
    check: Callable[..., Verification], credential: dict[str, Any], change: Any, words: str
) -> None:
    answer = check(_wrapped(credential, change))
    assert answer.verdict is Verdict.INVALID
    assert failed(answer) == {"form"}
    assert words in reasons(answer)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "expected an object"),
        (b'"text"', "expected an object"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "finite"),
        (b'{"a": "\xff"}', "no JSON"),
        (b'{"a":' * 100_000, "bytes"),
        (b'{"a":' * 40_000 + b"1" + b"}" * 12_000, "nesting"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "nesting"),
        (b" " * (256 * 1024) + b"{}", "bytes"),
    ],
)
def test_hostile_bytes_are_refused(check: Callable[..., Verification], raw: bytes, words: str) -> None:
    answer = check(raw)
    assert answer.verdict is Verdict.INVALID
    assert failed(answer) == {"form"}
    assert words in reasons(answer)


def test_duplicate_members_deep_inside_are_refused(document: bytes, check: Callable[..., Verification]) -> None:
    doubled = document.replace(b'"statusListIndex":"4711"', b'"statusListIndex":"1","statusListIndex":"4711"')
    assert doubled != document
    assert "twice" in reasons(check(doubled))


def test_a_truncated_file_is_refused(document: bytes, check: Callable[..., Verification]) -> None:
    assert check(document[:-200]).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "Ed25519Signature2020"},
        {"cryptosuite": "ecdsa-sd-2023"},
        {"cryptosuite": "none"},
        {"proofPurpose": "authentication"},
        {"proofValue": "z"},
        {"proofValue": "u2V0"},
        {"proofValue": "z" + "1" * 87},
        {"verificationMethod": ""},
        {"previousProof": "urn:uuid:1"},
        {"jws": "eyJhbGciOiJub25lIn0.."},
    ],
)
def test_another_kind_of_proof_is_refused(
    check: Callable[..., Verification], credential: dict[str, Any], changed: Any
) -> None:
    credential["proof"].update(changed)
    assert check(credential).verdict is Verdict.INVALID


def test_an_unknown_key_is_refused(
    check: Callable[..., Verification],
    claim: Claim,
    profile: IssuerProfile,
    credential: dict[str, Any],
    tmp_path: Path,
    resign: Callable[..., bytes],
) -> None:
    stranger = IssuerKey.load_or_create(tmp_path / "stranger.pem")
    forged = sign(prepare(claim, profile, certificate_id="f" * 32, status_index=1, valid_from_us=NOW_US), stranger)
    answer = check(forged)
    assert answer.verdict is Verdict.INVALID
    assert failed(answer) == {"signature"}
    assert stranger.multibase in reasons(answer)


def test_a_strangers_signature_under_our_keys_name_is_refused(
    check: Callable[..., Verification], claim: Claim, profile: IssuerProfile, key: IssuerKey, tmp_path: Path
) -> None:
    stranger = IssuerKey.load_or_create(tmp_path / "stranger.pem")
    prepared = prepare(claim, profile, certificate_id="f" * 32, status_index=1, valid_from_us=NOW_US)
    forged = proof.add(prepared.document, stranger.private_pem(), key.method(profile.id), NOW_US)
    assert failed(check(forged)) == {"signature"}


def test_a_swapped_issuer_is_refused(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes]
) -> None:
    credential["issuer"]["id"] = "https://famous.example/issuer"
    credential["credentialStatus"]["statusListCredential"] = "https://famous.example/status/0"
    answer = check(resign(credential))
    assert failed(answer) == {"issuer"}
    assert answer.verdict is Verdict.INVALID


def test_an_untrusted_issuer_is_refused(check: Callable[..., Verification], document: bytes) -> None:
    assert failed(check(document, trusted=["https://famous.example/issuer"])) == {"issuer"}
    assert check(document, trusted=["http://127.0.0.1:8000/certs/issuer"]).verdict is Verdict.VALID


def _controller(profile: IssuerProfile, *keys: PublicKey, asserting: bool = True) -> list[Controller]:
    text = json.loads(controller_document(profile.id, keys))
    if not asserting:
        text["assertionMethod"] = []
    return [parse_controller(json.dumps(text).encode())]


def test_a_key_that_may_not_sign_is_refused(
    check: Callable[..., Verification], document: bytes, profile: IssuerProfile, key: IssuerKey
) -> None:
    answer = check(document, controllers=_controller(profile, PublicKey(key.multibase), asserting=False))
    assert failed(answer) == {"signature"}
    assert "assertionMethod" in reasons(answer)


def test_a_key_counts_until_it_was_replaced(
    check: Callable[..., Verification], document: bytes, profile: IssuerProfile, key: IssuerKey
) -> None:
    before = PublicKey(key.multibase, retired_us=NOW_US - DAY_US)
    after = PublicKey(key.multibase, retired_us=NOW_US + DAY_US)
    assert failed(check(document, controllers=_controller(profile, before))) == {"signature"}
    assert check(document, controllers=_controller(profile, after)).verdict is Verdict.VALID


def test_dates_decide(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes], document: bytes
) -> None:
    ended = resign({**credential, "validUntil": "2027-01-01T00:00:00Z"})
    assert check(ended).verdict is Verdict.VALID
    assert check(ended, at_us=NOW_US + 400 * DAY_US).verdict is Verdict.EXPIRED
    assert check(document, at_us=NOW_US - DAY_US).verdict is Verdict.NOT_YET_VALID


def test_an_expired_forgery_is_invalid_not_expired(
    check: Callable[..., Verification], credential: dict[str, Any]
) -> None:
    credential["validUntil"] = "2020-01-01T00:00:00Z"
    assert check(credential).verdict is Verdict.INVALID


@pytest.mark.parametrize("stamp", ["yesterday", "2026-11-22", "2026-11-22T00:00:00", "0001-01-01T00:00:00+23:59"])
def test_a_malformed_date_is_refused_even_when_signed(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes], stamp: str
) -> None:
    assert failed(check(resign({**credential, "validFrom": stamp}))) == {"content"}


@pytest.mark.parametrize("name", ["\u0410nna Wang", "<b>Anna</b>", "Anna\u200b"])
def test_a_deceptive_name_is_refused_even_when_signed(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes], name: str
) -> None:
    credential["credentialSubject"]["identifier"][0]["identityHash"] = name
    assert check(resign(credential)).verdict is Verdict.INVALID


def test_results_that_disagree_with_the_records_are_refused_even_when_signed(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes]
) -> None:
    credential["credentialSubject"]["result"][0]["value"] = "99"
    assert failed(check(resign(credential))) == {"content"}


def test_a_status_entry_of_another_purpose_or_size_is_refused(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes]
) -> None:
    for change in ({"statusPurpose": "message"}, {"statusListIndex": "-1"}, {"statusSize": 2}):
        bad = copy.deepcopy(credential)
        bad["credentialStatus"].update(change)
        assert failed(check(resign(bad))) == {"content"}, change
