"""Reads the facts back out of a strictly parsed credential: what the pages, the PDF and the command line show.

Our own credentials carry a course record and graded submissions, and these are held to their exact form. A credential
of another issuer is read as far as Open Badges goes: title, holder, criteria, skills, dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from certs.certificate import LabEvidence, Level, Skill, Text
from certs.credential import record
from certs.credential.addresses import is_trap
from certs.credential.build import AI_GENRE, COURSE_GENRE, LAB_GENRE
from certs.credential.identity import COMMITMENT, COMMITMENT_PREFIX
from certs.rules import SHA256, name_problem
from certs.wording import microseconds, number, split_name, split_prose

CREDENTIAL_TYPES = frozenset({"OpenBadgeCredential", "AchievementCredential"})
_COURSE_LINES = frozenset(
    {
        "course",
        "course version",
        "completed",
        "score percent",
        "lab seconds",
        "gpu seconds",
        "subsidised seconds",
        "subsidised gpu seconds",
    }
)
_COURSE_OPTIONAL = frozenset({"level"})
_LAB_LINES = frozenset(
    {"lab", "lab version", "attempt", "score percent", "automatic percent", "graded", "submission sha256"}
)
_LAB_OPTIONAL = frozenset({"hand percent", "rubric version", "model sha256"})


class FactsError(Exception):
    """The credential is not of a kind that can be read; the message says what was got and what was expected."""


@dataclass(frozen=True)
class CourseRecord:
    """What the issuer recorded of the whole course. Percent, seconds, microseconds."""

    course: str
    course_version: str
    completed_us: int
    score_percent: float
    lab_seconds: int
    gpu_seconds: int
    subsidised_seconds: int
    subsidised_gpu_seconds: int
    level: Level | None = None


@dataclass(frozen=True)
class StatusEntry:
    """Where the credential's revocation bit is."""

    list_address: str
    index: int


@dataclass(frozen=True)
class Facts:
    """Everything a credential says, in values."""

    id: str
    issuer: str
    issuer_name: Text
    holder_name: str | None
    identity_sha256: str | None
    title: Text
    summary: Text
    criteria: Text | None
    skills: tuple[Skill, ...]
    valid_from_us: int
    valid_until_us: int | None
    record: CourseRecord | None
    labs: tuple[LabEvidence, ...]
    ai_use: Text | None
    status: StatusEntry | None
    members: tuple[Facts, ...] = ()


def read_programme(document: dict[str, Any], members: tuple[dict[str, Any], ...]) -> Facts:
    """The facts of a programme credential and of the course credentials in it.

    Raises:
        FactsError: as :func:`read_facts`, or a course credential is another holder's.
    """
    courses = tuple(read_facts(member) for member in members)
    try:
        facts = _read_outer(document, courses)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FactsError(f"got a member missing or of another form ({error}), expected a CLR 2.0") from None
    if others := [course.holder_name for course in courses if course.holder_name != facts.holder_name]:
        raise FactsError(f"got a course certificate of {others[0]!r}, expected all of {facts.holder_name!r}")
    return facts


def read_facts(document: dict[str, Any]) -> Facts:
    """The facts of a credential.

    Raises:
        FactsError: a member that is read has another form than Open Badges 3.0 gives it, or two of them disagree.
    """
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, record.RecordError) as error:
        raise FactsError(f"got a member missing or of another form ({error}), expected Open Badges 3.0") from None


def _read(document: dict[str, Any]) -> Facts:
    types = set(_strings(document["type"]))
    if "VerifiableCredential" not in types or not types & CREDENTIAL_TYPES:
        raise FactsError(f"type: got {sorted(types)}, expected VerifiableCredential and OpenBadgeCredential")
    subject = document["credentialSubject"]
    achievement = _object(subject["achievement"])
    issuer = document["issuer"] if isinstance(document["issuer"], dict) else {"id": document["issuer"]}
    evidence = [_object(entry) for entry in _list(document.get("evidence"))]
    criteria = _object(achievement.get("criteria", {})).get("narrative")
    until = document.get("validUntil")
    facts = Facts(
        id=_string(document["id"]),
        issuer=_string(issuer["id"]),
        issuer_name=split_name(_string(issuer.get("name", issuer["id"]))),
        holder_name=_holder(subject),
        identity_sha256=_identity(subject),
        title=split_name(_string(achievement["name"])),
        summary=split_prose(_string(achievement.get("description", ""))),
        criteria=None if criteria is None else split_prose(_string(criteria)),
        skills=tuple(_skill(_object(entry)) for entry in _list(achievement.get("alignment"))),
        valid_from_us=microseconds(_string(document["validFrom"])),
        valid_until_us=None if until is None else microseconds(_string(until)),
        record=_course(evidence),
        labs=tuple(_lab(entry) for entry in evidence if entry.get("genre") == LAB_GENRE),
        ai_use=_ai_use(evidence),
        status=_status(document, _string(issuer["id"])),
    )
    _agree(facts, subject)
    return facts


