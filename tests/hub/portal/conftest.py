"""A small real world for the portal's tests: database, stores and policy are real; clock and sign-in are given."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import redirect
from sqlalchemy import create_engine, event

import certs.tables
import grader.tables
import hub.api.tables
import hub.compute.tables
import hub.footage.tables
import hub.people.tables
import hub.reclaim.tables
from certs.certificate import IssuerProfile, Text
from certs.issue import issue_pending
from certs.keys import IssuerKey
from certs.store import Store as CertificateStore
from grader.receipt import sign
from grader.store import Store as SubmissionStore
from grader.submission import HandMark, LabRules, Window
from grader.verdict import CellScore, LabVersion, Limits, ProducedFile, Verdict
from hub import award, programme_award
from hub.api.store import Tokens
from hub.authoring.shelf import Shelf
from hub.compute.lease import LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy
from hub.config import Config
from hub.course import Course
from hub.db import open_engine
from hub.footage.store import Footage
from hub.people.person import Person, Site
from hub.people.store import PeopleStore
from hub.portal.app import PortalServices, create_app
from hub.portal.grading.hand import questions_of
from hub.portal.rubric import lab_rubric
from hub.programme import load_programmes
from hub.reclaim.sessions import Sessions
from hub.reclaim.store import UseStore
from hub.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask, Request
    from flask.testing import FlaskClient
    from werkzeug import Response

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NOON_US = 1_793_851_200_000_000  # 2026-11-05 12:00 in Shanghai
RULES = LabRules(5, "best", 10, 10.0, 3, Limits())
PREFIX = "/services/portal"
COURSES = Path(__file__).parents[3] / "courses"
FILM = "short-film"
BASE = "http://127.0.0.1:8000/certs"
PROFILE = IssuerProfile(f"{BASE}/issuer", Text("样片培训中心", "Sample Training Centre"), BASE)

COURSE = {
    "id": "micro-drama",
    "programme": "ai-micro-drama",
    "version": "1.0",
    "title": {"zh": "AI 微短剧创作", "en": "AI micro-drama"},
    "summary": {
        "zh": "从剧本到镜头，再到第一条成片：用人工智能完成一集微短剧。",
        "en": "From script to shots to a first take: make one micro-drama episode with AI.",
    },
    "ai_use": {"zh": "学员使用了文生视频模型。", "en": "The trainee used a text-to-video model."},
    "skills": [
        {"id": "shot-list", "title": {"zh": "把剧本拆成镜头表", "en": "Break a script into a shot list"}},
        {"id": "prompting", "title": {"zh": "为文生视频写提示词", "en": "Write prompts for text-to-video"}},
    ],
    "completion": {"min_score": 60, "min_lab_score": 50, "min_rubric": 60, "min_lab_minutes": 30},
    "allowance": {"yuan": "60"},
    "labs": [
        {
            "id": "script-to-shots",
            "title": {"zh": "从剧本到镜头", "en": "Script to shots"},
            "summary": {
                "zh": "读入一份 Fountain 剧本，理出一集的结构，生成 OpenTimelineIO 镜头时间线。",
                "en": "Parse a Fountain screenplay, structure an episode, and produce a shot list as a timeline.",
            },
            "minutes": 60,
            "weight": 1,
            "due_after_days": 10,
            "rubric": "rubrics/script.toml",
            "skills": ["shot-list"],
            "late": {"grace_minutes": 10, "percent_per_day": 10, "last_day": 3},
        },
        {
            "id": "first-take",
            "title": {"zh": "第一条素材", "en": "First take"},
            "summary": {
                "zh": "用 diffusers 管线在 CPU 上生成一段视频，写出 MP4 和来源记录。",
                "en": "Generate a clip with a diffusers pipeline on the CPU; write an MP4 and its provenance record.",
            },
            "minutes": 90,
            "weight": 1,
            "due_after_days": 20,
            "skills": ["prompting"],
        },
    ],
}
RUBRIC = """
id = "script"
version = "1"

