"""Programme certificates: a CLR 2.0 over course certificates, whole, in one shape, nothing moved between the two."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from openbadgeslib.ob3.clr import bundled_clr_contexts
from openbadgeslib.ob3.contexts import bundled_contexts

from certs.app import create_app
from certs.certificate import ProgrammeClaim, State, Text
from certs.credential import proof
from certs.credential.controller import controller_document, parse_controller
from certs.files import verify_file
from certs.issue import issue_pending, refresh_lists
from certs.keys import IssuerKey
from certs.verification import Outcome, Verdict
from certs.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.certificate import Claim, IssuerProfile
    from certs.store import Store
    from certs.verification import Verification


@pytest.fixture
def courses(store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey, tmp_path: Path) -> tuple[str, str]:
    """Two course certificates of one person, the first signed with a key that has been replaced since."""
    older = IssuerKey.load_or_create(tmp_path / "older.pem")
    store.register_key(older.multibase)
    first = store.request(claim)
    issue_pending(store, older, profile)
    store.register_key(key.multibase)
    second = store.request(
        replace(claim, holder_ref="other-7f3a", course="editing", title=Text("剪辑", "Editing"), score_percent=77.5)
    )
    issue_pending(store, key, profile)
    return first, second


@pytest.fixture
def programme(courses: tuple[str, str]) -> ProgrammeClaim:
    return ProgrammeClaim(
        holder_name="陈晓雨",
        holder_ref="programme:learner-7f3a",
        course="film-with-ai",
        course_version="2026",
        title=Text("AI 影视制作", "Film production with AI"),
        summary=Text("两门课程。", "Two courses."),
        criteria=Text("完成两门课程。", "Both courses completed."),
        members=courses,
        completed_us=1_795_305_600_000_000,
    )


@pytest.fixture
def issued(store: Store, programme: ProgrammeClaim, profile: IssuerProfile, key: IssuerKey) -> str:
    asked = store.request(programme)
    issue_pending(store, key, profile)
    refresh_lists(store, key, profile)
    found = store.by_id(asked)
    assert found is not None
    assert found.state is State.ISSUED, found.refused_reason
    return asked


@pytest.fixture
def document(store: Store, issued: str) -> bytes:
    found = store.by_id(issued)
    assert found is not None
    return found.document or b""


@pytest.fixture
def look(store: Store, profile: IssuerProfile) -> Callable[..., Verification]:
    def run(data: bytes | dict[str, Any]) -> Verification:
        raw = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
        lists = {profile.status_address(number): listed for number, listed in store.published_lists().items()}
        keys = [parse_controller(controller_document(profile.id, store.public_keys()))]
        from certs.store import now_us  # noqa: PLC0415

        return verify(raw, controllers=keys, status_lists=lists, trusted=[profile.id], at_us=now_us())

    return run


def test_it_verifies_with_every_course_certificate_in_it(look: Callable[..., Verification], document: bytes) -> None:
    answer = look(document)
    assert answer.verdict is Verdict.VALID
    assert [step.outcome for step in answer.steps] == [Outcome.HELD] * 7
    assert answer.facts is not None
    assert [course.title.en for course in answer.facts.members] == ["Making micro-drama with AI", "Editing"]
    assert answer.facts.holder_name == "陈晓雨"


def test_the_peer_verifies_it_too(document: bytes, store: Store, profile: IssuerProfile, tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    altered = json.loads(document)
    altered["credentialSubject"]["verifiableCredential"][0]["name"] = "Something better"
    question = {
        "task": "verify",
        "contexts": {**bundled_contexts(), **bundled_clr_contexts()},
        "documents": {
            profile.id: json.loads(controller_document(profile.id, store.public_keys())),
            profile.status_address(0): json.loads(store.status_list(0) or b""),
        },
        "credentials": [json.loads(document), altered],
        "now": datetime.now(UTC).isoformat(),
    }
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("peer.mjs"))],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)["results"]
    assert answers[0] == {"verified": True, "status": [False], "error": ""}
    assert answers[1]["verified"] is False


def _altered(document: bytes, change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(json.loads(document))
    change(changed)
    return changed


def _members(document: dict[str, Any]) -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = document["credentialSubject"]["verifiableCredential"]
    return members


ALTERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "title": lambda d: d["credentialSubject"]["achievement"][0].update(name="Better"),
    "outer name": lambda d: d["credentialSubject"]["identifier"][0].update(identityHash="李四"),
    "inner score": lambda d: _members(d)[0]["credentialSubject"]["result"][0].update(value="100"),
    "member left out": lambda d: _members(d).pop(),
    "member twice": lambda d: _members(d).append(_members(d)[0]),
    "no member": lambda d: _members(d).clear(),
    "expiry added": lambda d: d.update(validUntil="2099-01-01T00:00:00Z"),
    "status dropped": lambda d: d.pop("credentialStatus"),
    "partial added": lambda d: d.update(partial=True),
    "association added": lambda d: d["credentialSubject"].update(association=[]),
    "context swapped": lambda d: d.update({"@context": d["@context"][:2]}),
    "inner context": lambda d: _members(d)[0].update({"@context": [*_members(d)[0]["@context"], "https://x.example"]}),
    "member wrapped": lambda d: _members(d).__setitem__(0, [_members(d)[0]]),
    "issuer moved inside": lambda d: d["issuer"].pop("name"),
    "inner issuer stripped": lambda d: _members(d)[0]["issuer"].pop("name"),
    "expiry moved inside": lambda d: _members(d)[0].update(
        termsOfUse={"id": d["id"], "type": "Policy", "validUntil": "2099-01-01T00:00:00Z"}
    ),
    "type": lambda d: d.update(type=["VerifiableCredential", "ClrCredential", "OpenBadgeCredential"]),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_every_alteration_is_refused(look: Callable[..., Verification], document: bytes, name: str) -> None:
    answer = look(_altered(document, ALTERATIONS[name]))
    assert answer.verdict is Verdict.INVALID, answer.steps


def _resigned(document: dict[str, Any], key: IssuerKey, profile: IssuerProfile) -> dict[str, Any]:
    unsigned = {name: value for name, value in document.items() if name != "proof"}
    from certs.store import now_us  # noqa: PLC0415

    return proof.add(
        unsigned, key.private_pem(), key.method(profile.id), now_us(), extra_contexts=bundled_clr_contexts()
    )


@pytest.mark.parametrize(
    "name", ["inner score", "member twice", "outer name", "inner issuer stripped", "partial added"]
)
def test_a_careless_issuer_does_not_get_it_past_either(
    look: Callable[..., Verification], document: bytes, key: IssuerKey, profile: IssuerProfile, name: str
) -> None:
    """The outer signature holds; a member that does not, or another holder's, still stops it."""
    answer = look(_resigned(_altered(document, ALTERATIONS[name]), key, profile))
    assert answer.verdict is Verdict.INVALID, answer.steps


