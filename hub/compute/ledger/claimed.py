"""SQL of claims: which charge lines stand in which claim, under which number a learner does, and what was noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, Uuid, and_, exists, func, insert, literal, select, text, update

from hub.compute.books import CLAIM_FROZEN, CLAIM_NOTED
from hub.compute.claim.freeze import read_claim
from hub.compute.claim.value import Claim, ClaimLine, ClaimRequest, Note
from hub.compute.ledger import entries as chain
from hub.compute.tables import charge_line, claim, claim_line, claim_note, claim_person, lease

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

_BATCH = 5_000
_KEY = ("lease", "segment", "line")
_ORDER = (charge_line.c.from_us, charge_line.c.lease, charge_line.c.segment, charge_line.c.line)


def find_claim(connection: Connection, claim_id: UUID) -> Claim | None:
    """The frozen claim of this id, None when there is none."""
    entry = chain.find(connection, CLAIM_FROZEN, str(claim_id))
    return read_claim(entry) if entry else None


def claims(connection: Connection) -> tuple[Claim, ...]:
    """Every claim, newest first."""
    return tuple(read_claim(entry) for entry in chain.of_kind(connection, CLAIM_FROZEN))


def blocking_lease(connection: Connection, before_us: int) -> Any:
    """A lease that was asked for before a moment and has not ended, None when all have."""
    asked = select(lease.c.id, lease.c.state, lease.c.learner).where(
        lease.c.state.in_(("opened", "running")), lease.c.requested_us < before_us
    )
    return connection.execute(asked.limit(1)).one_or_none()


def claimed_before(connection: Connection, request: ClaimRequest) -> int:
    """How many lines that a request is about stand in a claim already."""
    asked = select(func.count()).select_from(charge_line).where(*_wanted(request), _claimed())
    return int(connection.execute(asked).scalar_one())


def take_lines(connection: Connection, request: ClaimRequest) -> None:
    """Put every line that a request is about and no claim has into this claim, and give new learners their number."""
    keys = [charge_line.c[name] for name in _KEY]
    free = select(*keys, literal(request.id, Uuid())).where(*_wanted(request), ~_claimed())
    connection.execute(insert(claim_line).from_select([*_KEY, "claim"], free))
    if connection.dialect.name == "postgresql":
        # It plans how to read these lines by how many it believes there are, which is none until it is told.
        connection.execute(text(f"ANALYZE {claim_line.name}"))
    numbers = _numbers(connection, request.programme)
    first_seen = func.min(charge_line.c.from_us)
    asked = select(charge_line.c.learner, first_seen).where(_in_claim(request.id)).group_by(charge_line.c.learner)
    met = sorted((at_us, learner) for learner, at_us in connection.execute(asked) if learner not in numbers)
    rows = [
        {"programme": request.programme, "learner": learner, "number": number}
        for number, (_, learner) in enumerate(met, start=len(numbers) + 1)
    ]
    if rows:
        connection.execute(insert(claim_person), rows)


def free_lines(connection: Connection, request: ClaimRequest) -> Iterator[ClaimLine]:
    """The lines that :func:`take_lines` would take, with the numbers it would give."""
    numbers = _numbers(connection, request.programme)
    return _told(connection, _lines().where(*_wanted(request), ~_claimed()), numbers)


def lines_of(connection: Connection, claim_id: UUID, programme: str) -> Iterator[ClaimLine]:
    """A claim's lines, in the order in which they happened."""
    return _told(connection, _lines().where(_in_claim(claim_id)), _numbers(connection, programme))


def people_of(connection: Connection, programme: str) -> dict[int, str]:
    """Who stands under which number in a programme's evidence packs."""
    return {number: learner for learner, number in _numbers(connection, programme).items()}


def keep_claim(connection: Connection, frozen: Claim) -> None:
    """Store a frozen claim beside its lines, and which corrections it carries."""
    connection.execute(insert(claim).values(claim_row(frozen)))
    carried = [note.id for note in frozen.corrections]
    change = update(claim_note).where(claim_note.c.id.in_(carried)).values(carried_by=frozen.request.id)
    connection.execute(change)


