"""PeopleStore: all SQL about sites, people, roles, cohorts, seats, invitations and extensions.

Every write is one transaction; on SQLite it takes the write lock at once (see :mod:`hub.db`), so a seat or a one-time
code is given to exactly one person however many ask at the same moment. One-time codes are kept as SHA-256 only.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Row, insert, select, update

from hub.db import reading
from hub.people import person as values
from hub.people import tables
from hub.people.person import (
    CLASS_CODE_ALPHABET,
    CLASS_CODE_LENGTH,
    NAME_PATTERN,
    Cohort,
    InvitationRefused,
    Member,
    Person,
    Role,
    RosterReport,
    RowResult,
    SeatRefused,
    Site,
    normal_class_code,
    number_key,
    text_problem,
)
from hub.people.roster import RosterRow, parse_roster

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

RESUME_US = 15 * 60 * 1_000_000
"""How long a sign-up cut off between seat and password may be taken up again under the same name."""
DEFAULT_ZONE = "Asia/Shanghai"


def _now_us() -> int:
    return time.time_ns() // 1000


class PeopleStore:
    """Who there is, what they may do, and where they sit. Times are microseconds since the epoch, UTC."""

    def __init__(self, engine: Engine, now_us: Callable[[], int] = _now_us) -> None:
        self._engine = engine
        self._now_us = now_us

    # Sites

    def put_site(self, site: Site) -> None:
        """Add the site, or change its names and time zone."""
        with self._engine.begin() as db:
            words = {"name_zh": site.name_zh, "name_en": site.name_en, "timezone": site.timezone}
            if not db.execute(update(tables.site).where(tables.site.c.id == site.id).values(words)).rowcount:
                db.execute(insert(tables.site).values(id=site.id, **words))

    def site(self, site_id: str) -> Site | None:
        """Return the site, or ``None``."""
        with reading(self._engine) as db:
            row = db.execute(select(tables.site).where(tables.site.c.id == site_id)).one_or_none()
        return Site(row.id, row.name_zh, row.name_en, row.timezone) if row else None

    # People and roles

    def put_person(self, person: Person) -> None:
        """Add the person, or change name, site, locale and site-wide roles; roles held for one course stay."""
        with self._engine.begin() as db:
            _write_person(db, person, self._now_us())
            db.execute(
                tables.role.delete().where(
                    tables.role.c.name == person.name,
                    tables.role.c.course == "",
                    tables.role.c.role.not_in(person.roles),
                )
            )
            for role in person.roles:
                _grant(db, person.name, role, "")

    def person(self, name: str) -> Person | None:
        """Return who signs in as ``name``, with roles of every kind, or ``None``."""
        with reading(self._engine) as db:
            return _person(db, name)

    def people(self, role: Role | None = None) -> tuple[Person, ...]:
        """Return everybody (who holds ``role``), by user name."""
        names = select(tables.person.c.name).order_by(tables.person.c.name)
        if role is not None:
            names = names.where(tables.person.c.name.in_(select(tables.role.c.name).where(tables.role.c.role == role)))
        with reading(self._engine) as db:
            found = (_person(db, name) for name in db.scalars(names).all())
            return tuple(person for person in found if person)

    def set_locale(self, name: str, locale: str | None) -> None:
        """Remember the language the person chose."""
        with self._engine.begin() as db:
            db.execute(update(tables.person).where(tables.person.c.name == name).values(locale=locale))

    def instructors(self, course: str) -> tuple[str, ...]:
        """Return the user names of the course's instructors."""
        with reading(self._engine) as db:
            return _instructors(db, course)

    def add_instructor(self, course: str, name: str) -> None:
        """Let ``name`` teach ``course``; a second time changes nothing.

        Raises:
            KeyError: nobody is called ``name``.
        """
        with self._engine.begin() as db:
            if _person(db, name) is None:
                raise KeyError(name)
            _grant(db, name, "instructor", course)

    def courses_led_by(self, name: str) -> tuple[str, ...]:
        """Return the courses ``name`` teaches."""
        with reading(self._engine) as db:
            return _courses_led(db, name)

    def groups_of(self, name: str) -> frozenset[str]:
        """Return the JupyterHub groups of ``name``: nbgrader's two kinds, one per cohort, ``staff`` and ``funders``."""
        with reading(self._engine) as db:
            person = _person(db, name)
            led, sat = _courses_led(db, name), _cohorts_of(db, name)
        if person is None:
            return frozenset()
        groups = {f"formgrade-{course}" for course in led} | {f"nbgrader-{cohort.course}" for cohort in sat}
        groups |= {f"cohort-{cohort.id}" for cohort in sat}
        groups |= {"staff"} if person.roles & {"admin", "instructor"} else set()
        groups |= {"funders"} if "funder" in person.roles else set()
        return frozenset(groups)

    # Cohorts

    def create_cohort(  # noqa: PLR0917 (a cohort is these six facts)
        self, course: str, site: str, title: str, starts: date, ends: date, created_by: str
    ) -> Cohort:
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
            if _person(db, user_name) is None:
                raise KeyError(user_name)
            return _take_seat(db, _seat(db, code, number), user_name, self._now_us())

    def enrol(self, code: str, number: str, user_name: str, locale: str | None = None) -> Member:
        """Make a new person from the roster seat ``number``; only a sign-up cut off minutes ago may repeat its name.

        Raises:
            SeatRefused: as :meth:`claim_seat`, or ``name``: the user name is taken or not allowed.
        """
        now = self._now_us()
        with self._engine.begin() as db:
            seat = _seat(db, code, number)
            known = _person(db, user_name) is not None
            if seat.learner == user_name and now - (seat.claimed_us or 0) < RESUME_US:
                return _member(seat)
            if seat.learner is not None:
                raise _seat_taken()
            if known or not NAME_PATTERN.match(user_name):
                raise SeatRefused("name", *_NAME_REFUSED)
            site = db.scalar(select(tables.cohort.c.site).where(tables.cohort.c.id == seat.cohort_id))
            newcomer = Person(user_name, seat.full_name, frozenset({"trainee"}), str(site), locale)
            _write_person(db, newcomer, now)
            return _take_seat(db, seat, user_name, now)

    def free_seat(self, cohort_id: str, number: str) -> None:
        """Take a seat back from whoever signed up for it: for an instructor who sees the wrong person in it."""
        here = (tables.member.c.cohort_id == cohort_id) & (tables.member.c.number_key == number_key(number))
        with self._engine.begin() as db:
            db.execute(update(tables.member).where(here).values(learner=None, claimed_us=None))

    # Invitations

    def invite(self, role: Role, course: str | None, created_by: str, expires: int) -> str:
        """Open an invitation until ``expires`` and return its one-time code, which is shown now or never."""
        code = secrets.token_urlsafe(18)
        row = {"code_hash": _hash(code), "role": role, "course": course or "", "created_by": created_by}
        with self._engine.begin() as db:
            db.execute(insert(tables.invitation).values(**row, created_us=self._now_us(), expires_us=expires))
        return code

    def invitation_role(self, code: str) -> tuple[Role, str] | None:
        """Return the role and course (``""``: whole site) an open one-time code stands for, or ``None``."""
        with reading(self._engine) as db:
            row = _open_invitation(db, code, self._now_us())
        return (row.role, row.course) if row else None

    def redeem_invitation(self, code: str, name: str, full_name: str, site: str = "main") -> Person:
        """Make a new person with the invitation's role; the code is used up in the same moment.

        Raises:
            InvitationRefused: the code is unknown, used or expired; or the user name is taken or not allowed.
        """
        now = self._now_us()
        with self._engine.begin() as db:
            row = _open_invitation(db, code, now)
            if row is None:
                raise InvitationRefused("invitation", *_INVITATION_REFUSED)
            if not NAME_PATTERN.match(name) or _person(db, name) is not None:
                raise InvitationRefused("name", *_NAME_REFUSED)
            if text_problem(full_name, values.MAX_FULL_NAME):
                raise InvitationRefused("full-name", *_FULL_NAME_REFUSED)
            _write_person(db, Person(name, full_name.strip(), frozenset({row.role}), site), now)
            _grant(db, name, row.role, row.course)
            used = update(tables.invitation).where(tables.invitation.c.code_hash == row.code_hash)
            db.execute(used.values(used_by=name, used_us=now))
            found = _person(db, name)
        assert found is not None  # noqa: S101 (written a line above, in the same transaction)
        return found

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


