from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from hub.db import open_engine
from hub.people import tables
from hub.people.person import Person, Site
from hub.people.store import PeopleStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.people.person import Cohort


class Clock:
    """Microseconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[PeopleStore]:
    engine = open_engine(f"sqlite:///{tmp_path / 'reelwright.db'}")
    tables.metadata.create_all(engine)
    store = PeopleStore(engine, clock)
    store.put_site(Site("east", "东部基地", "East base"))
    store.put_person(Person("teacher", "王老师", frozenset({"instructor"}), "east"))
    store.add_instructor("micro-drama", "teacher")
    yield store
    engine.dispose()


@pytest.fixture
def cohort(people: PeopleStore) -> Cohort:
    made = people.create_cohort("micro-drama", "east", "冬季班", date(2026, 11, 2), date(2027, 1, 31), "teacher")
    people.import_roster(made.id, "学号,姓名\nA01,李雷\nA02,韩梅梅\n".encode())
    return made
