"""SQL: verdicts in, results out. A verdict is written once a claim; a later one takes its place without erasing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update

from grader.answers import answer_digests
from grader.store import papers
from grader.store.claims import finish_regrades, is_held
from grader.store.intake import find, from_row
from grader.store.marks import carry_marks_on, of_submission
from grader.store.scores import MANUAL, gather, settle
from grader.submission import Attempt, LabResult, ToShow, best_or_last, to_hand_grade
from grader.tables import cell, feedback_release, verdict
from grader.tables import submission as table
from grader.verdict import CellScore, Failure, ProducedFile, Verdict

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from grader.blobs import Blobs
    from grader.store.claims import Claim


@dataclass(frozen=True)
class Kept:
    """A verdict's bytes as digests in the blobs, its answers by digest, and the answers of the blank release."""

    notebook_sha256: str
    files: tuple[dict[str, Any], ...]
    answers: dict[str, str]
    blank: dict[str, str]


@dataclass(frozen=True)
class StoredVerdict:
    """A verdict's row with its cells, before its bytes are fetched."""

    row: Any
    cells: tuple[CellScore, ...]


def keep_files(blobs: Blobs, graded: Verdict, release: bytes) -> Kept:
    """Store a verdict's bytes before the row that names them."""
    files = tuple(
        {
            "path": file.path,
            "sha256": blobs.put(file.content) if file.content else file.sha256,
            "bytes": file.bytes,
            "kept": bool(file.content),
        }
        for file in graded.files
    )
    return Kept(blobs.put(graded.notebook), files, answer_digests(graded.notebook), answer_digests(release))


def record(connection: Connection, claim: Claim, graded: Verdict, kept: Kept, now_us: int) -> bool:
    """Write a verdict while its claim is held, carry hand marks on to it and settle the submission's state."""
    held = connection.execute(select(table.c.id).where(is_held(claim)).with_for_update()).first()
    if held is None:
        return False
    submission_id = claim.submission.id
    inserted = connection.execute(insert(verdict).values(_verdict_values(claim, graded, kept, now_us)))
    (verdict_id,) = inserted.inserted_primary_key or (None,)
    if graded.cells:
        rows = [_cell_values(verdict_id, position, one, kept) for position, one in enumerate(graded.cells)]
        connection.execute(insert(cell), rows)
    news = {"verdict_id": verdict_id, "state": "graded", "reason_zh": "", "reason_en": ""}
    connection.execute(update(table).where(table.c.id == submission_id).values(news))
    papers.lay_out(connection, submission_id)
    carry_marks_on(connection, submission_id, now_us)
    settle(connection, submission_id)
    finish_regrades(connection, submission_id, now_us, _auto_score(graded))
    return True


def _auto_score(graded: Verdict) -> float:
    return sum(one.score for one in graded.cells if one.kind != MANUAL)


def _verdict_values(claim: Claim, graded: Verdict, kept: Kept, now_us: int) -> dict[str, Any]:
    return {
        "submission_id": claim.submission.id,
        "fence": claim.fence,
        "lab_version": claim.version,
        "auto_score": _auto_score(graded),
        "auto_max": sum(one.max_score for one in graded.cells if one.kind != MANUAL),
        "hand_max": sum(one.max_score for one in graded.cells if one.kind == MANUAL),
        "seconds": graded.seconds,
        "failure_zh": graded.failure.reason_zh if graded.failure else "",
        "failure_en": graded.failure.reason_en if graded.failure else "",
        "notebook_sha256": kept.notebook_sha256,
        "files": json.dumps(kept.files),
        "graded_us": now_us,
    }


def _cell_values(verdict_id: Any, position: int, one: CellScore, kept: Kept) -> dict[str, Any]:
    answer = kept.answers.get(one.grade_id, "")
    return {
        "verdict_id": verdict_id,
        "position": position,
        "grade_id": one.grade_id,
        "title": _storable(one.title),
        "kind": one.kind,
        "score": one.score,
        "max_score": one.max_score,
        "reason_zh": _storable(one.reason_zh),
        "reason_en": _storable(one.reason_en),
        "output": _storable(one.output),
        "answer_sha256": answer,
        "answered": answer != kept.blank.get(one.grade_id, ""),
    }


