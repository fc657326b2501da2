"""Take servers: a lab asks, a real model draws, the film comes back, its seconds are charged; whatever is killed."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from werkzeug.serving import make_server

import hub.compute.tables
import hub.reclaim.tables
import hub.takes.tables
from grader.refusal import Refused
from grader.web import render_errors
from hub.compute.lease import MICRO, MINUTE_US, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy
from hub.config import POLICY
from hub.db import open_engine
from hub.reclaim.sessions import Sessions
from hub.reclaim.store import UseStore
from hub.takes.desk import TakeDesk
from hub.takes.job import AGED_US, Order, TakeRefused, in_order
from hub.takes.pages import take_pages
from hub.takes.server import SILENT_US, TakeServer
from hub.takes.store import TakeStore
from labs.model.make import make_model
from labs.model.profile import CHOSEN_VARIABLE, PROFILES_VARIABLE, TakeProfile, written
from labs.provenance import read_record, record_path
from labs.takes import TakeError, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHARED = "gpu-slice"
"""A profile that the example prices know."""
PROFILES = {"cpu": TakeProfile(), SHARED: TakeProfile(where="shared", seconds=5, longest_seconds=120)}
ASKED = {"profile": SHARED, "prompt": "a red ball", "seed": 3, "frames": 9, "fps": 8, "steps": 2, "guidance": 1.0}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "house")
    return folder


class Studio:
    """A site with a take server, and learners with running labs."""

    def __init__(self, folder: Path, models: Path) -> None:
        engine = open_engine(f"sqlite:///{folder / 'test.db'}")
        for module in (hub.compute.tables, hub.reclaim.tables, hub.takes.tables):
            module.metadata.create_all(engine)
        self.ledger = Ledger(engine, load_policy(POLICY / "tariffs.toml", POLICY / "subsidies.toml"))
        self.sessions = Sessions(UseStore(engine), self.ledger, {}, takes={SHARED})
        self.store = TakeStore(engine)
        films = folder / "films"
        films.mkdir()
        self.desk = TakeDesk(
            self.store, self.ledger, self.sessions, PROFILES, models=models, folder=films, servers=1
        )  # fmt: skip
        self.server = TakeServer(self.store, self.ledger, PROFILES, models=models, folder=films)

    def lab(self, learner: str, yuan: int = 60, minutes: int = 30) -> UUID:
        now = self.sessions.clock()
        self.ledger.grant(learner, "micro-drama", yuan * MICRO, "enrolment", now)
        request = LeaseRequest(
            id=uuid4(), learner=learner, course="micro-drama", lab="first-take", cohort="c1", site="main",
            profile="cpu", longest_us=minutes * MINUTE_US, requested_us=now,
        )  # fmt: skip
        self.ledger.open(request)
        self.ledger.record_started(request.id, now, "shim")
        return request.id

    def ask(self, learner: str, **more: Any) -> Any:
        return self.desk.ask(uuid4(), learner, {**ASKED, **more})

    def job(self, job: Any) -> Any:
        return self.desk.job(job.order.id, job.order.learner)


@pytest.fixture
def studio(tmp_path: Path, models: Path) -> Studio:
    return Studio(tmp_path, models)


@contextmanager
def served(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The intake on loopback with a take server at work, as a lab of liming's finds them."""

    def learner(authorization: str) -> str:
        if not authorization.startswith("token of-"):
            raise Refused(401, "no_token", zh="请重新登录", en="sign in again")
        return authorization.removeprefix("token of-")

    app = Flask("intake")
    app.register_blueprint(take_pages(studio.desk, learner), url_prefix="/services/intake")
    render_errors(app)
    web = make_server("127.0.0.1", 0, app, threaded=True)
    stop = threading.Event()
    threads = [threading.Thread(target=web.serve_forever), threading.Thread(target=studio.server.run, args=(stop,))]
    for thread in threads:
        thread.start()
    monkeypatch.setenv("REELWRIGHT_INTAKE_URL", f"http://127.0.0.1:{web.server_port}/services/intake")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-liming")
    monkeypatch.setenv(PROFILES_VARIABLE, written(PROFILES))
    monkeypatch.setenv(CHOSEN_VARIABLE, SHARED)
    try:
        yield
    finally:
        stop.set()
        web.shutdown()
        for thread in threads:
            thread.join()


def test_the_same_call_has_the_take_made_elsewhere_and_charged_by_its_seconds(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = studio.lab("liming")
    with served(studio, monkeypatch):
        take = generate("a red ball", 3, tmp_path / "home" / "shot.mp4", frames=9, steps=2)
    assert take.frames.shape[0] == 9
    record = read_record(record_path(take.path))
    assert (record.output.file, record.seed, record.model.name) == ("shot.mp4", 3, "plumbing-1")
    sessions = [each for each in studio.ledger.sessions("liming", "micro-drama") if each.lease.id != lab]
    assert [(each.lease.profile, each.lease.state) for each in sessions] == [(SHARED, "ended")]
    assert sessions[0].charge_uy > 0
    assert sessions[0].seconds <= 120
    assert studio.sessions.running("liming").id == lab, "a take is no lab"
    assert studio.ledger.verify().first_bad is None


def test_the_same_seed_makes_the_same_film_there_and_here(
    studio: Studio, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.lab("liming")
    with served(studio, monkeypatch):
        there = generate("a red ball", 3, tmp_path / "there.mp4", frames=9, steps=2)
    here = generate("a red ball", 3, tmp_path / "here.mp4", frames=9, steps=2, model=models / "house")
    assert there.record.output.sha256 == here.record.output.sha256


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"frames": 10}, "frames: got 10"),
        ({"steps": 101}, "cannot be read"),
        ({"prompt": ""}, "cannot be read"),
        ({"profile": "mine"}, "mine"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_it_costs(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], said: str
) -> None:
    studio.lab("liming")
    whole = {"prompt": "a red ball", "seed": 3, "path": tmp_path / "x.mp4", **asked}
    with served(studio, monkeypatch), pytest.raises(Exception, match=said):
        generate(**whole)
    assert len(studio.ledger.sessions("liming", "micro-drama")) == 1
    assert not (tmp_path / "x.mp4").exists()


