"""NameStore: how a name is corrected and how a person is forgotten.

A certificate prints the name on the roster, which the base vouches for. So a trainee asks for another spelling, and
only who runs one of their classes changes it; what was asked, and who decided it, stays on record until the person is
forgotten.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from hub.db import reading
from hub.people import tables
from hub.people.person import MAX_FULL_NAME, NameRequest, text_problem
from hub.people.store.people import PersonStore

FORGOTTEN_NAME = "–"
_request = tables.name_request


class NameStore(PersonStore):
    """Requests for another name, and forgetting."""

    def ask_for_name(self, name: str, wanted: str) -> None:
        """Ask that ``name`` be called ``wanted`` from now on; a request that is still open is replaced.

        Raises:
            ValueError: the wanted name cannot be shown.
        """
        if problem := text_problem(wanted, MAX_FULL_NAME):
            raise ValueError(f"wanted: got {wanted!r}, which {problem[1]}")
        is_open = (_request.c.learner == name) & _request.c.decided_us.is_(None)
        with self._engine.begin() as db:
            db.execute(delete(_request).where(is_open))
            db.execute(insert(_request).values(learner=name, wanted=wanted, asked_us=self._now_us()))

    def name_request(self, name: str) -> NameRequest | None:
        """Return the latest request of ``name``, decided or not."""
        query = select(_request).where(_request.c.learner == name).order_by(_request.c.asked_us.desc()).limit(1)
        with reading(self._engine) as db:
            row = db.execute(query).one_or_none()
        return None if row is None else _value(row)

    def decide_name(self, name: str, asked_us: int, by: str, *, granted: bool) -> bool:
        """Decide an open request; granted, person and roster carry the new name. Says whether it was open still."""
        open_one = (_request.c.learner == name) & (_request.c.asked_us == asked_us) & _request.c.decided_us.is_(None)
        decided = {"decided_us": self._now_us(), "decided_by": by, "granted": granted}
        with self._engine.begin() as db:
            wanted = db.scalar(select(_request.c.wanted).where(open_one))
            if wanted is None or not db.execute(update(_request).where(open_one).values(decided)).rowcount:
                return False
            if granted:
                db.execute(update(tables.person).where(tables.person.c.name == name).values(full_name=wanted))
                db.execute(update(tables.member).where(tables.member.c.learner == name).values(full_name=wanted))
        return True

    def forget(self, name: str) -> bool:
        """Forget who ``name`` is: their name, seats, roles and requests; says whether anybody had it.

        The user name itself stays taken, without a right to sign in: the ledger's lines stand under it for ever, and
        nobody else must ever come into them.
        """
        with self._engine.begin() as db:
            for table, column in (
                (tables.member, tables.member.c.learner),
                (tables.extension, tables.extension.c.learner),
                (tables.role, tables.role.c.name),
                (_request, _request.c.learner),
            ):
                db.execute(delete(table).where(column == name))
            empty = {"full_name": FORGOTTEN_NAME, "locale": None}
            return db.execute(update(tables.person).where(tables.person.c.name == name).values(empty)).rowcount > 0


def _value(row: Row[Any]) -> NameRequest:
    return NameRequest(row.learner, row.wanted, row.asked_us, row.decided_us, row.decided_by, row.granted)
