"""PeopleStore: the SQL about cohorts, rosters, seats and dates, on top of people and roles.

Every write is one transaction; on SQLite it takes the write lock at once (see :mod:`hub.db`), so a seat is given to
exactly one person however many ask at the same moment.
"""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, insert, select, update

from hub.db import reading
from hub.people import person as values
from hub.people import tables
from hub.people.person import (
    CLASS_CODE_ALPHABET,
    CLASS_CODE_LENGTH,
    NAME_PATTERN,
    Cohort,
    Member,
    Person,
    RosterReport,
    RowResult,
    SeatRefused,
    normal_class_code,
    number_key,
    text_problem,
)
from hub.people.roster import RosterRow, parse_roster
from hub.people.store.names import NameStore
from hub.people.store.people import NAME_REFUSED, courses_led, grant, read_person, write_person

if TYPE_CHECKING:
    from datetime import date

DEFAULT_ZONE = "Asia/Shanghai"


class PeopleStore(NameStore):
    """Who there is, what they may do, and where they sit. Times are microseconds since the epoch, UTC."""

    def groups_of(self, name: str) -> frozenset[str]:
        """Return the JupyterHub groups of ``name``: nbgrader's two kinds, one per cohort, ``staff`` and ``funders``."""
        with reading(self._engine) as db:
            person = read_person(db, name)
            led, sat = courses_led(db, name), _cohorts_of(db, name)
        if person is None:
            return frozenset()
        groups = {f"formgrade-{course}" for course in led} | {f"nbgrader-{cohort.course}" for cohort in sat}
        groups |= {f"cohort-{cohort.id}" for cohort in sat}
        groups |= {"staff"} if person.roles & {"admin", "instructor"} else set()
        groups |= {"funders"} if "funder" in person.roles else set()
        return frozenset(groups)

    # Cohorts

    def create_cohort(self, course: str, site: str, title: str, starts: date, ends: date, created_by: str) -> Cohort:
        """Open a cohort with a class code of its own.

        Raises:
            ValueError: the title cannot be shown, or the dates are the wrong way round.
        """
        if problem := text_problem(title, 100):
            raise ValueError(f"title: got {title!r}, which {problem[1]}")
        if ends < starts:
            raise ValueError(f"ends: got {ends}, expected {starts} or later")
        code = "".join(secrets.choice(CLASS_CODE_ALPHABET) for _ in range(CLASS_CODE_LENGTH))
        cohort = Cohort(str(uuid.uuid4()), course, site, title.strip(), code, starts, ends, created_by)
        columns = {name: getattr(cohort, name) for name in Cohort.__slots__}
        with self._engine.begin() as db:
            db.execute(insert(tables.cohort).values(**columns, created_us=self._now_us()))
        return cohort

    def cohort(self, cohort_id: str) -> Cohort | None:
        """Return the cohort, or ``None``."""
        with reading(self._engine) as db:
            row = db.execute(select(tables.cohort).where(tables.cohort.c.id == cohort_id)).one_or_none()
        return _cohort(row) if row else None

    def cohorts(self, course: str | None = None) -> tuple[Cohort, ...]:
        """Return all cohorts (of one course), the latest start first."""
        query = select(tables.cohort).order_by(tables.cohort.c.starts.desc(), tables.cohort.c.title)
        if course is not None:
            query = query.where(tables.cohort.c.course == course)
        with reading(self._engine) as db:
            return tuple(_cohort(row) for row in db.execute(query))

    def cohorts_led_by(self, name: str) -> tuple[Cohort, ...]:
        """Return the cohorts ``name`` may run: of the courses they teach; an administrator runs all."""
        person = self.person(name)
        if person is not None and "admin" in person.roles:
            return self.cohorts()
        led = set(self.courses_led_by(name))
        return tuple(cohort for cohort in self.cohorts() if cohort.course in led)

    def cohort_by_code(self, code: str) -> Cohort | None:
        """Return the cohort a typed class code opens, or ``None``."""
        with reading(self._engine) as db:
            return _cohort_by_code(db, code)

    def cohorts_of(self, name: str) -> tuple[Cohort, ...]:
        """Return the cohorts in which ``name`` has a seat, the latest start first."""
        with reading(self._engine) as db:
            return _cohorts_of(db, name)

    def courses_of(self, name: str) -> tuple[str, ...]:
        """Return the courses in which ``name`` has a seat."""
        return tuple(sorted({cohort.course for cohort in self.cohorts_of(name)}))

    # Roster and seats

    def import_roster(self, cohort_id: str, csv: bytes) -> RosterReport:
        """Add and update members from a roster file; nobody is ever removed by one.

        Raises:
            RosterError: the file as a whole cannot be read; nothing was imported.
            KeyError: there is no such cohort.
        """
        parsed = parse_roster(csv)
        if self.cohort(cohort_id) is None:
            raise KeyError(cohort_id)
        with self._engine.begin() as db:
            done = [_import_row(db, cohort_id, row) for row in parsed.rows]
        return RosterReport(tuple(sorted([*done, *parsed.refused], key=lambda row: row.line)))

    def members(self, cohort_id: str) -> tuple[Member, ...]:
        """Return the cohort's roster by number."""
        query = select(tables.member).where(tables.member.c.cohort_id == cohort_id).order_by(tables.member.c.number_key)
        with reading(self._engine) as db:
            return tuple(_member(row) for row in db.execute(query))

    def claim_seat(self, code: str, number: str, user_name: str) -> Member:
        """Give somebody who is signed in the roster seat ``number`` of the class; asking again answers the same seat.

        Raises:
            SeatRefused: no such class code, number not on its roster, seat taken, or a second seat in one class.
            KeyError: nobody is called ``user_name`` (sign-up uses :meth:`enrol`).
        """
        with self._engine.begin() as db:
            if read_person(db, user_name) is None:
                raise KeyError(user_name)
            return _take_seat(db, _seat(db, code, number), user_name, self._now_us())

    def enrol(
        self, code: str, number: str, user_name: str, *, locale: str | None = None, name_taken: bool = False
    ) -> Member:
        """Make a new person from the roster seat ``number``; ``name_taken``: the name is in use outside these tables.

        The name is judged after the seat, so only somebody who holds a seat's number can learn which names exist.

        Raises:
            SeatRefused: as :meth:`claim_seat`, or ``name``: the user name is taken or not allowed.
        """
        now = self._now_us()
        with self._engine.begin() as db:
            seat = _seat(db, code, number)
            if seat.learner is not None:
                raise _seat_taken()
            if name_taken or not NAME_PATTERN.match(user_name) or read_person(db, user_name) is not None:
                raise SeatRefused("name", *NAME_REFUSED)
            site = db.scalar(select(tables.cohort.c.site).where(tables.cohort.c.id == seat.cohort_id))
            write_person(db, Person(user_name, seat.full_name, frozenset(), str(site), locale), now)
            return _take_seat(db, seat, user_name, now)

    def free_seat(self, cohort_id: str, number: str) -> None:
        """Take a seat back from whoever signed up for it: for an instructor who sees the wrong person in it."""
        here = (tables.member.c.cohort_id == cohort_id) & (tables.member.c.number_key == number_key(number))
        with self._engine.begin() as db:
            db.execute(update(tables.member).where(here).values(learner=None, claimed_us=None))

    # Dates

    def due_us(self, cohort: Cohort, lab_due_after_days: int) -> int:
        """Return when a lab is due for the cohort: the last microsecond of that day where the site is."""
        return values.due_us(cohort, lab_due_after_days, self._zone(cohort))

    def extension(self, cohort_id: str, lab: str, learner: str, until: int) -> None:
        """Let ``learner`` hand in ``lab`` until ``until`` (microseconds, UTC); a later word replaces an earlier one."""
        table = tables.extension
        here = (table.c.cohort_id == cohort_id) & (table.c.lab == lab) & (table.c.learner == learner)
        with self._engine.begin() as db:
            if not db.execute(update(table).where(here).values(until_us=until)).rowcount:
                db.execute(insert(table).values(cohort_id=cohort_id, lab=lab, learner=learner, until_us=until))

    def deadline(self, course: str, lab: str, learner: str, due_after_days: int) -> tuple[int, int] | None:
        """Return when ``lab`` opens and is due for ``learner``, extension included; ``None`` without a seat.

        With seats in two cohorts of the course the later due date holds.
        """
        mine = [cohort for cohort in self.cohorts_of(learner) if cohort.course == course]
        table = tables.extension
        query = select(table.c.cohort_id, table.c.until_us).where(table.c.lab == lab, table.c.learner == learner)
        with reading(self._engine) as db:
            until = {row.cohort_id: row.until_us for row in db.execute(query)}
        windows = [
            (
                values.day_starts_us(cohort.starts, self._zone(cohort)),
                max(self.due_us(cohort, due_after_days), until.get(cohort.id, 0)),
            )
            for cohort in mine
        ]
        return max(windows, key=lambda window: window[1], default=None)

    def _zone(self, cohort: Cohort) -> ZoneInfo:
        site = self.site(cohort.site)
        return ZoneInfo(site.timezone if site else DEFAULT_ZONE)