_NAME_REFUSED = (
    "这个用户名不能用：可能已被占用。请用 2–63 个小写字母、数字、点、短横或下划线，以字母或数字开头。",
    "This user name cannot be had; it may be taken. Use 2–63 lower-case letters, digits, and . _ - after the first.",
)
_FULL_NAME_REFUSED = ("姓名不能为空，最多 100 个字符。", "The full name must not be empty; at most 100 characters.")
_INVITATION_REFUSED = (
    "这个链接无效：可能已经用过，或已过期。请向发给你的人再要一个。",
    "This link does not work: it may have been used or have expired. Ask whoever sent it for a new one.",
)


def _seat_taken() -> SeatRefused:
    zh = "这个编号的座位已有人注册。请与班级教师核对。"
    return SeatRefused("seat-taken", zh, "The seat of this number is taken. Check it with your instructor.")


def _hash(code: str) -> str:
    return hashlib.sha256(code.strip().encode()).hexdigest()


def _open_invitation(db: Connection, code: str, now: int) -> Row[Any] | None:
    table = tables.invitation
    query = select(table).where(table.c.code_hash == _hash(code), table.c.used_us.is_(None), table.c.expires_us > now)
    return db.execute(query).one_or_none()


def _write_person(db: Connection, person: Person, now: int) -> None:
    words = {"full_name": person.full_name, "site": person.site, "locale": person.locale}
    if not db.execute(update(tables.person).where(tables.person.c.name == person.name).values(words)).rowcount:
        db.execute(insert(tables.person).values(name=person.name, created_us=now, **words))


