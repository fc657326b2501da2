"""The direct way to what is signed, held to the general way: same bytes, same form, for whatever it takes."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openbadgeslib.errors import LibOpenBadgesException
from openbadgeslib.ob3 import ldp
from openbadgeslib.ob3.contexts import document_loader

from certs.credential.document import DocumentRefusedError, parse
from certs.credential.quads import canonical, signed_hash

if TYPE_CHECKING:
    from certs.certificate import Claim, IssuerProfile


def general(document: dict[str, Any]) -> tuple[str, bytes]:
    """What the library signs, after its check that the JSON is the compacted form of that."""
    loader = document_loader()
    proof = document["proof"]
    ldp._check_json_ld_form(document, proof, loader)
    body = {name: value for name, value in document.items() if name != "proof"}
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    options["@context"] = document["@context"]
    return ldp._canonize(body, loader), ldp._hash_data(body, options, loader)


def agrees(document: dict[str, Any]) -> bool:
    """Whether the direct way takes it; it must then agree with the general way in everything."""
    try:
        parsed = parse(json.dumps(document).encode())
    except DocumentRefusedError:
        return False
    written, digest = canonical(parsed), signed_hash(parsed)
    if digest is None or written is None:
        return False
    try:
        assert general(parsed) == (written, digest)
    except LibOpenBadgesException as error:
        raise AssertionError(f"the direct way takes what the general way refuses: {error}") from error
    return True


@pytest.fixture(scope="module")
def credential(document: bytes) -> dict[str, Any]:
    return dict(json.loads(document))


def test_every_certificate_of_ours_is_taken_and_agrees(credential: dict[str, Any]) -> None:
    assert agrees(credential)
    assert agrees({**credential, "validUntil": "2029-01-01T00:00:00Z"})


def _nodes(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [node for child in value for node in _nodes(child)]
    if not isinstance(value, dict):
        return []
    return [value, *(node for child in value.values() for node in _nodes(child))]


def _members(document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    return [(node, name) for node in _nodes(document) for name in node if name != "@context"]


VALUES: list[Any] = [
    "",
    " ",
    "plain",
    "名 字",
    'quote " backslash \\ tab \t line \n',
    "https://example.org/a/../b",
    "urn:uuid:x",
    "did:key:z",
    "https://example.org/a b",
    "https://例.org/",
    "relative",
    "#here",
    "_:b0",
    "schema:name",
    "@id",
    "1",
    "2026-11-22T00:00:00Z",
    0,
    1,
    -1,
    1.5,
    True,
    False,
    None,
    [],
    {},
    [[]],
    ["a"],
    ["a", "b"],
    ["a", "a"],
    {"id": "https://example.org/x"},
    {"id": "https://example.org/x", "type": ["Evidence"], "name": "x"},
    {"type": ["Result"], "value": "1"},
    {"narrative": "x"},
    {"type": "IdentityObject", "hashed": True, "identityHash": "sha256$x", "identityType": "name", "salt": "s"},
    ["VerifiableCredential"],
    ["OpenBadgeCredential", "VerifiableCredential"],
    ["Evidence", "Result"],
    "Profile",
    "\U00020bb7\uff21",
    "\ue000",
    "e\u0301",
]
NAMES = [
    "id",
    "type",
    "name",
    "description",
    "narrative",
    "genre",
    "audience",
    "image",
    "criteria",
    "salt",
    "value",
    "status",
    "tag",
    "validUntil",
    "achievement",
    "result",
    "evidence",
    "issuer",
    "termsOfUse",
    "unknownTerm",
    "credentialSchema",
    "url",
    "identifier",
    "expires",
    "nonce",
    "domain",
    "resultDescription",
    "alignment",
    "achievedLevel",
    "inLanguage",
]


def _mutate(document: dict[str, Any], seed: int) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311 - chosen cases, not secrets
    changed = copy.deepcopy(document)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        node, name = chance.choice(_members(changed))
        kind = chance.randrange(7)
        if kind == 0:
            node[name] = copy.deepcopy(chance.choice(VALUES))
        elif kind == 1:
            node[chance.choice(NAMES)] = copy.deepcopy(chance.choice(VALUES))
        elif kind == 2:
            del node[name]
        elif kind == 3:
            # The same value elsewhere: another node's id, a repeated entry, a member in the wrong node.
            other, wanted = chance.choice(_members(changed))
            node[name] = copy.deepcopy(other[wanted])
        elif kind == 4:
            node[name] = [node[name]] if not isinstance(node[name], list) else node[name][:1]
        elif kind == 5 and isinstance(node[name], list):
            node[name] = [*node[name], copy.deepcopy(chance.choice(node[name] or VALUES))]
        else:
            entries = list(node.items())
            chance.shuffle(entries)
            node.clear()
            node.update(entries)
        if "proof" not in changed or not isinstance(changed.get("proof"), dict):
            return document
    return changed


def test_what_was_changed_in_any_way_agrees_or_is_left_to_the_general_way(credential: dict[str, Any]) -> None:
    taken = sum(agrees(_mutate(credential, seed)) for seed in range(250))
    assert 25 < taken < 225


@pytest.mark.slow
def test_what_was_changed_in_many_more_ways_too(credential: dict[str, Any]) -> None:
    assert sum(agrees(_mutate(credential, seed)) for seed in range(10_000, 11_000)) > 100


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(words=st.lists(st.text(max_size=30), min_size=4, max_size=4))
def test_any_words_are_written_as_the_general_way_writes_them(credential: dict[str, Any], words: list[str]) -> None:
    changed = copy.deepcopy(credential)
    changed["name"], changed["issuer"]["name"] = words[:2]
    changed["evidence"][1]["narrative"] = words[2]
    changed["credentialSubject"]["identifier"][0]["identityHash"] = words[3]
    agrees(changed)


@pytest.mark.parametrize(
    "path",
    [
        ("evidence", 0, "id"),
        ("credentialSubject", "id"),
        ("credentialSubject", "achievement", "resultDescription", 0, "id"),
        ("credentialStatus", "id"),
    ],
)
def test_two_nodes_of_one_id_are_left_to_the_general_way(credential: dict[str, Any], path: tuple[Any, ...]) -> None:
    changed = copy.deepcopy(credential)
    target: Any = changed
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = changed["id"]
    assert signed_hash(changed) is None


def test_nodes_that_nothing_tells_apart_are_left_to_the_general_way(credential: dict[str, Any]) -> None:
    changed = copy.deepcopy(credential)
    changed["credentialSubject"]["result"].append(changed["credentialSubject"]["result"][0])
    assert signed_hash(changed) is None


def test_other_contexts_and_purposes_are_left_to_the_general_way(credential: dict[str, Any]) -> None:
    assert signed_hash({**credential, "@context": credential["@context"][:1]}) is None
    assert signed_hash({**credential, "proof": {**credential["proof"], "proofPurpose": "authentication"}}) is None


def test_a_flood_of_nodes_is_left_to_the_guarded_way(credential: dict[str, Any]) -> None:
    changed = {**credential, "evidence": [{"id": f"urn:uuid:{n}", "type": ["Evidence"]} for n in range(3_000)]}
    assert signed_hash(changed) is None


def test_certificates_with_and_without_every_optional_part_agree(
    claim: Claim, profile: IssuerProfile, credential: dict[str, Any]
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from certs.issue import prepare  # noqa: PLC0415

    for skills in ((), claim.skills):
        prepared = prepare(
            replace(claim, skills=skills), profile, certificate_id="c" * 32, status_index=1, valid_from_us=1
        )
        assert agrees({**prepared.document, "proof": credential["proof"]})
