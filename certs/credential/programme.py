"""A programme certificate: a Comprehensive Learner Record (CLR 2.0) that holds the course certificates whole.

The outer credential signs the inner ones with everything in them, and each inner one keeps its own proof, so that a
course certificate taken out of it is a certificate still. JSON-LD lets a statement about one node be written wherever
that node is named, so the outer part is held to one fixed shape, none of its nodes may be described inside a member,
and every member is one of ours that verifies on its own.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from openbadgeslib.ob3.clr import CLR_CONTEXT_URL, bundled_clr_contexts

from certs.certificate import Text
from certs.credential.build import CERTIFICATE_OF_COMPLETION, identifiers, issuer_of, status_of
from certs.credential.document import OB_CONTEXT, VC_CONTEXT, DocumentRefusedError, check_spelling, walk
from certs.credential.quads import described_programme
from certs.wording import join_name, join_prose, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certs.certificate import IssuerProfile, ProgrammeClaim

TYPE = "ClrCredential"
CONTEXTS = [VC_CONTEXT, OB_CONTEXT, CLR_CONTEXT_URL]
_SUBJECT = "credentialSubject"
_MEMBERS = "verifiableCredential"


def build(
    claim: ProgrammeClaim,
    profile: IssuerProfile,
    members: Sequence[Mapping[str, Any]],
    *,
    certificate_id: str,
    status_list: int,
    status_index: int,
    valid_from_us: int,
) -> dict[str, Any]:
    """The unsigned programme credential over signed course credentials; the same input gives the same document."""
    address = profile.address(certificate_id)
    title = Text(
        zh=f"{CERTIFICATE_OF_COMPLETION.zh}：{claim.title.zh}", en=f"{CERTIFICATE_OF_COMPLETION.en}: {claim.title.en}"
    )
    return {
        "@context": CONTEXTS,
        "id": address,
        "type": ["VerifiableCredential", TYPE],
        "name": join_name(title),
        "issuer": issuer_of(profile),
        "validFrom": timestamp(valid_from_us),
        **({} if claim.valid_until_us is None else {"validUntil": timestamp(claim.valid_until_us)}),
        _SUBJECT: {
            "id": f"{address}#holder",
            "type": ["ClrSubject"],
            "identifier": identifiers(claim.holder_name, claim.identity_sha256),
            "achievement": [_achievement(claim, profile)],
            _MEMBERS: [dict(member) for member in members],
        },
        "credentialStatus": status_of(profile, status_list, status_index),
    }


def contexts() -> dict[str, dict[str, Any]]:
    """The context that a programme names besides those of every credential, as it is bundled."""
    found: dict[str, dict[str, Any]] = bundled_clr_contexts()
    return found


def is_programme(document: Mapping[str, Any]) -> bool:
    """Whether a loaded document says that it is a Comprehensive Learner Record."""
    types = document.get("type")
    return isinstance(types, list) and TYPE in types


def open_programme(document: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The members of a loaded programme credential, when all of it is spelled as ours are.

    Raises:
        DocumentRefusedError: it is spelled in any other way.
    """
    if document.get("@context") != CONTEXTS:
        raise DocumentRefusedError(f"@context: got {str(document.get('@context'))[:200]}, expected {CONTEXTS}")
    subject = document.get(_SUBJECT)
    members = subject.get(_MEMBERS) if isinstance(subject, dict) else None
    if not isinstance(subject, dict) or not isinstance(members, list) or not members:
        raise DocumentRefusedError("credentialSubject: got no course certificates, expected a list of them")
    outer = {name: value for name, value in document.items() if name != "@context"}
    outer[_SUBJECT] = {name: value for name, value in subject.items() if name != _MEMBERS}
    walk(outer)
    ids = described_programme(outer)
    if ids is None:
        raise DocumentRefusedError("got another shape of programme certificate, expected exactly the members we write")
    for member in members:
        _check_member(member, document, ids)
    if len({member["id"] for member in members}) != len(members):
        raise DocumentRefusedError("credentialSubject: got the same course certificate twice, expected each once")
    return tuple(members)


def _check_member(member: Any, document: dict[str, Any], outer_ids: frozenset[str]) -> None:
    if not isinstance(member, dict):
        raise DocumentRefusedError("credentialSubject: got a course certificate that is no object, expected one whole")
    check_spelling(member)
    # The issuer is named in all of them, and described the same way in all.
    if member.get("issuer") != document.get("issuer"):
        raise DocumentRefusedError("credentialSubject: got a course certificate of another issuer, expected the same")
    allowed = {str(document["issuer"]["id"])}
    if again := (_ids(member) & outer_ids) - allowed:
        raise DocumentRefusedError(f"got {min(again)[:200]!r} described twice, expected once")


def _ids(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_ids, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    mine = {value["id"]} if isinstance(value.get("id"), str) else set()
    return mine.union(*map(_ids, value.values())) if value else mine


def _achievement(claim: ProgrammeClaim, profile: IssuerProfile) -> dict[str, Any]:
    return {
        "id": uuid.uuid5(uuid.NAMESPACE_URL, f"{profile.id}#programme/{claim.course}/{claim.course_version}").urn,
        "type": ["Achievement"],
        "achievementType": "CertificateOfCompletion",
        "name": join_name(claim.title),
        "description": join_prose(claim.summary),
        "criteria": {"narrative": join_prose(claim.criteria)},
        "humanCode": claim.course,
        "version": claim.course_version,
    }
