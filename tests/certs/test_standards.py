from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from certs.certificate import Text
from certs.credential.controller import did_key_controller
from certs.credential.document import DocumentRefusedError, parse
from certs.credential.proof import ProofError, check_signature
from certs.verification import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.verification import Verification


@pytest.fixture
def credential(document: bytes) -> dict[str, Any]:
    return dict(json.loads(document))


def test_another_issuers_plain_open_badge_is_read(
    check: Callable[..., Verification], credential: dict[str, Any], resign: Callable[..., bytes]
) -> None:
    plain = {name: credential[name] for name in ("@context", "id", "type", "issuer", "validFrom")}
    plain["credentialSubject"] = {
        "id": "urn:uuid:0f3e9a70-5f6e-4a2e-8a3a-5d2b6f2f0001",
        "type": ["AchievementSubject"],
        "achievement": {
            "id": "urn:uuid:0f3e9a70-5f6e-4a2e-8a3a-5d2b6f2f0002",
            "type": ["Achievement"],
            "name": "Sound design",
            "description": "Basics",
            "criteria": {"narrative": "Mix three scenes"},
        },
    }
    answer = check(resign(plain))
    assert answer.verdict is Verdict.VALID
    assert answer.facts.title == Text("Sound design", "Sound design")
    assert (answer.facts.holder_name, answer.facts.labs, answer.facts.record) == (None, (), None)


def test_the_published_schema_accepts_ours(document: bytes, data_folder: Path) -> None:
    schema = json.loads((data_folder / "ob_v3p0_achievementcredential_schema.json").read_text())
    validator = jsonschema.validators.validator_for(schema)
    errors = validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(json.loads(document))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_the_w3c_test_vector_verifies_and_its_alteration_does_not(data_folder: Path) -> None:
    vector = json.loads((data_folder / "w3c-signed-credential.json").read_text())
    context = json.loads((data_folder / "credentials-examples-v2.json").read_text())
    contexts = {"https://www.w3.org/ns/credentials/examples/v2": context}
    owner = did_key_controller(vector["proof"]["verificationMethod"].partition("#")[0])
    check_signature(vector, owner.methods[0].pem, extra_contexts=contexts)
    vector["credentialSubject"]["alumniOf"] = "Another School"
    with pytest.raises(ProofError):
        check_signature(vector, owner.methods[0].pem, extra_contexts=contexts)


def test_the_w3c_vectors_context_is_not_accepted_in_the_open(data_folder: Path) -> None:
    with pytest.raises(DocumentRefusedError, match="not bundled"):
        parse((data_folder / "w3c-signed-credential.json").read_bytes())


def test_a_graph_made_to_exhaust_the_processor_is_refused_before_it_is_processed(
    check: Callable[..., Verification], credential: dict[str, Any]
) -> None:
    bomb = {**credential, "evidence": [{"type": ["Evidence"], "name": "x"}] * 2_000}
    answer = check(bomb)
    assert answer.verdict is Verdict.INVALID
    assert "refusing the credential" in answer.step("signature").detail


def test_a_graph_made_to_exhaust_the_canonicaliser_is_refused_under_a_budget(
    check: Callable[..., Verification], credential: dict[str, Any]
) -> None:
    """Many nodes that nothing tells apart: without the guard, trying their orders would take minutes."""
    alike = {"type": ["Alignment"]}
    for _ in range(3):
        alike = {"type": ["Alignment"], "alignment": [alike] * 6}
    answer = check({**credential, "alignment": [alike]})
    assert answer.verdict is Verdict.INVALID
    assert "refusing to canonicalize" in answer.step("signature").detail
