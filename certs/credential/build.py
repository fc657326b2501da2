"""A claim as an Open Badges 3.0 credential in the W3C Verifiable Credentials 2.0 data model, not yet signed.

Everything a verifier needs is inside and signed; nothing of the person but the printed name. Terms are those of
OB 3.0.2's context (``endorsementJwt`` and ``jti`` were added to 3.0.3 after publication and are avoided).
"""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

from certs.certificate import Text
from certs.credential import record
from certs.credential.document import OB_CONTEXT, VC_CONTEXT
from certs.credential.identity import COMMITMENT, COMMITMENT_PREFIX
from certs.wording import join_name, join_prose, number, timestamp

if TYPE_CHECKING:
    from certs.certificate import Claim, IssuerProfile, LabEvidence

COURSE_GENRE = "Course record"
LAB_GENRE = "Graded submission"
AI_GENRE = "AI use"
CERTIFICATE_OF_COMPLETION = Text(zh="结业证书", en="Certificate of completion")


def build(
    claim: Claim,
    profile: IssuerProfile,
    *,
    certificate_id: str,
    status_list: int,
    status_index: int,
    valid_from_us: int,
) -> dict[str, Any]:
    """The unsigned credential of ``claim``; the same input gives the same document."""
    address = profile.address(certificate_id)
    title = Text(
        zh=f"{CERTIFICATE_OF_COMPLETION.zh}：{claim.title.zh}", en=f"{CERTIFICATE_OF_COMPLETION.en}: {claim.title.en}"
    )
    return {
        "@context": [VC_CONTEXT, OB_CONTEXT],
        "id": address,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": join_name(title),
        "issuer": issuer_of(profile),
        "validFrom": timestamp(valid_from_us),
        **({} if claim.valid_until_us is None else {"validUntil": timestamp(claim.valid_until_us)}),
        "credentialSubject": _subject(claim, profile, address),
        "evidence": _evidence(claim, address),
        "credentialStatus": status_of(profile, status_list, status_index),
    }


def issuer_of(profile: IssuerProfile) -> dict[str, Any]:
    """Who issues, as it stands in every credential."""
    return {
        "id": profile.id,
        "type": ["Profile"],
        "name": join_name(profile.name),
        "url": f"{profile.base_url}/",
    }


def status_of(profile: IssuerProfile, number: int, index: int) -> dict[str, Any]:
    """Where the revocation bit is."""
    address = profile.status_address(number)
    return {
        "id": f"{address}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(index),
        "statusListCredential": address,
    }


def _subject(claim: Claim, profile: IssuerProfile, address: str) -> dict[str, Any]:
    achievement = _achievement_id(claim, profile)
    scores = [("score", claim.score_percent), *((f"lab-{lab.lab}", lab.score_percent) for lab in claim.labs)]
    return {
        "id": f"{address}#holder",
        "type": ["AchievementSubject"],
        "identifier": identifiers(claim.holder_name, claim.identity_sha256),
        "achievement": _achievement(claim, achievement, address),
        "result": [
            {"type": ["Result"], "resultDescription": f"{achievement}#{name}", "value": number(score)}
            for name, score in scores
        ],
    }


def identifiers(holder_name: str, identity_sha256: str | None) -> list[dict[str, Any]]:
    """The holder's name, and the commitment to an identity number where there is one."""
    name = {"type": "IdentityObject", "hashed": False, "identityType": "name", "identityHash": holder_name}
    if identity_sha256 is None:
        return [name]
    digest = f"{COMMITMENT_PREFIX}{identity_sha256}"
    return [name, {"type": "IdentityObject", "hashed": True, "identityType": COMMITMENT, "identityHash": digest}]


def _achievement_id(claim: Claim, profile: IssuerProfile) -> str:
    """One id for a course version of an issuer, the same for every holder; a URN, for it names and locates nothing."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{profile.id}#{claim.course}/{claim.course_version}").urn


def _achievement(claim: Claim, achievement: str, address: str) -> dict[str, Any]:
    whole = Text(zh="总成绩", en="Overall score")
    results = [("score", whole), *((f"lab-{lab.lab}", lab.title) for lab in claim.labs)]
    return {
        "id": achievement,
        "type": ["Achievement"],
        "achievementType": "CertificateOfCompletion",
        "name": join_name(claim.title),
        "description": join_prose(claim.summary),
        "criteria": {"narrative": join_prose(claim.criteria)},
        "humanCode": claim.course,
        "version": claim.course_version,
        "resultDescription": [
            {
                "id": f"{achievement}#{name}",
                "type": ["ResultDescription"],
                "name": join_name(title),
                "resultType": "Percent",
                "valueMin": "0",
                "valueMax": "100",
            }
            for name, title in results
        ],
        # An issuer may name no skill; an empty array would be dropped by JSON-LD and so left unsigned.
        **({"alignment": [_skill(skill.id, skill.title, address) for skill in claim.skills]} if claim.skills else {}),
    }


def _skill(skill_id: str, title: Text, address: str) -> dict[str, Any]:
    return {
        "type": ["Alignment"],
        "targetCode": skill_id,
        "targetName": join_name(title),
        "targetUrl": f"{address}#skill-{skill_id}",
    }


def _evidence(claim: Claim, address: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{address}#record",
            "type": ["Evidence"],
            "genre": COURSE_GENRE,
            "name": join_name(Text(zh="课程记录", en="Course record")),
            "narrative": record.write(_course_lines(claim)),
        },
        *(_lab(lab, address) for lab in claim.labs),
        {
            "id": f"{address}#ai-use",
            "type": ["Evidence"],
            "genre": AI_GENRE,
            "name": join_name(Text(zh="人工智能使用说明", en="How AI was used")),
            "narrative": join_prose(claim.ai_use),
        },
    ]


def _course_lines(claim: Claim) -> dict[str, str | None]:
    return {
        "course": claim.course,
        "course version": claim.course_version,
        "level": claim.level,
        "completed": timestamp(claim.completed_us),
        "score percent": number(claim.score_percent),
        "lab seconds": str(claim.lab_seconds),
        "gpu seconds": str(claim.gpu_seconds),
        "subsidised seconds": str(claim.subsidised_seconds),
        "subsidised gpu seconds": str(claim.subsidised_gpu_seconds),
    }


def _lab(lab: LabEvidence, address: str) -> dict[str, Any]:
    return {
        "id": f"{address}#lab-{lab.lab}",
        "type": ["Evidence"],
        "genre": LAB_GENRE,
        "name": join_name(lab.title),
        "digestSRI": _subresource_integrity(lab.submission_sha256),
        "narrative": record.write(
            {
                "lab": lab.lab,
                "lab version": lab.lab_version,
                "attempt": str(lab.attempt),
                "score percent": number(lab.score_percent),
                "automatic percent": number(lab.auto_percent),
                "hand percent": None if lab.hand_percent is None else number(lab.hand_percent),
                "rubric version": lab.rubric_version,
                "graded": timestamp(lab.graded_us),
                "submission sha256": lab.submission_sha256,
                "model sha256": lab.model_sha256,
            }
        ),
    }


def _subresource_integrity(sha256: str) -> str:
    return "sha256-" + base64.b64encode(bytes.fromhex(sha256)).decode()
