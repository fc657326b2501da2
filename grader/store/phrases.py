"""SQL: comments that the graders of a course use again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, select

from grader.tables import phrase

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Phrase:
    """A comment for reuse, and who wrote it."""

    id: int
    text: str
    written_by: str


def of_course(connection: Connection, course: str) -> tuple[Phrase, ...]:
    """The course's comments, the oldest first."""
    rows = connection.execute(select(phrase).where(phrase.c.course == course).order_by(phrase.c.id))
    return tuple(Phrase(row.id, row.text, row.written_by) for row in rows)


def keep(connection: Connection, course: str, text: str, written_by: str, now_us: int) -> None:
    """Add a comment that is not there yet."""
    here = and_(phrase.c.course == course, phrase.c.text == text)
    if connection.execute(select(phrase.c.id).where(here)).first() is None:
        values = {"course": course, "text": text, "written_by": written_by, "written_us": now_us}
        connection.execute(insert(phrase).values(values))


def drop(connection: Connection, course: str, phrase_id: int) -> None:
    """Take a comment away."""
    connection.execute(delete(phrase).where(phrase.c.course == course, phrase.c.id == phrase_id))
