"""SQL: class-wide regrades. A lab's test was mended: everybody is graded again by that version, in the background.

A round notes who asked and why, and every attempt's points before and after. Hand marks stay where they are; what a
certificate was given for is not touched, only reported as changed.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update

from grader.store.scores import gather
from grader.submission import RegradeChange, RegradeEffect, RegradeProgress, best_or_last
from grader.tables import lab_version, regrade, regrade_round, verdict
from grader.tables import submission as table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from grader.store.intake import Received
    from grader.submission import LabResult


def ask(connection: Connection, place: tuple[str, str, str], asked_by: str, reason: str, now_us: int) -> int:
    """Queue every attempt at a lab to be graded by one version; ``place`` is course, lab and that version.

    Answers how many attempts that are.
    """
    course, lab, version = place
    here = and_(table.c.course == course, table.c.lab == lab)
    noted = {"course": course, "lab": lab, "version": version, "asked_by": asked_by, "reason": reason}
    (round_id,) = connection.execute(insert(regrade_round).values(**noted, asked_us=now_us)).inserted_primary_key or (
        0,
    )
    members = connection.execute(_members(here).with_for_update(of=table)).all()
    if members:
        notes = [
            {"submission_id": row.id, "round_id": round_id, "score_before": row.auto_score, "asked_us": now_us}
            for row in members
        ]
        connection.execute(insert(regrade).values(asked_by=asked_by, reason=reason), notes)
    # What failed through us is graded by the mended version when it is handed in once more.
    connection.execute(update(table).where(here).values(grade_by=version))
    # A worker that is at one of them right now grades by the old version: its fence is void.
    again = {"state": "queued", "tries": 0, "not_before_us": 0, "fence": table.c.fence + 1}
    connection.execute(update(table).where(here, table.c.state != "failed").values(again))
    return len(members)


def _members(here: Any) -> Any:
    with_score = table.outerjoin(verdict, verdict.c.id == table.c.verdict_id)
    return select(table.c.id, verdict.c.auto_score).select_from(with_score).where(here, table.c.state != "failed")


def versions_in_use(connection: Connection, course: str, lab: str) -> tuple[str, ...]:
    """The versions that a lab's attempts were made from."""
    here = and_(table.c.course == course, table.c.lab == lab)
    return tuple(connection.execute(select(table.c.lab_version).where(here).distinct()).scalars())


def mended_version(connection: Connection, received: Received) -> str:
    """The version of the lab's latest round, when it is newer than the one that was handed in; else empty."""
    rounds = _rounds(received.course, received.lab)
    latest = connection.execute(rounds).first()
    if latest is None or latest.version == received.version:
        return ""
    versions = lab_version.c
    here = and_(versions.course == received.course, versions.lab == received.lab)
    rows = connection.execute(select(versions.version, versions.released_us).where(here))
    released = {row.version: row.released_us for row in rows}
    is_newer = released.get(latest.version, 0) > released.get(received.version, 0)
    return str(latest.version) if is_newer else ""


def progress(connection: Connection, course: str, lab: str) -> RegradeProgress | None:
    """The latest round of a lab."""
    latest = connection.execute(_rounds(course, lab)).first()
    if latest is None:
        return None
    columns = (table.c.learner, table.c.attempt, table.c.id, regrade.c.score_before, regrade.c.score_after)
    joined = regrade.join(table, table.c.id == regrade.c.submission_id)
    mine = select(*columns, regrade.c.done_us).select_from(joined).where(regrade.c.round_id == latest.id)
    rows = connection.execute(mine.order_by(table.c.learner, table.c.attempt)).all()
    changes = tuple(
        RegradeChange(row.learner, row.attempt, row.id, row.score_before, row.score_after, row.done_us is not None)
        for row in rows
    )
    about = (latest.version, latest.asked_by, latest.reason, latest.asked_us)
    return RegradeProgress(course, lab, *about, changes)


def effects(connection: Connection, course: str, lab: str) -> tuple[RegradeEffect, ...]:
    """Learners whose counted score the latest round has changed so far."""
    latest = progress(connection, course, lab)
    if latest is None:
        return ()
    before = {change.submission_id: change.before for change in latest.changes}
    scored = gather(connection, and_(table.c.course == course, table.c.lab == lab))
    found = []
    for _, group in groupby(scored, key=lambda one: one.result.learner):
        members = list(group)
        results = [member.result for member in members]
        was = best_or_last(_as_before(results, before), members[-1].counts)
        now = best_or_last(results, members[-1].counts)
        if now is not None and (was is None or round(was.score, 6) != round(now.score, 6)):
            found.append(_effect(was, now))
    return tuple(found)


def _effect(was: LabResult | None, now: LabResult) -> RegradeEffect:
    before, attempt = (was.score, was.submission_id) if was else (None, None)
    return RegradeEffect(now.learner, now.course, now.lab, before, now.score, attempt, now.submission_id)


def _as_before(results: Sequence[LabResult], before: dict[str, float | None]) -> list[LabResult]:
    known = [(one, before.get(one.submission_id, one.auto_score)) for one in results]
    return [replace(one, auto_score=points) for one, points in known if points is not None]


def _rounds(course: str, lab: str) -> Any:
    here = and_(regrade_round.c.course == course, regrade_round.c.lab == lab)
    return select(regrade_round).where(here).order_by(regrade_round.c.id.desc()).limit(1)
