"""SQL: the queue. A claim carries a fencing number; whoever holds an older one can no longer write a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, or_, select, update

from grader.store.intake import find
from grader.store.scores import settle
from grader.tables import regrade, verdict
from grader.tables import submission as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from grader.submission import Submission

LEASE_SECONDS = 30.0
"""How long a silent worker keeps a submission; a living one renews."""
MAX_TRIES = 3
"""A submission that took this many workers down, or met this many failures of ours, is given up."""
BACKOFF_US = 2_000_000
GIVEN_UP_ZH = "评分系统出了问题，这不是你的错，也不占用你的提交次数。请重新提交，或联系教师。"
GIVEN_UP_EN = (
    "The grading system failed. This is our fault, not yours, and costs no attempt: submit again, or tell your teacher."
)


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a submission until ``lease_until_us``; void once the row's fence has moved on."""

    submission: Submission
    fence: int
    tries: int
    lease_until_us: int
    version: str
    """The lab version to grade by: the one it was made from, or since a class-wide regrade the mended one."""


def claim(connection: Connection, worker: str, now_us: int, lease_us: int) -> Claim | None:
    """Take the oldest submission that is due; those that used up their tries are given up on the way.

    Whoever has no score yet goes before all who are only graded again.
    """
    while (row := _next_due(connection, now_us)) is not None:
        if row.tries >= MAX_TRIES:
            give_up(connection, row.id, now_us, GIVEN_UP_ZH, GIVEN_UP_EN)
            continue
        taken = {
            "state": "grading",
            "fence": row.fence + 1,
            "tries": row.tries + 1,
            "worker": worker,
            "lease_until_us": now_us + lease_us,
        }
        connection.execute(update(table).where(table.c.id == row.id).values(taken))
        submission = find(connection, row.id)
        if submission is None:
            raise AssertionError("the row was locked by this transaction")
        version = row.grade_by or row.lab_version
        return Claim(submission, row.fence + 1, row.tries + 1, now_us + lease_us, version)
    return None


def _next_due(connection: Connection, now_us: int) -> Any:
    waiting = and_(table.c.state == "queued", table.c.not_before_us <= now_us)
    abandoned = and_(table.c.state == "grading", table.c.lease_until_us <= now_us)
    order = (table.c.verdict_id.is_not(None), table.c.received_us, table.c.id)
    oldest = select(table).where(or_(waiting, abandoned)).order_by(*order).limit(1)
    return connection.execute(oldest.with_for_update(skip_locked=True)).first()


def is_held(claim: Claim) -> Any:
    """The condition under which ``claim`` may still write."""
    return and_(table.c.id == claim.submission.id, table.c.fence == claim.fence, table.c.state == "grading")


def renew(connection: Connection, claim: Claim, lease_until_us: int) -> bool:
    """Move the lease's end; False when the claim is no longer held."""
    held = connection.execute(update(table).where(is_held(claim)).values(lease_until_us=lease_until_us))
    return held.rowcount == 1


def give_back(connection: Connection, claim: Claim, now_us: int, reason_zh: str, reason_en: str) -> None:
    """Queue the claimed submission for later, or give it up when its tries are spent."""
    if claim.tries >= MAX_TRIES:
        if connection.execute(select(table.c.id).where(is_held(claim)).with_for_update()).first() is not None:
            give_up(connection, claim.submission.id, now_us, f"{GIVEN_UP_ZH} {reason_zh}", f"{GIVEN_UP_EN} {reason_en}")
        return
    later = {
        "state": "queued",
        "not_before_us": now_us + BACKOFF_US * claim.tries**2,
        "reason_zh": reason_zh,
        "reason_en": reason_en,
    }
    connection.execute(update(table).where(is_held(claim)).values(later))


def give_up(connection: Connection, submission_id: str, now_us: int, reason_zh: str, reason_en: str) -> None:
    """Stop trying: a submission that was graded before keeps that result, any other one is marked as failed by us."""
    before = connection.execute(select(table.c.verdict_id).where(table.c.id == submission_id)).scalar_one()
    values = {"state": "failed", "reason_zh": reason_zh.strip(), "reason_en": reason_en.strip()}
    connection.execute(update(table).where(table.c.id == submission_id).values(values))
    if before is not None:
        settle(connection, submission_id)
    finish_regrades(connection, submission_id, now_us, None)


def ask_regrade(connection: Connection, submission_id: str, asked_by: str, reason: str, now_us: int) -> bool:
    """Queue a finished submission again and note who asked and why."""
    due = table.c.state.in_(("graded", "needs_review", "failed"))
    row = connection.execute(select(table).where(table.c.id == submission_id, due).with_for_update()).first()
    if row is None:
        return False
    # Posted again at once: nbgrader's Autograde empties the folder that formgrader shows.
    again = {"state": "queued", "tries": 0, "not_before_us": 0, "posted_verdict_id": None}
    connection.execute(update(table).where(table.c.id == submission_id).values(again))
    before = select(verdict.c.auto_score).where(verdict.c.id == row.verdict_id)
    note = {
        "submission_id": submission_id,
        "asked_by": asked_by,
        "reason": reason,
        "asked_us": now_us,
        "score_before": connection.execute(before).scalar(),
    }
    connection.execute(insert(regrade).values(note))
    return True


def finish_regrades(connection: Connection, submission_id: str, now_us: int, score_after: float | None) -> None:
    """Close the open regrades of a submission with what came of them."""
    open_ones = (regrade.c.submission_id == submission_id) & regrade.c.done_us.is_(None)
    connection.execute(update(regrade).where(open_ones).values(done_us=now_us, score_after=score_after))


def queue_depth(connection: Connection) -> int:
    """Rows that wait or are being graded."""
    waiting = table.c.state.in_(("queued", "grading"))
    return int(connection.execute(select(func.count()).select_from(table).where(waiting)).scalar_one())