def test_a_take_that_cannot_be_paid_is_refused_with_the_balance_and_the_remedy(studio: Studio) -> None:
    studio.lab("liming", yuan=1, minutes=110)
    with pytest.raises(TakeRefused, match=r"0\.\d+ yuan are left; ask for fewer frames"):
        studio.ask("liming", steps=100)


def test_without_a_running_lab_nothing_is_made(studio: Studio) -> None:
    with pytest.raises(TakeRefused, match="No lab of yours is running"):
        studio.ask("liming")


def test_a_take_without_a_gpu_for_it_says_what_to_do(tmp_path: Path, models: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(PROFILES_VARIABLE, written({"direct": TakeProfile(where="direct")}))
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models))
    with pytest.raises(TakeError, match="start a lab that has one"):
        generate("a red ball", 1, tmp_path / "a.mp4", profile="direct")


def test_nobody_fills_the_queue(studio: Studio) -> None:
    studio.lab("liming")
    for _ in range(3):
        studio.ask("liming")
    with pytest.raises(TakeRefused, match="3 takes in the queue already"):
        studio.ask("liming")


def test_a_cancelled_take_is_never_drawn(studio: Studio) -> None:
    studio.lab("liming")
    job = studio.ask("liming")
    assert studio.desk.cancel(job)
    assert not studio.server.serve_one()
    assert studio.job(job).state == "cancelled"


def test_a_take_that_is_cancelled_while_it_is_drawn_stops_and_is_charged_until_then(studio: Studio) -> None:
    studio.lab("liming")
    job = studio.ask("liming", steps=100)
    drawing = threading.Thread(target=studio.server.serve_one)
    drawing.start()
    while studio.job(job).step == 0:
        assert drawing.is_alive()
    assert studio.desk.cancel(studio.job(job))
    drawing.join()
    assert studio.job(job).step < 100
    assert [each.lease.state for each in studio.ledger.sessions("liming", "micro-drama")].count("ended") == 1


def test_a_killed_server_s_take_is_drawn_once_more_and_each_is_charged_once(studio: Studio) -> None:
    studio.lab("liming")
    job = studio.ask("liming")
    old = studio.store.claim({SHARED}, studio.sessions.clock() - 2 * SILENT_US)
    lease = studio.server._opened(old)
    studio.ledger.heartbeat(lease.id, studio.sessions.clock(), "take-server")
    studio.store._write(old, beat_us=studio.sessions.clock() - 2 * SILENT_US)  # the server is gone from here on

    assert studio.server.tidy() == 1
    assert studio.ledger.lease(lease.id).state == "ended"
    assert not studio.store.finish(old, "{}", 1), "who lost it writes no more"
    assert studio.server.serve_one()
    done = studio.job(job)
    assert done.state == "done"
    assert json.loads(done.record)["seed"] == 3
    assert studio.server.tidy() == 0


def test_a_take_that_loses_two_servers_is_given_up_with_words(studio: Studio) -> None:
    studio.lab("liming")
    job = studio.ask("liming")
    for _ in range(3):
        studio.store.claim({SHARED}, studio.sessions.clock() - 2 * SILENT_US)
        studio.server.tidy()
    assert studio.job(job).state == "failed"
    assert "lost twice" in studio.job(job).why_en


def test_nobody_sees_another_s_take(studio: Studio) -> None:
    studio.lab("liming")
    job = studio.ask("liming")
    assert studio.desk.job(job.order.id, "zhanghua") is None


def _order(number: int, learner: str, asked_us: int) -> Order:
    return Order(
        id=UUID(int=number), learner=learner, course="c", lab="l", cohort="", site="main", profile=SHARED, prompt="x",
        seed=0, frames=9, fps=8, steps=2, guidance=1.0, asked_us=asked_us, longest_us=MINUTE_US,
    )  # fmt: skip


def test_who_had_less_goes_first_and_who_waited_long_goes_before_all() -> None:
    greedy, modest, patient = _order(1, "greedy", 10), _order(2, "modest", 20), _order(3, "greedy", 0)
    used = {"greedy": 5 * MINUTE_US}
    assert [each.id.int for each in in_order([greedy, modest], used, 30)] == [2, 1]
    assert [each.id.int for each in in_order([modest, patient], used, AGED_US)] == [3, 2]


def test_the_place_and_the_wait_are_told(studio: Studio) -> None:
    for learner in ("liming", "zhanghua"):
        studio.lab(learner)
    first, second = studio.ask("liming"), studio.ask("zhanghua")
    assert studio.desk.place(first) == (0, 0.0)
    assert studio.desk.place(second) == (1, 5.0)