def claim_row(frozen: Claim) -> dict[str, Any]:
    """A claim as its row, in the order of the table's columns."""
    asked = frozen.request
    return {
        "id": asked.id,
        "seq": frozen.seq,
        "programme": asked.programme,
        "payer": asked.payer,
        "from_day": asked.from_day,
        "until_day": asked.until_day,
        "lines": frozen.sums.lines,
        "due_uy": frozen.sums.due_uy,
    }


def keep_note(connection: Connection, seq: int, note: Note) -> None:
    """Store a note that was just made."""
    connection.execute(insert(claim_note).values(note_row(seq, note)))


def note_row(seq: int, note: Note) -> dict[str, Any]:
    """A note as its row, but for which claim carries it."""
    return {"id": note.id, "seq": seq, "claim": note.claim, "what": note.what, "amount_uy": note.amount_uy}


def notes_of(connection: Connection, claim_id: UUID) -> tuple[Note, ...]:
    """What was said about a claim, oldest first."""
    return _notes(connection, claim_note.c.claim == claim_id)


def open_corrections(connection: Connection, request: ClaimRequest) -> tuple[Note, ...]:
    """Corrections of claims of the same payer that no claim carries yet, oldest first."""
    same = select(claim.c.id).where(claim.c.programme == request.programme, claim.c.payer == request.payer)
    return _notes(
        connection,
        and_(
            claim_note.c.what == "correction",
            claim_note.c.carried_by.is_(None),
            claim_note.c.claim.in_(same),
        ),
    )


def corrected_uy(connection: Connection, claim_id: UUID) -> int:
    """How much of a claim was corrected away so far."""
    asked = select(func.coalesce(func.sum(claim_note.c.amount_uy), 0)).where(claim_note.c.claim == claim_id)
    return int(connection.execute(asked).scalar_one())


def _notes(connection: Connection, where: Any) -> tuple[Note, ...]:
    ids = connection.execute(select(claim_note.c.id).where(where).order_by(claim_note.c.seq)).scalars().all()
    found = (chain.find(connection, CLAIM_NOTED, str(note_id)) for note_id in ids)
    return tuple(Note.from_body(chain.body_of(entry)) for entry in found if entry)


def _lines() -> Select[Any]:
    leading = charge_line.alias()
    same = (
        leading.c.lease == charge_line.c.lease,
        leading.c.segment == charge_line.c.segment,
        leading.c.programme == charge_line.c.programme,
    )
    total, gpu = (
        select(func.sum(leading.c[name])).where(*same).scalar_subquery().label(name) for name in ("total_uy", "gpu_us")
    )
    names = [name for name in ClaimLine._fields if name not in {"person", "total_uy", "gpu_us"}]
    return select(charge_line.c.learner, total, gpu, *(charge_line.c[name] for name in names)).order_by(*_ORDER)


def _told(connection: Connection, asked: Select[Any], numbers: dict[str, int]) -> Iterator[ClaimLine]:
    for row in connection.execute(asked, execution_options={"yield_per": _BATCH}):
        values = row._asdict()
        learner = values.pop("learner")
        values["total_uy"], values["gpu_us"] = int(row.total_uy), int(row.gpu_us)
        yield ClaimLine(person=numbers.setdefault(learner, len(numbers) + 1), **values)


def _numbers(connection: Connection, programme: str) -> dict[str, int]:
    asked = select(claim_person.c.learner, claim_person.c.number).where(claim_person.c.programme == programme)
    return {row.learner: row.number for row in connection.execute(asked)}


def _wanted(request: ClaimRequest) -> tuple[Any, ...]:
    return (
        charge_line.c.programme == request.programme,
        charge_line.c.payer == request.payer,
        charge_line.c.day >= request.from_day,
        charge_line.c.day < request.until_day,
        charge_line.c.amount_uy > 0,
    )


def _claimed() -> Any:
    return exists().where(*(claim_line.c[name] == charge_line.c[name] for name in _KEY))


def _in_claim(claim_id: UUID) -> Any:
    same = (claim_line.c[name] == charge_line.c[name] for name in _KEY)
    return exists().where(*same, claim_line.c.claim == claim_id)
