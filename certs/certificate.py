"""VALUE: what a certificate claims, who issues it, and the record kept of it; no I/O.

Scores are percent (0 to 100), durations whole seconds, times microseconds since the epoch (UTC), digests lower-case
hexadecimal SHA-256. The types only say what a claim is made of; :func:`certs.rules.problems` says which are refused.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Text:
    """The same words in Chinese and in English."""

    zh: str
    en: str

    def in_locale(self, locale: str) -> str:
        """The words for ``locale`` (``zh_CN`` or ``en``)."""
        return self.zh if locale.startswith("zh") else self.en


class Level(StrEnum):
    """How demanding a course is."""

    FOUNDATION = "foundation"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


@dataclass(frozen=True, config=_STRICT)
class Skill:
    """Something the holder showed they can do."""

    id: str
    title: Text


@dataclass(frozen=True, config=_STRICT)
class LabEvidence:
    """One graded lab: which submission, under which version and rubric, with what score."""

    lab: str
    title: Text
    submission_sha256: str
    lab_version: str
    rubric_version: str | None
    attempt: int
    score_percent: float
    auto_percent: float
    hand_percent: float | None
    graded_us: int
    model_sha256: str | None


@dataclass(frozen=True, config=_STRICT)
class Claim:
    """Everything a certificate is to say. ``holder_ref`` only makes the request idempotent and is never signed.

    ``valid_until_us``: when the skill has aged; None for never. ``identity_sha256``: a commitment to an identity number
    (:mod:`certs.credential.identity`), never the number.
    """

    holder_name: str
    holder_ref: str
    course: str
    course_version: str
    title: Text
    summary: Text
    criteria: Text
    skills: tuple[Skill, ...]
    labs: tuple[LabEvidence, ...]
    score_percent: float
    lab_seconds: int
    gpu_seconds: int
    subsidised_seconds: int
    subsidised_gpu_seconds: int
    ai_use: Text
    completed_us: int
    valid_until_us: int | None = None
    identity_sha256: str | None = None
    level: Level | None = None


@dataclass(frozen=True, config=_STRICT)
class ProgrammeClaim:
    """What a certificate over several course certificates is to say; ``course`` is the programme's own short name.

    ``members`` are the ids of the holder's course certificates, which go into it whole.
    """

    holder_name: str
    holder_ref: str
    course: str
    course_version: str
    title: Text
    summary: Text
    criteria: Text
    members: tuple[str, ...]
    completed_us: int
    valid_until_us: int | None = None
    identity_sha256: str | None = None


@dataclass(frozen=True, config=_STRICT)
class IssuerProfile:
    """Who issues: ``id`` is the address of the controller document, ``base_url`` where the certificate pages lie."""

    id: str
    name: Text
    base_url: str

    def address(self, certificate_id: str) -> str:
        """Where the page of a certificate is; also the credential's own id."""
        return f"{self.base_url}/{certificate_id}"

    def status_address(self, number: int) -> str:
        """Where a status list is served."""
        return f"{self.base_url}/status/{number}"

    def log_address(self, multibase: str) -> str:
        """Where the log of what a given-up key had signed is served."""
        return f"{self.base_url}/log/{multibase}"


class State(StrEnum):
    """How far a requested certificate has come."""

    PENDING = "pending"
    ISSUED = "issued"
    REFUSED = "refused"
    ERASED = "erased"


@dataclass(frozen=True, config=_STRICT)
class Certificate:
    """The record of one certificate. ``document`` is the exact signed JSON once issued."""

    id: str
    holder_ref: str
    course: str
    state: State
    status_list: int
    status_index: int
    requested_us: int
    issued_us: int | None
    document: bytes | None
    document_sha256: str | None
    refused_reason: str | None
    revoked_us: int | None
    revoked_reason: str | None
    edition: int = 1
    superseded_us: int | None = None
    superseded_by: str | None = None
    paused_us: int | None = None


@dataclass(frozen=True, config=_STRICT)
class Share:
    """An address under which the holder shows a certificate without their name, without the scores, or without both."""

    token: str
    certificate_id: str
    hide_name: bool
    hide_score: bool
    created_us: int
    ended_us: int | None


# Neither takes the other's members, so the text itself says which it is.
_CLAIM: TypeAdapter[Claim | ProgrammeClaim] = TypeAdapter(Claim | ProgrammeClaim)


def claim_to_json(claim: Claim | ProgrammeClaim) -> str:
    """``claim`` as JSON text that :func:`claim_from_json` reads back unchanged."""
    return _CLAIM.dump_json(claim).decode()


def claim_from_json(text: str) -> Claim | ProgrammeClaim:
    """The claim that :func:`claim_to_json` wrote.

    Raises:
        pydantic.ValidationError: ``text`` is no claim.
    """
    return _CLAIM.validate_json(text)
