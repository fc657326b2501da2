"""SQL: what was handed in. Attempt numbers are stamped in the transaction that inserts the row."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from grader.refusal import Refused
from grader.store.regrades import mended_version
from grader.submission import LabRules, Submission, Window, late_penalty, lateness, receipt_of
from grader.tables import submission as table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from grader.submission import LatePolicy, Receipt

FIELDS = tuple(Submission.__dataclass_fields__)


@dataclass(frozen=True)
class Received:
    """An upload as the server stamped it."""

    course: str
    lab: str
    learner: str
    sha256: str
    bytes: int
    received_us: int
    version: str
    window: Window
    rules: LabRules
    sign: Callable[[Receipt], str] | None = None
    """Signs the receipt in the transaction that numbers the attempt, so that none is without the other."""


def from_row(row: Any) -> Submission:
    """The value of a row that holds at least the submission's own columns."""
    return Submission(**{name: getattr(row, name) for name in FIELDS})


def find(connection: Connection, submission_id: str) -> Submission | None:
    """The submission of that id."""
    row = connection.execute(select(table).where(table.c.id == submission_id)).first()
    return None if row is None else from_row(row)


def add(connection: Connection, received: Received) -> Submission:
    """Insert the learner's next attempt, or find the one that has these very bytes.

    Raises:
        Refused: the attempts are used up.
        IntegrityError: another transaction took the number first.
    """
    known = same_bytes(connection, received.course, received.lab, received.learner, received.sha256)
    if known is not None:
        return _again(connection, known)
    used = attempts_used(connection, received.course, received.lab, received.learner)
    if used >= received.rules.attempts:
        raise _used_up(used, received.rules.attempts)
    mine = _of(received.course, received.lab, received.learner)
    last = connection.execute(select(func.max(table.c.attempt)).where(mine)).scalar_one()
    values = {**_values(received, (last or 0) + 1), "grade_by": mended_version(connection, received)}
    submission = Submission(**{name: values[name] for name in FIELDS})
    if received.sign is not None:
        submission = replace(submission, signature=received.sign(receipt_of(submission)))
    connection.execute(insert(table).values({**values, "signature": submission.signature}))
    return submission


def _again(connection: Connection, known: Submission) -> Submission:
    if known.state != "failed":
        return known
    # It failed through us: sending the same bytes once more is how a learner asks for another try.
    fresh = {"state": "queued", "tries": 0, "not_before_us": 0, "reason_zh": "", "reason_en": ""}
    connection.execute(update(table).where(table.c.id == known.id).values(fresh))
    return replace(known, state="queued", reason_zh="", reason_en="")


def same_bytes(connection: Connection, course: str, lab: str, learner: str, sha256: str) -> Submission | None:
    """The learner's attempt that has these very bytes."""
    here = select(table).where(_of(course, lab, learner), table.c.sha256 == sha256)
    row = connection.execute(here).first()
    return None if row is None else from_row(row)


def excuse(connection: Connection, place: tuple[str, str, str], due_us: int, policy: LatePolicy) -> int:
    """Give back what lateness cost, now that the lab is due later; ``place`` is course, lab and learner.

    Answers for how many attempts. When they came in and what their receipts say of it stays; nothing gets dearer.
    """
    columns = (table.c.id, table.c.received_us, table.c.late_percent)
    rows = connection.execute(select(*columns).where(_of(*place), table.c.late_percent > 0).with_for_update()).all()
    excused = 0
    for row in rows:
        percent = late_penalty(policy, max(0, row.received_us - due_us))
        if percent < row.late_percent:
            # The gradebook is told again.
            news = {"late_percent": percent, "posted_verdict_id": None}
            connection.execute(update(table).where(table.c.id == row.id).values(news))
            excused += 1
    return excused


def attempts_used(connection: Connection, course: str, lab: str, learner: str) -> int:
    """Attempts that cost the learner something: all but those that failed through us."""
    spent = select(func.count()).where(_of(course, lab, learner), table.c.state != "failed")
    return int(connection.execute(spent).scalar_one())


def _of(course: str, lab: str, learner: str) -> Any:
    return (table.c.course == course) & (table.c.lab == lab) & (table.c.learner == learner)


def _values(received: Received, attempt: int) -> dict[str, Any]:
    late_us = lateness(received.window, received.received_us)
    return {
        "id": str(uuid.uuid4()),
        "course": received.course,
        "lab": received.lab,
        "learner": received.learner,
        "attempt": attempt,
        "sha256": received.sha256,
        "bytes": received.bytes,
        "received_us": received.received_us,
        "due_us": received.window.due_us,
        "late_us": late_us,
        "late_percent": late_penalty(received.rules, late_us),
        "counts": received.rules.counts,
        "graders": received.rules.graders,
        "lab_version": received.version,
        "state": "queued",
        "reason_zh": "",
        "reason_en": "",
        "signature": "",
    }


def _used_up(used: int, allowed: int) -> Refused:
    return Refused(
        409,
        "attempts_used_up",
        zh=f"提交次数已用完（共 {allowed} 次）。",
        en=f"All {allowed} attempts are used up.",
        got=f"attempt {used + 1}",
        expected=f"at most {allowed} attempts",
    )