def _read_outer(document: dict[str, Any], courses: tuple[Facts, ...]) -> Facts:
    subject, issuer = document["credentialSubject"], document["issuer"]
    achievement = _object(_list(subject["achievement"])[0])
    until = document.get("validUntil")
    skills = {skill.id: skill for course in courses for skill in course.skills}
    return Facts(
        id=_string(document["id"]),
        issuer=_string(issuer["id"]),
        issuer_name=split_name(_string(issuer["name"])),
        holder_name=_holder(subject),
        identity_sha256=_identity(subject),
        title=split_name(_string(achievement["name"])),
        summary=split_prose(_string(achievement["description"])),
        criteria=split_prose(_string(achievement["criteria"]["narrative"])),
        skills=tuple(skills.values()),
        valid_from_us=microseconds(_string(document["validFrom"])),
        valid_until_us=None if until is None else microseconds(_string(until)),
        record=None,
        labs=(),
        ai_use=None,
        status=_status(document, _string(issuer["id"])),
        members=courses,
    )


def _holder(subject: dict[str, Any]) -> str | None:
    names = [
        _string(entry["identityHash"])
        for entry in map(_object, _list(subject.get("identifier")))
        if entry.get("identityType") == "name" and entry.get("hashed") is False
    ]
    if len(names) > 1:
        raise FactsError(f"credentialSubject.identifier: got {len(names)} names, expected one")
    if names and (problem := name_problem(names[0])):
        raise FactsError(f"holder's name: {problem}")
    return names[0] if names else None


def _identity(subject: dict[str, Any]) -> str | None:
    digests = [
        _string(entry["identityHash"]).removeprefix(COMMITMENT_PREFIX)
        for entry in map(_object, _list(subject.get("identifier")))
        if entry.get("identityType") == COMMITMENT
    ]
    if len(digests) > 1 or not all(SHA256.fullmatch(digest) for digest in digests):
        raise FactsError(f"credentialSubject.identifier: got {digests}, expected one SHA-256 commitment at most")
    return digests[0] if digests else None


def _skill(entry: dict[str, Any]) -> Skill:
    name = _string(entry["targetName"])
    return Skill(id=_string(entry.get("targetCode", name)), title=split_name(name))


def _course(evidence: list[dict[str, Any]]) -> CourseRecord | None:
    found = [entry for entry in evidence if entry.get("genre") == COURSE_GENRE]
    if not found:
        return None
    if len(found) > 1:
        raise FactsError(f"evidence: got {len(found)} course records, expected one")
    lines = record.read(_string(found[0]["narrative"]), required=_COURSE_LINES, optional=_COURSE_OPTIONAL)
    return CourseRecord(
        course=lines["course"],
        course_version=lines["course version"],
        completed_us=microseconds(lines["completed"]),
        score_percent=float(lines["score percent"]),
        lab_seconds=int(lines["lab seconds"]),
        gpu_seconds=int(lines["gpu seconds"]),
        subsidised_seconds=int(lines["subsidised seconds"]),
        subsidised_gpu_seconds=int(lines["subsidised gpu seconds"]),
        level=Level(lines["level"]) if "level" in lines else None,
    )


def _lab(entry: dict[str, Any]) -> LabEvidence:
    lines = record.read(_string(entry["narrative"]), required=_LAB_LINES, optional=_LAB_OPTIONAL)
    hand = lines.get("hand percent")
    return LabEvidence(
        lab=lines["lab"],
        title=split_name(_string(entry["name"])),
        submission_sha256=lines["submission sha256"],
        lab_version=lines["lab version"],
        rubric_version=lines.get("rubric version"),
        attempt=int(lines["attempt"]),
        score_percent=float(lines["score percent"]),
        auto_percent=float(lines["automatic percent"]),
        hand_percent=None if hand is None else float(hand),
        graded_us=microseconds(lines["graded"]),
        model_sha256=lines.get("model sha256"),
    )


def _ai_use(evidence: list[dict[str, Any]]) -> Text | None:
    found = [entry for entry in evidence if entry.get("genre") == AI_GENRE]
    if len(found) > 1:
        raise FactsError(f"evidence: got {len(found)} AI use statements, expected one")
    return split_prose(_string(found[0]["narrative"])) if found else None


def _status(document: dict[str, Any], issuer: str) -> StatusEntry | None:
    if "credentialStatus" not in document:
        return None
    entry = document["credentialStatus"]
    if not isinstance(entry, dict) or entry.get("type") != "BitstringStatusListEntry":
        raise FactsError("credentialStatus: got another form, expected one BitstringStatusListEntry")
    if entry.get("statusPurpose") != "revocation" or str(entry.get("statusSize", 1)) != "1":
        raise FactsError("credentialStatus: got another purpose or size, expected revocation in one bit")
    index = _string(entry["statusListIndex"])
    if not (index.isascii() and index.isdigit() and len(index) <= 10):  # noqa: PLR2004 - digits of the longest list
        raise FactsError(f"credentialStatus.statusListIndex: got {index[:40]!r}, expected a number")
    address = _string(entry["statusListCredential"])
    if is_trap(address, issuer):
        raise FactsError(f"credentialStatus: got a list at {address[:200]!r}, expected a public web address")
    return StatusEntry(address, int(index))


def _agree(facts: Facts, subject: dict[str, Any]) -> None:
    """Other software shows the Open Badges results, ours the records: in one credential they must say the same."""
    if facts.record is None:
        return
    signed = [_string(_object(entry)["value"]) for entry in _list(subject.get("result"))]
    ours = [number(score) for score in (facts.record.score_percent, *(lab.score_percent for lab in facts.labs))]
    if signed != ours:
        raise FactsError(f"credentialSubject.result: got {signed}, expected {ours} as in the records")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {type(value).__name__}, expected a string")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"got {type(value).__name__}, expected an object")
    return value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _strings(value: Any) -> list[str]:
    return [_string(entry) for entry in _list(value)]