[title]
zh = "剧本与镜头评分标准"
en = "Rubric for script and shots"

[[criteria]]
id = "hook"
[criteria.title]
zh = "开场钩子"
en = "The hook"
[[criteria.levels]]
points = 0
[criteria.levels.text]
zh = "没有让人留下来的理由。"
en = "Nothing makes a viewer stay."
[[criteria.levels]]
points = 4
[criteria.levels.text]
zh = "前十秒就提出了非看下去不可的问题。"
en = "A question within ten seconds that must be answered."
"""


@dataclass
class HeaderSignIn:
    """Signs in whoever the request's header names: stands for the hub, whose sign-in and stop have tests of their own.

    ``on_stop`` is what becomes of a lab that is asked to stop; ``asked`` notes who asked.
    """

    on_stop: Callable[[str], None]
    key: bytes = b"k" * 32
    asked: list[str] = field(default_factory=list)

    def name(self, request: Request) -> str | None:
        return request.headers.get("X-Name") or request.cookies.get("test-name")

    def begin(self, next_path: str) -> Response:
        return redirect(f"/hub/login?next={next_path}")

    def stop_server(self, name: str) -> None:
        self.asked.append(name)
        self.on_stop(name)

    def complete(self, request: Request) -> Response:
        return redirect(PREFIX + "/")


def _answer(at_us: int) -> dict[str, Any]:
    """The cell a person grades, answered differently each time, so that a mark does not follow to the next attempt."""
    return {"cell_type": "markdown", "metadata": {"nbgrader": {"grade_id": "essay"}}, "source": f"Take {at_us}"}


class World:
    """The stores with the moves a test makes; ``now_us`` is what the clock says."""

    def __init__(self, folder: Path, empty_database: Path) -> None:
        self.now_us = NOON_US
        self.rules = RULES
        shutil.copy(empty_database, folder / "test.db")
        self.engine = engine = open_engine(f"sqlite:///{folder / 'test.db'}")
        self.receipt_key = Ed25519PrivateKey.generate()
        self.people = PeopleStore(engine, lambda: self.now_us)
        self.config = Config.model_validate(
            {
                "data_dir": folder,
                "courses_dir": folder / "courses",
                "server": {"public_url": "http://reel.example"},
                "profiles": {
                    "cpu": {"title_zh": "CPU 实验环境", "title_en": "CPU lab"},
                    "gpu-slice": {
                        "title_zh": "GPU 切片",
                        "title_en": "GPU slice",
                        "longest_session_minutes": 60,
                    },
                },
            }
        )
        policy = load_policy(self.config.policy.tariffs, self.config.policy.subsidies)
        self.use = UseStore(engine)
        self.ledger = Ledger(engine, policy, folder / "checkpoint.pem", clock=lambda: self.now_us)
        self.submissions = SubmissionStore(engine, folder / "blobs", clock=lambda: self.now_us)
        self.certificates = CertificateStore(engine)
        self.footage = Footage(engine, self.ledger)
        self.tokens = Tokens(engine, clock=lambda: self.now_us)
        self.course = Course.model_validate(COURSE)
        rubric = folder / "courses" / "micro-drama" / "rubrics" / "script.toml"
        rubric.parent.mkdir(parents=True)
        rubric.write_text(RUBRIC, encoding="utf-8")
        self.people.put_site(Site("main", "上海创作基地", "Shanghai pilot base"))
        self.courses = (self.course,)
        self.sign_in = HeaderSignIn(self.end)
        self.app = self._app()

    def teach(self, change: dict[str, Any]) -> Course:
        """One more course, or another version of one: ``COURSE`` with ``change``."""
        added = Course.model_validate({**COURSE, **change})
        self.courses = (*(course for course in self.courses if course.id != added.id), added)
        self.app = self._app()
        return added

    def end(self, name: str) -> None:
        """The end of whatever ``name`` runs, now."""
        for lease in self.ledger.open_leases():
            if lease.learner == name:
                self.ledger.record_ended(lease.id, self.now_us, "shim", "stopped")

    def release(self, lab: str, course: str = "micro-drama") -> None:
        """Hand a lab out from now on."""
        self.submissions.release(LabVersion(course, lab, "a" * 64, b"source", b"{}", {}, (), {}))

    @property
    def app_shelf(self) -> Shelf:
        """Where the app keeps labs in the making."""
        return Shelf(self.config.data_dir / "authored")

    def _app(self) -> Flask:
        services = PortalServices(
            self.people,
            self.ledger,
            self.submissions,
            self.certificates,
            self.sessions,
            self.tokens,
            self.footage,
        )
        return create_app(
            services,
            session=self.sign_in,
            courses=self.courses,
            config=self.config,
            clock=lambda: self.now_us,
        )

    @property
    def sessions(self) -> Sessions:
        """When running labs end, by the school's own clock."""
        return Sessions(self.use, self.ledger, self.config.profiles, clock=lambda: self.now_us)

    def client(self, name: str | None, lang: str = "en") -> FlaskClient:
        client = self.app.test_client()
        client.environ_base |= {"HTTP_ACCEPT_LANGUAGE": lang}
        if name:
            client.environ_base["HTTP_X_NAME"] = name
        return client

    def staff(self) -> None:
        """An instructor of the course, a funder, an administrator."""
        for name, full_name, role in (
            ("wang", "王老师", "instructor"),
            ("fund", "区财政", "funder"),
            ("root", "管理员", "admin"),
        ):
            self.people.put_person(Person(name, full_name, frozenset({role}), "main"))
        self.people.add_instructor("micro-drama", "wang")

    def cohort(self, roster: str = "number,name\nA01,李明\nA02,张华\n") -> Any:
        cohort = self.people.create_cohort(
            "micro-drama", "main", "2026 秋季一班", date(2026, 11, 1), date(2026, 12, 31), "wang"
        )
        self.people.import_roster(cohort.id, roster.encode())
        return cohort

    def trainee(self, cohort: Any, number: str = "A01", name: str = "liming") -> str:
        self.people.enrol(cohort.class_code, number, name)
        return name

    def worked(
        self, name: str, lab: str, minutes: int, number: int = 1, *, ended: bool = True, course: str = "micro-drama"
    ) -> None:
        """A lab session from the ledger's own steps; without an end it runs ten minutes longer."""
        self.ledger.grant(name, course, 60_000_000, "enrolment", self.now_us)
        begun = self.now_us - (minutes + 10) * MINUTE_US
        request = LeaseRequest(
            id=UUID(int=number), learner=name, course=course, lab=lab, cohort="", site="main",
            profile="cpu", longest_us=4 * HOUR_US, requested_us=begun,
        )  # fmt: skip
        lease = self.ledger.open(request)
        self.ledger.record_started(lease.id, begun, "shim")
        if ended:
            self.ledger.record_ended(lease.id, begun + minutes * MINUTE_US, "shim", "stopped")

    def hand_in(
        self, name: str, lab: str, content: bytes = b"notebook", late_us: int = 0, course: str = "micro-drama"
    ) -> Any:
        due_us = self.now_us + DAY_US - (DAY_US + late_us if late_us else 0)
        window = Window(self.now_us - 9 * DAY_US, due_us, self.now_us + 9 * DAY_US)
        return self.submissions.add(
            course, lab, name, content, window=window, rules=self.rules, version="v1" * 16,
            sign=lambda receipt: sign(receipt, self.receipt_key),
        )  # fmt: skip

    def grade(self, *cells: CellScore, files: dict[str, bytes] | None = None) -> Any:
        """Grade the submission that waits longest, as a worker does; ``files`` are what its cells left behind."""
        claim = self.submissions.claim("worker-0")
        assert claim
        notebook = json.dumps({"cells": [_answer(self.submissions.now_us())], "metadata": {}, "nbformat": 4}).encode()
        made = tuple(ProducedFile(path, "", len(content), content) for path, content in (files or {}).items())
        assert self.submissions.record(claim, Verdict(cells=cells, notebook=notebook, seconds=1.0, files=made))
        return claim.submission

    def questions(self, lab: str, paper_id: str) -> list[Any]:
        """What is asked of one answer, as the lab's rubric says."""
        rubric = lab_rubric(self.config.courses_dir, self.course, self.course.lab(lab))
        learners = {person.name for person in self.people.people()}
        (sheet,) = [one for one in self.submissions.hand.sheets(self.course.id, lab, learners) if one.id == paper_id]
        return [one.question for one in questions_of(rubric, sheet)]

    def mark(self, name: str, lab: str, score: float, comment: str) -> None:
        """A hand mark, as the gradebook hands it over."""
        told_of = self.submissions.to_show("micro-drama", lab, name)
        assert told_of
        self.submissions.posted(told_of)
        shown = self.submissions.submission(self.submissions.shown("micro-drama", lab, name))
        given = HandMark(name, lab, shown.received_us, "essay", score, comment)
        assert self.submissions.record_hand_marks("micro-drama", [given])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table and no row; made once, because making it takes longer than most tests."""
    file = tmp_path_factory.mktemp("portal") / "empty.db"
    engine = create_engine(f"sqlite:///{file}")
    for module in (
        hub.api.tables,
        hub.footage.tables,
        hub.people.tables,
        hub.compute.tables,
        hub.reclaim.tables,
        grader.tables,
        certs.tables,
    ):
        module.metadata.create_all(engine)
    engine.dispose()
    return file


@pytest.fixture
def world(tmp_path: Path, empty_database: Path) -> World:
    return World(tmp_path, empty_database)


@pytest.fixture
def school(world: World) -> World:
    """Staff, a class of two, one of whom (``liming``) signed up."""
    world.staff()
    world.the_class = world.cohort()  # type: ignore[attr-defined]
    world.trainee(world.the_class)  # type: ignore[attr-defined]
    return world


@pytest.fixture
def post() -> Callable[..., Any]:
    """Post a form as a browser does: read the page it stands on first, for its token."""

    def send(client: FlaskClient, page: str, to: str, data: dict[str, Any], **more: Any) -> Any:
        found = re.search(r'name="form_token" value="([^"]+)"', client.get(PREFIX + page).text)
        assert found
        return client.post(PREFIX + to, data={"form_token": found[1], **data}, **more)

    return send


HOOK = "开场钩子 The hook"


def auto(score: float, reason_zh: str = "", reason_en: str = "") -> CellScore:
    """A checked cell of four points."""
    return CellScore("parse", "解析剧本 Parse the screenplay", "auto", score, 4, reason_zh, reason_en)


def essay() -> CellScore:
    """A cell of four points that a person grades."""
    return CellScore("essay", HOOK, "manual", 0, 4, "", "")


@pytest.fixture
def cells() -> type:
    """What graded cells look like: ``cells.auto(score, ...)`` and ``cells.essay()``."""
    return type("Cells", (), {"auto": staticmethod(auto), "essay": staticmethod(essay)})


@pytest.fixture
def busy(school: World) -> World:
    """A class in full work: eight trainees at every state a page can show."""
    names = ["王芳", "刘洋", "陈静", "赵磊", "周敏", "孙丽"]
    roster = "number,name\n" + "".join(f"B{n:02},{name}\n" for n, name in enumerate(names, 1)) + "C01,未注册\n"
    cohort = school.the_class  # type: ignore[attr-defined]
    school.people.import_roster(cohort.id, roster.encode())
    learners = [school.trainee(cohort, f"B{n:02}", f"learner{n}") for n in range(1, len(names) + 1)]
    for number, name in enumerate(["liming", *learners]):
        school.worked(name, "script-to-shots", 42 + 7 * number, number=10 + number)
        if number < 5:
            school.hand_in(name, "script-to-shots", f"{name} 1".encode(), late_us=DAY_US // 2 if number == 2 else 0)
            school.grade(
                auto(2, "第 3 场没有识别出来：应为 8 场，实际 7 场。", "Scene 3 was not found: expected 8, got 7."),
                essay(),
            )
    school.now_us += HOUR_US
    school.hand_in("liming", "script-to-shots", b"liming 2")
    school.grade(
        auto(4, "8 场全部识别，角色和时长正确。", "All 8 scenes found; characters and lengths are right."), essay()
    )
    school.mark(
        "liming", "script-to-shots", 3, "钩子清楚，第二句台词可以再短一些。The hook is clear; shorten the second line."
    )
    school.submissions.release_feedback("micro-drama", "script-to-shots", "liming", released_by="wang")
    school.hand_in("liming", "first-take", b"liming first take")
    school.worked("learner6", "script-to-shots", 5, number=50, ended=False)
    school.release("script-to-shots")
    return school


@pytest.fixture
def count_queries(world: World) -> Callable[[], Any]:
    """A block in which every statement sent to the database is noted."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        asked: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                asked.append(statement)

        event.listen(world.engine, "before_cursor_execute", note)
        yield asked
        event.remove(world.engine, "before_cursor_execute", note)

    return counting


