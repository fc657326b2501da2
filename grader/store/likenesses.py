"""SQL: comparisons of a cohort's answers: asked for, done beside everything else, kept for its instructors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, select, update

from grader.tables import comparison, lab_version, likeness, verdict
from grader.tables import submission as table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from grader.blobs import Blobs

    Opens = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Asked:
    """A comparison that waits."""

    id: int
    course: str
    lab: str
    learners: tuple[str, ...]


@dataclass(frozen=True)
class Likeness:
    """Two submissions that share much: how much of the smaller is in the other (0 to 1), in how many fingerprints."""

    left_submission: str
    right_submission: str
    likeness: float
    shared: int


@dataclass(frozen=True)
class Comparison:
    """A comparison of a cohort's answers to a lab; ``done_us`` and ``compared`` are None while it waits."""

    asked_by: str
    asked_us: int
    done_us: int | None
    compared: int | None
    found: tuple[Likeness, ...]
    learner_of: Mapping[str, str]
    """The learner of each submission found."""


class Likenesses:
    """Comparisons on the store's own connections, blobs and clock; every method is one transaction."""

    def __init__(self, reading: Opens, writing: Opens, blobs: Blobs, clock: Callable[[], int]) -> None:
        self._reading, self._writing, self._blobs, self._clock = reading, writing, blobs, clock

    def ask(self, course: str, lab: str, group_id: str, learners: Collection[str], *, asked_by: str) -> bool:
        """Have the newest answers of these learners compared; False when that waits already."""
        here = and_(_of(course, lab, group_id), comparison.c.done_us.is_(None))
        with self._writing() as connection:
            if connection.execute(select(comparison.c.id).where(here)).first() is not None:
                return False
            place = {"course": course, "lab": lab, "group_id": group_id, "asked_by": asked_by}
            names = json.dumps(sorted(learners), ensure_ascii=False)
            connection.execute(insert(comparison).values(**place, learners=names, asked_us=self._clock()))
        return True

    def waiting(self) -> Asked | None:
        """The comparison that waits longest."""
        oldest = select(comparison).where(comparison.c.done_us.is_(None)).order_by(comparison.c.id).limit(1)
        with self._reading() as connection:
            row = connection.execute(oldest).first()
        return None if row is None else Asked(row.id, row.course, row.lab, tuple(json.loads(row.learners)))

    def answers(self, asked: Asked) -> dict[str, str]:
        """The newest graded submission of each learner who has one, with the digest of its notebook as it ran."""
        here = and_(table.c.course == asked.course, table.c.lab == asked.lab, table.c.verdict_id.is_not(None))
        newest = select(table.c.learner, func.max(table.c.attempt).label("attempt")).where(here)
        last = newest.group_by(table.c.learner).subquery()
        joined = table.join(
            last, and_(last.c.learner == table.c.learner, last.c.attempt == table.c.attempt)
        ).join(verdict, verdict.c.id == table.c.verdict_id)  # fmt: skip
        with self._reading() as connection:
            columns = select(table.c.id, table.c.learner, verdict.c.notebook_sha256).select_from(joined).where(here)
            rows = connection.execute(columns).all()
        wanted = set(asked.learners)
        return {row.id: row.notebook_sha256 for row in rows if row.learner in wanted}

    def releases(self, course: str, lab: str) -> tuple[bytes, ...]:
        """Every skeleton of a lab that learners were ever given."""
        here = and_(lab_version.c.course == course, lab_version.c.lab == lab)
        with self._reading() as connection:
            digests = list(connection.execute(select(lab_version.c.release_sha256).where(here).distinct()).scalars())
        return tuple(self._blobs.get(digest) for digest in digests)

    def notebook(self, digest: str) -> bytes:
        """The bytes of a notebook."""
        return self._blobs.get(digest)

    def notebook_of(self, submission_id: str) -> bytes:
        """The notebook of a graded submission as it ran; empty for any other."""
        joined = table.join(verdict, verdict.c.id == table.c.verdict_id)
        chosen = select(verdict.c.notebook_sha256).select_from(joined).where(table.c.id == submission_id)
        with self._reading() as connection:
            digest = connection.execute(chosen).scalar()
        return b"" if digest is None else self._blobs.get(digest)

    def finish(self, asked: Asked, found: Sequence[Likeness], compared: int) -> None:
        """Note what came of a comparison, once."""
        open_one = and_(comparison.c.id == asked.id, comparison.c.done_us.is_(None))
        with self._writing() as connection:
            done = {"done_us": self._clock(), "compared": compared}
            if not connection.execute(update(comparison).where(open_one).values(done)).rowcount or not found:
                return
            names = ("left_submission", "right_submission", "likeness", "shared")
            rows = [{"comparison_id": asked.id, **{name: getattr(one, name) for name in names}} for one in found]
            connection.execute(insert(likeness), rows)

    def latest(self, course: str, lab: str, group_id: str) -> Comparison | None:
        """The newest comparison of a cohort's answers to a lab, the likest pairs first."""
        newest = select(comparison).where(_of(course, lab, group_id)).order_by(comparison.c.id.desc()).limit(1)
        with self._reading() as connection:
            row = connection.execute(newest).first()
            if row is None:
                return None
            mine = select(likeness).where(likeness.c.comparison_id == row.id)
            pairs = connection.execute(mine.order_by(likeness.c.likeness.desc(), likeness.c.left_submission)).all()
            found = tuple(
                Likeness(one.left_submission, one.right_submission, one.likeness, one.shared) for one in pairs
            )
            ids = {one for pair in found for one in (pair.left_submission, pair.right_submission)}
            who = connection.execute(select(table.c.id, table.c.learner).where(table.c.id.in_(ids))).all()
        return Comparison(row.asked_by, row.asked_us, row.done_us, row.compared, found, {o.id: o.learner for o in who})


def _of(course: str, lab: str, group_id: str) -> Any:
    return and_(comparison.c.course == course, comparison.c.lab == lab, comparison.c.group_id == group_id)
