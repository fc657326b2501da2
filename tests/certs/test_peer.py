"""A second implementation, written by others: Digital Bazaar's Node libraries verify ours, and ours verifies theirs."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openbadgeslib.ob3.contexts import bundled_contexts

from certs.credential.controller import parse_controller
from certs.issue import issue_pending, refresh_lists
from certs.verification import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from certs.certificate import Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store
    from certs.verification import Verification

PEER = Path(__file__).with_name("peer.mjs")
AT = "2026-11-22T12:00:00Z"


def peer(task: str, **asked: Any) -> dict[str, Any]:
    """Ask the peer; it has our bundled contexts, the documents given, and no way to fetch another."""
    question = {"task": task, "contexts": bundled_contexts(), "documents": {}, "now": AT, **asked}
    done = subprocess.run(
        ["node", str(PEER)], input=json.dumps(question), capture_output=True, text=True, timeout=120, check=True
    )
    return dict(json.loads(done.stdout))


@pytest.fixture
def documents(key: IssuerKey, profile: IssuerProfile, status_list: Callable[..., dict[str, bytes]]) -> dict[str, Any]:
    """What the site publishes: the controller document and a status list without 4711."""
    return {
        profile.id: json.loads(key.controller_document(profile.id)),
        profile.status_address(0): json.loads(status_list(1, 2)[profile.status_address(0)]),
    }


def test_the_peer_accepts_ours_and_refuses_every_alteration(document: bytes, documents: dict[str, Any]) -> None:
    ours = json.loads(document)
    renamed = copy.deepcopy(ours)
    renamed["credentialSubject"]["identifier"][0]["identityHash"] = "李四"
    rescored = copy.deepcopy(ours)
    rescored["credentialSubject"]["result"][0]["value"] = "100"
    redated = {**ours, "validFrom": "2020-01-01T00:00:00Z"}
    answers = peer("verify", credentials=[ours, renamed, rescored, redated], documents=documents)["results"]
    assert answers[0] == {"verified": True, "status": [False], "error": ""}
    assert [answer["verified"] for answer in answers[1:]] == [False] * 3
    assert all("signature" in answer["error"] for answer in answers[1:])


def test_the_peer_reads_our_revocations(
    document: bytes,
    documents: dict[str, Any],
    profile: IssuerProfile,
    status_list: Callable[..., dict[str, bytes]],
) -> None:
    listed = {profile.status_address(0): json.loads(status_list(4711)[profile.status_address(0)])}
    (answer,) = peer("verify", credentials=[json.loads(document)], documents={**documents, **listed})["results"]
    assert answer["status"] == [True]


def test_the_peer_needs_a_key_that_the_issuer_lists(document: bytes, documents: dict[str, Any]) -> None:
    for name, without in (("assertionMethod", []), ("verificationMethod", [])):
        changed = {address: {**entry, name: without} for address, entry in documents.items() if name in entry}
        (answer,) = peer("verify", credentials=[json.loads(document)], documents={**documents, **changed})["results"]
        assert answer["verified"] is False


def test_the_peer_accepts_what_the_issuer_published_from_the_store(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey
) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from certs.credential.controller import controller_document  # noqa: PLC0415

    store.register_key(key.multibase)
    asked = store.request(claim)
    issue_pending(store, key, profile)
    refresh_lists(store, key, profile)
    found = store.by_id(asked)
    assert found is not None
    published = {
        profile.id: json.loads(controller_document(profile.id, store.public_keys())),
        profile.status_address(0): json.loads(store.status_list(0) or b""),
    }
    now = datetime.now(UTC).isoformat()
    (answer,) = peer("verify", credentials=[json.loads(found.document or b"")], documents=published, now=now)["results"]
    assert answer == {"verified": True, "status": [False], "error": ""}


@pytest.fixture(scope="module")
def theirs(document: bytes) -> dict[str, Any]:
    """Credentials that the peer made with its own key: one of our shape, one plain badge."""
    issuer = "https://peer.example/issuer"
    like_ours = {
        name: value for name, value in json.loads(document).items() if name not in {"proof", "credentialStatus"}
    }
    like_ours["issuer"] = {**like_ours["issuer"], "id": issuer}
    plain = {
        "@context": like_ours["@context"],
        "id": "urn:uuid:9a2f7f7e-5d0f-4d8e-9a43-0f9f0f8f0001",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": {"id": issuer, "type": ["Profile"], "name": "Peer"},
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {
            "id": "urn:uuid:9a2f7f7e-5d0f-4d8e-9a43-0f9f0f8f0002",
            "type": ["AchievementSubject"],
            "achievement": {
                "id": "urn:uuid:9a2f7f7e-5d0f-4d8e-9a43-0f9f0f8f0003",
                "type": ["Achievement"],
                "name": "Sound design",
                "description": "Basics",
                "criteria": {"narrative": "Mix three scenes"},
                "tag": ["sound", "mix"],
            },
        },
    }
    return peer("issue", credentials=[like_ours, plain], issuer=issuer, now="2026-11-22T00:00:00Z")


def test_ours_accepts_the_peers_and_refuses_every_alteration(
    theirs: dict[str, Any], check: Callable[..., Verification]
) -> None:
    controllers = [parse_controller(json.dumps(theirs["controller"]).encode())]
    for credential in theirs["credentials"]:
        assert check(credential, controllers=controllers).verdict is Verdict.VALID
        altered = copy.deepcopy(credential)
        altered["credentialSubject"]["achievement"]["name"] = "Something better"
        answer = check(altered, controllers=controllers)
        assert answer.verdict is Verdict.INVALID
        signature = answer.step("signature")
        assert signature is not None
        assert signature.outcome is Outcome.FAILED


def test_a_peers_credential_under_another_controller_is_refused(
    theirs: dict[str, Any], check: Callable[..., Verification], key: IssuerKey
) -> None:
    stranger = [parse_controller(key.controller_document(theirs["controller"]["id"]))]
    assert check(theirs["credentials"][0], controllers=stranger).verdict is Verdict.INVALID