@dataclass
class Steward:
    """The steward's rounds and the issuer's, over the stores of the small world."""

    world: Any
    cells: Any
    key: IssuerKey
    courses: tuple[Course, ...]
    profile: IssuerProfile = PROFILE
    numbers: Iterator[int] = field(default_factory=lambda: count(100))

    @property
    def store(self) -> Any:
        return self.world.certificates

    @property
    def platform(self) -> Any:
        return SimpleNamespace(
            people=self.world.people,
            ledger=self.world.ledger,
            submissions=self.world.submissions,
            certificates=self.world.certificates,
            courses=self.courses,
            programmes=load_programmes(COURSES, self.courses),
            config=self.world.config,
            secrets=Secrets(self.world.config.data_dir / "secrets"),
            course=lambda name: {one.id: one for one in self.courses}[name],
        )

    def completes(self, course: str, learner: str, score: float = 4) -> None:
        """Hand every lab in once more, and have it graded; the last attempt is the newer one, not the better one."""
        for lab in next(one for one in self.courses if one.id == course).labs:
            number = next(self.numbers)
            self.world.worked(learner, lab.id, 40, number=number, course=course)
            self.world.hand_in(learner, lab.id, f"{lab.id} {number}".encode(), course=course)
            self.world.grade(self.cells.auto(score))

    def round(self) -> int:
        asked = award.award_completed(self.platform)
        self.sign()
        asked += programme_award.award_programmes(self.platform)
        self.sign()
        return asked

    def sign(self) -> None:
        issue_pending(self.store, self.key, self.profile)

    def held(self, learner: str, course: str) -> Any:
        return award.newest(self.store.for_holder(award.holder_ref(learner, course)))

    def reissue(self, certificate_id: str, course: int = 0, *, force: bool = True) -> str:
        return award.reissue(self.platform, self.courses[course], certificate_id, Path("/nowhere"), force=force)


@pytest.fixture
def steward(school: Any, cells: Any, tmp_path: Path) -> Steward:
    """A course with a skill that ages, a second course of the same programme, one trainee in both."""
    skills = [skill.model_dump() for skill in school.course.skills]
    ages = school.teach({"skills": [{**skills[0], "valid_months": 36}, skills[1]]})
    lasts = school.teach({"id": FILM})
    key = IssuerKey.load_or_create(tmp_path / "secrets" / "issuer-key.pem")
    school.certificates.register_key(key.multibase)
    return Steward(school, cells, key, (ages, lasts))