def _seat_taken() -> SeatRefused:
    zh = "这个编号的座位已有人注册。请与班级教师核对。"
    return SeatRefused("seat-taken", zh, "The seat of this number is taken. Check it with your instructor.")


def _cohort(row: Row[Any]) -> Cohort:
    return Cohort(row.id, row.course, row.site, row.title, row.class_code, row.starts, row.ends, row.created_by)


def _cohort_by_code(db: Connection, code: str) -> Cohort | None:
    query = select(tables.cohort).where(tables.cohort.c.class_code == normal_class_code(code))
    row = db.execute(query).one_or_none()
    return _cohort(row) if row else None


def _cohorts_of(db: Connection, name: str) -> tuple[Cohort, ...]:
    query = select(tables.cohort).join(tables.member).where(tables.member.c.learner == name)
    return tuple(_cohort(row) for row in db.execute(query.order_by(tables.cohort.c.starts.desc())))


def _member(row: Row[Any]) -> Member:
    return Member(row.cohort_id, row.number, row.full_name, row.email, row.learner)


def _import_row(db: Connection, cohort_id: str, row: RosterRow) -> RowResult:
    table = tables.member
    here = (table.c.cohort_id == cohort_id) & (table.c.number_key == number_key(row.number))
    known = db.execute(select(table).where(here)).one_or_none()
    if known is None:
        cells = {"number": row.number, "full_name": row.full_name, "email": row.email}
        db.execute(insert(table).values(cohort_id=cohort_id, number_key=number_key(row.number), **cells))
        return RowResult(row.line, row.number, row.full_name, "added")
    email = row.email or known.email
    if (known.full_name, known.email) == (row.full_name, email):
        return RowResult(row.line, row.number, row.full_name, "unchanged")
    db.execute(update(table).where(here).values(full_name=row.full_name, email=email))
    if known.learner is not None:
        db.execute(update(tables.person).where(tables.person.c.name == known.learner).values(full_name=row.full_name))
    return RowResult(row.line, row.number, row.full_name, "updated")


