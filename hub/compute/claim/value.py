"""VALUE: claims: what is asked of one payer of one programme for a period, line by line. Pure; no I/O.

A charge line has one payer, so a line that stands in a claim has been claimed of its payer, and never is again. What is
found wrong later is a new entry (a note); a correction is carried by the next claim of the same payer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self
from uuid import UUID

from hub.compute.lease import MAX_UY, LedgerError, plain_text, refuse_bad_int, refuse_bad_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.compute.policy import Policy

NoteKind = Literal["query", "answer", "correction"]
NOTE_KINDS: tuple[NoteKind, ...] = ("query", "answer", "correction")
_MOST_WORDS = 2_000


class ClaimError(LedgerError):
    """A claim cannot be made so; the message says what was got and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """What to claim of whom, and under which contract; the id is chosen by the caller and survives retries.

    ``until_day`` is not included. ``contract`` and ``invoice`` are the operator's own references, as they write them;
    ``invoice`` may be empty while there is none.
    """

    id: UUID
    programme: str
    payer: str
    from_day: str
    until_day: str
    operator: str
    contract: str
    invoice: str = ""

    def __post_init__(self) -> None:
        for name in ("programme", "payer", "operator", "contract", "invoice"):
            refuse_bad_name(name, getattr(self, name), empty_ok=name == "invoice")
        if not _day("from_day", self.from_day) < _day("until_day", self.until_day):
            raise ValueError(f"until_day: got {self.until_day}, expected a day after {self.from_day}")

    def as_body(self) -> dict[str, Any]:
        """As an entry of the chain keeps it."""
        return {**asdict(self), "id": str(self.id)}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """What :meth:`as_body` wrote."""
        return cls(**{**body, "id": UUID(body["id"])})


class ClaimLine(NamedTuple):
    """One charge line as a claim tells it: the learner is a number, and the stretch's own measures stand beside it."""

    lease: UUID
    segment: int
    line: int
    person: int
    course: str
    lab: str
    cohort: str
    site: str
    profile: str
    day: str
    from_us: int
    until_us: int
    gpu_us: int
    tariff: str
    programme: str
    payer: str
    total_uy: int
    amount_uy: int
    estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something said about a frozen claim; a correction takes ``amount_uy`` off what is due, in the next claim."""

    id: UUID
    claim: UUID
    what: NoteKind
    words: str
    by: str
    at_us: int
    amount_uy: int = 0
    lease: str = ""

    def __post_init__(self) -> None:
        refuse_bad_name("by", self.by)
        if self.what not in NOTE_KINDS:
            raise ValueError(f"what: got {self.what!r}, expected one of {list(NOTE_KINDS)}")
        if not self.words.strip() or plain_text(self.words) != self.words:
            raise ValueError(f"words: got {self.words[:40]!r}, expected up to {_MOST_WORDS} printable characters")
        correction = self.what == "correction"
        refuse_bad_int("amount_uy", self.amount_uy, least=int(correction), most=MAX_UY if correction else 0)

    def as_body(self) -> dict[str, Any]:
        """As an entry of the chain keeps it."""
        return {**asdict(self), "id": str(self.id), "claim": str(self.claim)}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """What :meth:`as_body` wrote."""
        return cls(**{**body, "id": UUID(body["id"]), "claim": UUID(body["claim"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSums:
    """What a claim's lines come to; ``due_uy`` is what is asked: the claimed amount less carried corrections."""

    lines: int
    people: int
    sessions: int
    estimated_sessions: int
    billed_us: int
    gpu_us: int
    total_uy: int
    amount_uy: int
    corrections_uy: int

    @property
    def due_uy(self) -> int:
        """What the payer is asked for; negative when corrections are more than what is claimed."""
        return self.amount_uy - self.corrections_uy


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What freezing would give now; ``claimed_before`` counts lines of the period that earlier claims took."""

    request: ClaimRequest
    sums: ClaimSums
    claimed_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A frozen claim as its entry of the chain says it: nothing in it ever changes."""

    seq: int
    digest: str
    frozen_us: int
    request: ClaimRequest
    sums: ClaimSums
    titles: dict[str, Any]
    corrections: tuple[Note, ...]
    utc_offset_minutes: int
    sha256: dict[str, str]


def sum_lines(lines: Iterable[ClaimLine], corrections: Iterable[Note]) -> ClaimSums:
    """Add a claim up."""
    people, sessions, guessed = set[int](), set[UUID](), set[UUID]()
    count = billed_us = gpu_us = total_uy = amount_uy = 0
    for line in lines:
        count += 1
        people.add(line.person)
        sessions.add(line.lease)
        if line.estimated:
            guessed.add(line.lease)
        billed_us += line.until_us - line.from_us
        gpu_us += line.gpu_us
        total_uy += line.total_uy
        amount_uy += line.amount_uy
    return ClaimSums(
        lines=count,
        people=len(people),
        sessions=len(sessions),
        estimated_sessions=len(guessed),
        billed_us=billed_us,
        gpu_us=gpu_us,
        total_uy=total_uy,
        amount_uy=amount_uy,
        corrections_uy=sum(note.amount_uy for note in corrections),
    )


def titles_of(request: ClaimRequest, policy: Policy) -> dict[str, Any]:
    """The names and legal references that the rules give the programme and its payer, in both languages.

    Raises:
        ClaimError: the rules know no such programme, or no such payer of it.
    """
    versions = [rule for rule in policy.subsidies.programme if rule.id == request.programme]
    payers = [payer for rule in versions for payer in rule.payer if payer.id == request.payer]
    if not payers:
        known = sorted({f"{rule.id}: {payer.id}" for rule in policy.subsidies.programme for payer in rule.payer})
        raise ClaimError(f"got payer {request.payer!r} of programme {request.programme!r}, expected one of {known}")
    return {
        "programme": versions[-1].title.model_dump(),
        "payer": payers[-1].title.model_dump(),
        "references": [rule.reference.model_dump() for rule in versions],
    }


def _day(what: str, value: str) -> date:
    try:
        found = date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what}: got {value!r}, expected a day as YYYY-MM-DD") from error
    if found.isoformat() != value:
        raise ValueError(f"{what}: got {value!r}, expected a day as YYYY-MM-DD")
    return found
