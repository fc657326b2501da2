"""PersonStore: the SQL about sites, people, their roles and the one-time codes that invite them.

Every write is one transaction; on SQLite it takes the write lock at once (see :mod:`hub.db`), so a one-time code is
given to exactly one person however many ask at the same moment. One-time codes are kept as SHA-256 only.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from hub.db import reading
from hub.people import tables
from hub.people.person import MAX_FULL_NAME, NAME_PATTERN, InvitationRefused, Person, Role, Site, text_problem

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_SITE = "main"


def _now_us() -> int:
    return time.time_ns() // 1000


class PersonStore:
    """Who there is and what they may do. Times are microseconds since the epoch, UTC."""

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
            write_person(db, person, self._now_us())
            db.execute(
                tables.role.delete().where(
                    tables.role.c.name == person.name,
                    tables.role.c.course == "",
                    tables.role.c.role.not_in(person.roles),
                )
            )
            for role in person.roles:
                grant(db, person.name, role, "")

    def person(self, name: str) -> Person | None:
        """Return who signs in as ``name``, with roles of every kind, or ``None``."""
        with reading(self._engine) as db:
            return read_person(db, name)

    def people(self, role: Role | None = None) -> tuple[Person, ...]:
        """Return everybody (who holds ``role``), by user name."""
        names = select(tables.person.c.name).order_by(tables.person.c.name)
        if role is not None:
            names = names.where(tables.person.c.name.in_(select(tables.role.c.name).where(tables.role.c.role == role)))
        with reading(self._engine) as db:
            found = (read_person(db, name) for name in db.scalars(names).all())
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
            if read_person(db, name) is None:
                raise KeyError(name)
            grant(db, name, "instructor", course)

    def courses_led_by(self, name: str) -> tuple[str, ...]:
        """Return the courses ``name`` teaches."""
        with reading(self._engine) as db:
            return courses_led(db, name)

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

    def has_invitation(self, role: Role) -> bool:
        """Say whether an unused, unexpired invitation for ``role`` is out."""
        table = tables.invitation
        query = select(table.c.code_hash).where(table.c.role == role, table.c.used_us.is_(None))
        with reading(self._engine) as db:
            return db.execute(query.where(table.c.expires_us > self._now_us()).limit(1)).one_or_none() is not None

    def redeem_invitation(
        self, code: str, name: str, full_name: str, *, site: str | None = None, name_taken: bool = False
    ) -> Person:
        """Make a new person with the invitation's role; the code is used up in the same moment.

        Without ``site`` the person joins the inviter's, else the only one there is. ``name_taken`` says the name is in
        use outside these tables.

        Raises:
            InvitationRefused: the code is unknown, used or expired; or a name is taken or not allowed, and then the
                code stays good.
        """
        now = self._now_us()
        with self._engine.begin() as db:
            row = _open_invitation(db, code, now)
            if row is None:
                raise InvitationRefused("invitation", *_INVITATION_REFUSED)
            if name_taken or not NAME_PATTERN.match(name) or read_person(db, name) is not None:
                raise InvitationRefused("name", *NAME_REFUSED)
            if text_problem(full_name, MAX_FULL_NAME):
                raise InvitationRefused("full-name", *_FULL_NAME_REFUSED)
            open_code = (tables.invitation.c.code_hash == row.code_hash) & tables.invitation.c.used_us.is_(None)
            if not db.execute(update(tables.invitation).where(open_code).values(used_by=name, used_us=now)).rowcount:
                raise InvitationRefused("invitation", *_INVITATION_REFUSED)
            person = Person(name, full_name.strip(), frozenset({row.role}), site or _site_of(db, row.created_by))
            write_person(db, person, now)
            grant(db, name, row.role, row.course)
        return person


NAME_REFUSED = (
    "这个用户名不能用：可能已被占用。请用 2–63 个小写字母、数字、点、短横或下划线，以字母或数字开头。",
    "This user name cannot be had; it may be taken. Use 2–63 lower-case letters, digits, and . _ - after the first.",
)
_FULL_NAME_REFUSED = ("姓名不能为空，最多 100 个字符。", "The full name must not be empty; at most 100 characters.")
_INVITATION_REFUSED = (
    "这个链接无效：可能已经用过，或已过期。请向发给您的人再要一个。",
    "This link does not work: it may have been used or have expired. Ask whoever sent it for a new one.",
)


def _hash(code: str) -> str:
    return hashlib.sha256(code.strip().encode()).hexdigest()


def _open_invitation(db: Connection, code: str, now: int) -> Row[Any] | None:
    table = tables.invitation
    query = select(table).where(table.c.code_hash == _hash(code), table.c.used_us.is_(None), table.c.expires_us > now)
    return db.execute(query).one_or_none()


def _site_of(db: Connection, inviter: str) -> str:
    inviters = db.scalar(select(tables.person.c.site).where(tables.person.c.name == inviter))
    return inviters or db.scalar(select(tables.site.c.id).order_by(tables.site.c.id).limit(1)) or DEFAULT_SITE


def write_person(db: Connection, person: Person, now: int) -> None:
    """Insert the person, or change name, site and locale."""
    words = {"full_name": person.full_name, "site": person.site, "locale": person.locale}
    if not db.execute(update(tables.person).where(tables.person.c.name == person.name).values(words)).rowcount:
        db.execute(insert(tables.person).values(name=person.name, created_us=now, **words))


def grant(db: Connection, name: str, role: Role, course: str) -> None:
    """Give a role for one course (``""``: the whole site); a second time changes nothing."""
    table = tables.role
    held = select(table).where(table.c.name == name, table.c.role == role, table.c.course == course)
    if db.execute(held).one_or_none() is None:
        db.execute(insert(table).values(name=name, role=role, course=course))


def read_person(db: Connection, name: str) -> Person | None:
    """Return the person with roles of every kind, or ``None``."""
    row = db.execute(select(tables.person).where(tables.person.c.name == name)).one_or_none()
    if row is None:
        return None
    roles = frozenset(db.scalars(select(tables.role.c.role).where(tables.role.c.name == name)))
    return Person(row.name, row.full_name, roles, row.site, row.locale)


def _instructors(db: Connection, course: str) -> tuple[str, ...]:
    table = tables.role
    query = select(table.c.name).where(table.c.role == "instructor", table.c.course == course).order_by(table.c.name)
    return tuple(db.scalars(query))


def courses_led(db: Connection, name: str) -> tuple[str, ...]:
    """Return the courses the person teaches."""
    table = tables.role
    query = select(table.c.course).where(table.c.role == "instructor", table.c.name == name, table.c.course != "")
    return tuple(db.scalars(query.order_by(table.c.course)))