def _grant(db: Connection, name: str, role: Role, course: str) -> None:
    table = tables.role
    held = select(table).where(table.c.name == name, table.c.role == role, table.c.course == course)
    if db.execute(held).one_or_none() is None:
        db.execute(insert(table).values(name=name, role=role, course=course))


def _person(db: Connection, name: str) -> Person | None:
    row = db.execute(select(tables.person).where(tables.person.c.name == name)).one_or_none()
    if row is None:
        return None
    roles = frozenset(db.scalars(select(tables.role.c.role).where(tables.role.c.name == name)))
    return Person(row.name, row.full_name, roles, row.site, row.locale)


def _instructors(db: Connection, course: str) -> tuple[str, ...]:
    table = tables.role
    query = select(table.c.name).where(table.c.role == "instructor", table.c.course == course).order_by(table.c.name)
    return tuple(db.scalars(query))


def _courses_led(db: Connection, name: str) -> tuple[str, ...]:
    table = tables.role
    query = select(table.c.course).where(table.c.role == "instructor", table.c.name == name, table.c.course != "")
    return tuple(db.scalars(query.order_by(table.c.course)))


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
        zh = "你在这个班里已有座位。请与班级教师核对。"
        raise SeatRefused("second-seat", zh, "You have a seat in this class already. Check it with your instructor.")
    here = (table.c.cohort_id == seat.cohort_id) & (table.c.number_key == seat.number_key)
    # The null test makes the grant exclusive on PostgreSQL too, where two transactions may both have read a free seat.
    taken = update(table).where(here, table.c.learner.is_(None)).values(learner=user_name, claimed_us=now)
    if not db.execute(taken).rowcount:
        raise _seat_taken()
    _grant(db, user_name, "trainee", "")
    return Member(seat.cohort_id, seat.number, seat.full_name, seat.email, user_name)