def _storable(text: str) -> str:
    # Learners' words reach reasons and outputs; PostgreSQL stores neither NUL nor lone surrogates.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def stored_verdict(connection: Connection, submission_id: str) -> StoredVerdict | None:
    """The latest verdict of a submission."""
    joined = table.join(verdict, verdict.c.id == table.c.verdict_id)
    row = connection.execute(select(verdict).select_from(joined).where(table.c.id == submission_id)).first()
    if row is None:
        return None
    cells = connection.execute(select(cell).where(cell.c.verdict_id == row.id).order_by(cell.c.position)).all()
    return StoredVerdict(row, tuple(_cell_score(graded) for graded in cells))


def _cell_score(row: Any) -> CellScore:
    names = CellScore.__dataclass_fields__
    return CellScore(**{name: getattr(row, name) for name in names})


def rebuild(blobs: Blobs, stored: StoredVerdict) -> Verdict:
    """The verdict as it was recorded, its bytes fetched."""
    row = stored.row
    failure = Failure("learner", row.failure_zh, row.failure_en) if row.failure_en else None
    return Verdict(
        cells=stored.cells,
        notebook=blobs.get(row.notebook_sha256),
        failure=failure,
        seconds=row.seconds,
        files=tuple(_produced(blobs, file) for file in json.loads(row.files)),
    )


def _produced(blobs: Blobs, file: dict[str, Any]) -> ProducedFile:
    content = blobs.get(file["sha256"]) if file["kept"] else b""
    return ProducedFile(file["path"], file["sha256"], file["bytes"], content)


def attempts(connection: Connection, course: str, lab: str, learner: str) -> tuple[Attempt, ...]:
    """All attempts of a learner at a lab with what became of them."""
    mine = and_(table.c.course == course, table.c.lab == lab, table.c.learner == learner)
    results = {scored.result.submission_id: scored.result for scored in gather(connection, mine)}
    released = _is_released(connection, course, lab, learner)
    rows = connection.execute(select(table).where(mine).order_by(table.c.attempt)).all()
    return tuple(Attempt(from_row(row), results.get(row.id), released) for row in rows)


def class_attempts(connection: Connection, course: str) -> tuple[Attempt, ...]:
    """All attempts of a course's learners with what became of them, in the same few queries for any number of them."""
    here = table.c.course == course
    results = {scored.result.submission_id: scored.result for scored in gather(connection, here)}
    flags = feedback_release.c
    let = {tuple(row) for row in connection.execute(select(flags.lab, flags.learner).where(flags.course == course))}
    rows = connection.execute(select(table).where(here).order_by(table.c.lab, table.c.learner, table.c.attempt)).all()
    return tuple(Attempt(from_row(row), results.get(row.id), (row.lab, row.learner) in let) for row in rows)


def _is_released(connection: Connection, course: str, lab: str, learner: str) -> bool:
    flags = feedback_release.c
    mine = and_(flags.course == course, flags.lab == lab, flags.learner == learner)
    return connection.execute(select(flags.released_us).where(mine)).first() is not None


def result(connection: Connection, submission_id: str) -> LabResult | None:
    """What one attempt was given."""
    found = gather(connection, table.c.id == submission_id)
    return found[0].result if found else None


def counted_results(connection: Connection, course: str, learner: str | None) -> tuple[LabResult, ...]:
    """For each lab and learner of a course the attempt that counts, by the rule of the newest attempt."""
    chosen = table.c.course == course
    if learner is not None:
        chosen = and_(chosen, table.c.learner == learner)
    scored = gather(connection, chosen)
    counting = []
    for _, group in groupby(scored, key=lambda one: (one.result.lab, one.result.learner)):
        members = list(group)
        counting.append(best_or_last([member.result for member in members], members[-1].counts))
    return tuple(one for one in counting if one is not None)


def to_show(connection: Connection, course: str, lab: str, learner: str) -> ToShow | None:
    """The attempt that a person should look at, with its marks and the verdicts this was chosen from."""
    mine = and_(table.c.course == course, table.c.lab == lab, table.c.learner == learner)
    scored = gather(connection, mine)
    chosen = to_hand_grade([one.result for one in scored], scored[-1].counts) if scored else None
    submission = find(connection, chosen.submission_id) if chosen else None
    if chosen is None or submission is None:
        return None
    known = connection.execute(select(table.c.id, table.c.verdict_id).where(mine, table.c.verdict_id.is_not(None)))
    return ToShow(
        submission, chosen, of_submission(connection, submission.id), tuple((row.id, row.verdict_id) for row in known)
    )