def test_a_revoked_course_takes_the_programme_with_it(
    look: Callable[..., Verification],
    store: Store,
    document: bytes,
    courses: tuple[str, str],
    key: IssuerKey,
    profile: IssuerProfile,
) -> None:
    store.revoke(courses[1], "graded by mistake")
    refresh_lists(store, key, profile)
    answer = look(document)
    assert answer.verdict is Verdict.REVOKED
    assert any("Editing" in step.words.en for step in answer.steps)


def test_only_certificates_in_force_go_into_one(
    store: Store, programme: ProgrammeClaim, courses: tuple[str, str], key: IssuerKey, profile: IssuerProfile
) -> None:
    store.revoke(courses[0], "graded by mistake")
    asked = store.request(replace(programme, holder_ref="p2"))
    unknown = store.request(replace(programme, holder_ref="p3", members=("0" * 32,)))
    issue_pending(store, key, profile)
    for certificate_id in (asked, unknown):
        found = store.by_id(certificate_id)
        assert found is not None
        assert found.state is State.REFUSED
        assert "in force" in (found.refused_reason or "")


def test_another_persons_certificate_does_not_go_into_it(
    store: Store, claim: Claim, programme: ProgrammeClaim, key: IssuerKey, profile: IssuerProfile
) -> None:
    other = store.request(replace(claim, holder_ref="x", holder_name="李四"))
    issue_pending(store, key, profile)
    asked = store.request(replace(programme, holder_ref="p2", members=(*programme.members, other)))
    issue_pending(store, key, profile)
    found = store.by_id(asked)
    assert found is not None
    assert "李四" in (found.refused_reason or "")


def test_every_form_verifies_and_shows_the_courses(
    store: Store, issued: str, profile: IssuerProfile, key: IssuerKey
) -> None:
    from certs.forms.pdf import read_pdf  # noqa: PLC0415
    from certs.store import now_us  # noqa: PLC0415

    keys = [parse_controller(controller_document(profile.id, store.public_keys()))]
    for kind in ("pdf", "png", "svg"):
        form = store.form(issued, kind) or b""
        answer = verify_file(form, controllers=keys, status_lists={}, trusted=(), at_us=now_us())
        assert answer.verdict is Verdict.VALID, answer.steps
    text = read_pdf(store.form(issued, "pdf") or b"", text=True).text
    for words in ("Film production with AI", "Editing", "Making micro-drama with AI", "77.5"):
        assert words in text


def test_its_page_shows_the_courses_and_leads_to_them(
    store: Store, issued: str, profile: IssuerProfile, courses: tuple[str, str]
) -> None:
    page = create_app(store, profile).test_client().get(f"/certs/{issued}?lang=en").text
    assert "verdict-valid" in page
    for words in ("Film production with AI", "Editing", "77.5", *courses):
        assert words in page


def test_its_page_says_when_a_course_in_it_was_revoked(
    store: Store, issued: str, profile: IssuerProfile, courses: tuple[str, str]
) -> None:
    store.revoke(courses[0], "graded by mistake")
    page = create_app(store, profile).test_client().get(f"/certs/{issued}?lang=en").text
    assert "verdict-revoked" in page
    assert "“Making micro-drama with AI” in it was revoked" in page


def test_a_share_without_scores_shows_none_of_the_courses_either(
    store: Store, issued: str, profile: IssuerProfile, courses: tuple[str, str]
) -> None:
    token = store.share(issued, hide_name=True, hide_score=True)
    page = create_app(store, profile).test_client().get(f"/certs/s/{token}?lang=en").text
    assert "Editing" in page
    for hidden in ("77.5", "89.25", "陈晓雨", *courses):
        assert hidden not in page
