"""Platform: the stores and values that the hub's processes work with, opened once per process from Config."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import certs.store
import grader.store
from hub import addresses, db
from hub.api.store import Tokens
from hub.authoring.live import LiveCourses
from hub.authoring.shelf import Shelf
from hub.compute.gpu.store import Pool, Samples
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy
from hub.config import CONFIG_VARIABLE
from hub.course import load_courses
from hub.footage.store import Footage
from hub.people.store import PeopleStore
from hub.programme import Programme, load_programmes
from hub.reclaim.sessions import Sessions
from hub.reclaim.store import UseStore
from hub.secrets import Secrets
from hub.takes.store import TakeStore
from labs.label.rule import RULE_VARIABLE

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from hub.config import Config
    from hub.course import Course, Lab


class LabEnvironment(TypedDict):
    """What :func:`grader.release.release_lab` is told of a lab's grading runs."""

    read_only: list[tuple[str, str]]
    environment: dict[str, str]


@dataclass(frozen=True)
class Platform:
    """One instance of Reelwright as a process sees it; what is not asked for is not opened."""

    config: Config

    @cached_property
    def engine(self) -> Engine:
        """The one database."""
        return db.open_engine(self.config.database_url)

    @cached_property
    def shipped_courses(self) -> tuple[Course, ...]:
        """The courses as ``courses_dir`` has them, by id."""
        return load_courses(self.config.courses_dir)

    @cached_property
    def shelf(self) -> Shelf:
        """The labs that instructors make in the browser."""
        return Shelf(self.config.data_dir / "authored")

    @cached_property
    def _live_courses(self) -> LiveCourses:
        return LiveCourses(self.shipped_courses, self.shelf)

    @property
    def courses(self) -> tuple[Course, ...]:
        """The courses of this instance as they are now, by place and id: shipped labs, then released authored ones."""
        return self._live_courses.now()

    @cached_property
    def programmes(self) -> tuple[Programme, ...]:
        """The certificate tracks over several courses."""
        return load_programmes(self.config.courses_dir, self.shipped_courses)

    @cached_property
    def people(self) -> PeopleStore:
        """Who is who."""
        return PeopleStore(self.engine)

    @cached_property
    def ledger(self) -> Ledger:
        """Who used what, and who paid."""
        policy = load_policy(self.config.policy.tariffs, self.config.policy.subsidies)
        return Ledger(self.engine, policy, self.secrets.path("checkpoint-key.pem"))

    @cached_property
    def tokens(self) -> Tokens:
        """Who may read what through the API."""
        return Tokens(self.engine)

    @cached_property
    def footage(self) -> Footage:
        """How much film came out of the labs."""
        return Footage(self.engine, self.ledger)

    @cached_property
    def pool(self) -> Pool:
        """Which lease has which GPU, and who waits for one."""
        return Pool(self.engine, self.config.gpu)

    @cached_property
    def submissions(self) -> grader.store.Store:
        """What was handed in, and what it was worth."""
        return grader.store.Store(self.engine, self.config.data_dir / "blobs")

    @cached_property
    def certificates(self) -> certs.store.Store:
        """What was certified."""
        return certs.store.Store(self.engine)

    @cached_property
    def sessions(self) -> Sessions:
        """Which labs run, and when they end."""
        gpu_used_us = Samples(self.engine).last_used_us
        config = self.config
        return Sessions(
            UseStore(self.engine), self.ledger, config.profiles, takes=config.shared_takes, gpu_used_us=gpu_used_us
        )

    @cached_property
    def take_queue(self) -> TakeStore:
        """Takes that labs asked the take servers for."""
        return TakeStore(self.engine)

    @property
    def takes(self) -> Path:
        """Films that take servers made, until they are fetched; dropped after a day."""
        return self.config.data_dir / "takes"

    @cached_property
    def secrets(self) -> Secrets:
        """The instance's secret files."""
        return Secrets(self.config.data_dir / "secrets")

    @cached_property
    def addresses(self) -> addresses.Addresses:
        """Where the running processes listen."""
        return addresses.load(self.addresses_file)

    @property
    def addresses_file(self) -> Path:
        """Where the addresses are kept."""
        return self.config.data_dir / "run" / "addresses.json"

    @property
    def log(self) -> Path:
        """What each process prints."""
        return self.config.data_dir / "log"

    @property
    def homes(self) -> Path:
        """Learners' homes, one folder each."""
        return self.config.data_dir / "homes"

    @property
    def leases(self) -> Path:
        """What the engine's witness wrote down, one folder a lease."""
        return self.config.data_dir / "run" / "leases"

    @property
    def gradebooks(self) -> Path:
        """Course folders of nbgrader, one a course."""
        return self.config.data_dir / "courses"

    @property
    def portal_url(self) -> str:
        """The address people start from."""
        return f"{self.config.server.public_url}/services/portal/"

    def child_env(self) -> dict[str, str]:
        """The environment of our own processes: the same configuration, and the programs of this Python first."""
        programs = Path(sys.executable).parent
        env = {**os.environ, "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}", "PYTHONUNBUFFERED": "1"}
        if self.config.file.is_file():
            env[CONFIG_VARIABLE] = str(self.config.file)
        return env

    def course(self, course_id: str) -> Course:
        """The course called ``course_id``.

        Raises:
            KeyError: there is no such course.
        """
        for course in self.courses:
            if course.id == course_id:
                return course
        raise KeyError(course_id)

    def lab_or_draft(self, course_id: str, lab_id: str) -> Lab:
        """The lab of that id, released or still in the making.

        Raises:
            KeyError: there is none.
        """
        try:
            return self.course(course_id).lab(lab_id)
        except KeyError:
            return self.shelf.draft(course_id, lab_id).lab

    def lab_environment(self) -> LabEnvironment:
        """What grading runs of a lab see beside its files: the models, and the rule of the visible label."""
        models = str(self.config.models_dir)
        told = {"REELWRIGHT_MODELS": models, RULE_VARIABLE: self.config.label.model_dump_json()}
        return {"read_only": [(models, models)], "environment": told}