def _seat(db: Connection, code: str, number: str) -> Row[Any]:
    cohort = _cohort_by_code(db, code)
    if cohort is None:
        zh = "没有这个班级码。请与班级教师核对。"
        raise SeatRefused("class-code", zh, "There is no class of this code. Check it with your instructor.")
    here = (tables.member.c.cohort_id == cohort.id) & (tables.member.c.number_key == number_key(number))
    seat = db.execute(select(tables.member).where(here)).one_or_none()
    if seat is None:
        zh = "班级名册上没有这个编号。请与班级教师核对。"
        raise SeatRefused("number", zh, "There is no seat of this number. Check it with your instructor.")
    return seat


def _take_seat(db: Connection, seat: Row[Any], user_name: str, now: int) -> Member:
    if seat.learner == user_name:
        return _member(seat)
    if seat.learner is not None:
        raise _seat_taken()
    table = tables.member
    sits = select(table.c.number).where(table.c.cohort_id == seat.cohort_id, table.c.learner == user_name)
    if db.execute(sits).one_or_none() is not None:
        zh = "您在这个班里已有座位。请与班级教师核对。"
        raise SeatRefused("second-seat", zh, "You have a seat in this class already. Check it with your instructor.")
    here = (table.c.cohort_id == seat.cohort_id) & (table.c.number_key == seat.number_key)
    # The null test makes the grant exclusive on PostgreSQL too, where two transactions may both have read a free seat.
    taken = update(table).where(here, table.c.learner.is_(None)).values(learner=user_name, claimed_us=now)
    if not db.execute(taken).rowcount:
        raise _seat_taken()
    grant(db, user_name, "trainee", "")
    return Member(seat.cohort_id, seat.number, seat.full_name, seat.email, user_name)
