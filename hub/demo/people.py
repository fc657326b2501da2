"""Puts the cast in: staff, cohorts with rosters, seats taken, and one password with which all of them sign in."""

from __future__ import annotations

import csv
import io
import logging
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import bcrypt
from jupyterhub.orm import new_session_factory
from nativeauthenticator.orm import UserInfo

from hub.compute.lease import DAY_US
from hub.demo.cast import STAFF, CohortPlan
from hub.door.password import ROUNDS
from hub.people.person import Person, day_starts_us
from hub.people.store import PeopleStore
from hub.traits import hub_database_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from zoneinfo import ZoneInfo

    from hub.config import Config
    from hub.course import Course
    from hub.demo.clock import PastClock
    from hub.people.person import Cohort
    from hub.platform import Platform

OPENED_BEFORE_US = 3 * DAY_US
"""How long before its first day a class was made."""
CLASS_DAYS = 60


@dataclass(frozen=True)
class Calendar:
    """Today where the site is."""

    today: date
    zone: ZoneInfo


def put_staff(platform: Platform, courses: Iterable[Course]) -> None:
    """Make the staff; instructors teach every one of ``courses``."""
    for member in STAFF:
        person = Person(member.name, member.full_name, frozenset({member.role}), platform.config.site.id)
        platform.people.put_person(person)
        if member.role == "instructor":
            for course in courses:
                platform.people.add_instructor(course.id, member.name)


def put_cohort(platform: Platform, course: Course, plan: CohortPlan, calendar: Calendar, clock: PastClock) -> Cohort:
    """Open a class, import its roster, and have everybody with a story take their seat."""
    teacher = next(member.name for member in STAFF if member.role == "instructor")
    starts = calendar.today - timedelta(days=plan.began)
    store = PeopleStore(platform.engine, now_us=clock)
    with clock.at(day_starts_us(starts, calendar.zone) - OPENED_BEFORE_US):
        cohort = store.create_cohort(
            course.id, platform.config.site.id, plan.title, starts, starts + timedelta(days=CLASS_DAYS), teacher
        )
        store.import_roster(cohort.id, roster(plan))
        for trainee in plan.trainees:
            if trainee.story is not None:
                store.enrol(cohort.class_code, trainee.number, trainee.name)
    return cohort


def roster(plan: CohortPlan) -> bytes:
    """The class list as a base would send it."""
    text = io.StringIO()
    rows = [("学号", "姓名"), *((trainee.number, trainee.full_name) for trainee in plan.trainees)]
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def new_password() -> str:
    """A password nobody has guessed yet: a demonstration may run where others can reach it."""
    return secrets.token_urlsafe(9)


def let_in(config: Config, names: Iterable[str], password: str) -> None:
    """Write one password for all ``names`` where the hub's authenticator reads it; JupyterHub need not run."""
    encoded = bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS))
    # The hub's own way of opening its database: made with its tables and schema version when it is not there.
    with _quiet():
        session = new_session_factory(hub_database_url(config))()
    engine = session.get_bind()
    try:
        for name in names:
            login = UserInfo.find(session, name) or UserInfo(username=name, password=encoded)
            login.password, login.is_authorized = encoded, True
            session.add(login)
        session.commit()
    finally:
        session.close()
        engine.dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Alembic tells of JupyterHub's new tables from between our lines."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
