"""What becomes of running labs, on a real ledger and database: who is used, who is told, who may be stopped."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from flask import Flask

import hub.compute.tables
import hub.reclaim.tables
from grader.refusal import Refused
from grader.web import render_errors
from hub.compute.class_window import ClassWindow
from hub.compute.lease import MINUTE_US, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy
from hub.config import POLICY, ProfileConfig
from hub.db import open_engine
from hub.reclaim.arbiter import arbiter
from hub.reclaim.pages import session_pages
from hub.reclaim.sessions import Sessions
from hub.reclaim.store import UNTOLD, UseStore

if TYPE_CHECKING:
    from pathlib import Path

    from hub.compute.lease import Lease
    from hub.reclaim.rule import Outlook

NOON_US = 1_793_851_200_000_000


class Lab:
    """One learner's running lab, and the clock."""

    def __init__(self, folder: Path) -> None:
        self.now_us, self.gpu_us = NOON_US, 0
        engine = open_engine(f"sqlite:///{folder / 'test.db'}")
        for module in (hub.compute.tables, hub.reclaim.tables):
            module.metadata.create_all(engine)
        policy = load_policy(POLICY / "tariffs.toml", POLICY / "subsidies.toml")
        self.ledger = Ledger(engine, policy, clock=lambda: self.now_us)
        self.store = UseStore(engine)
        profile = ProfileConfig(title_zh="CPU", title_en="CPU", idle_minutes=60, longest_session_minutes=240)
        self.sessions = Sessions(
            self.store, self.ledger, {"cpu": profile}, gpu_used_us=lambda _lease: self.gpu_us, clock=lambda: self.now_us
        )
        self.may_stop = arbiter(self.sessions)

    def open(self, learner: str = "liming", allowance_uy: int = 100_000_000) -> Lease:
        self.ledger.grant(learner, "micro-drama", allowance_uy, "enrolment", self.now_us)
        request = LeaseRequest(
            id=UUID(int=len(self.ledger.open_leases()) + 1), learner=learner, course="micro-drama",
            lab="first-take", cohort="c1", site="main", profile="cpu",
            longest_us=240 * MINUTE_US, requested_us=self.now_us,
        )  # fmt: skip
        self.ledger.open(request)
        return self.ledger.record_started(request.id, self.now_us, "shim")

    def asked(self, inactive_minutes: float | None, name: str = "liming") -> bool:
        """What the idle culler would be told now."""
        inactive = None if inactive_minutes is None else timedelta(minutes=inactive_minutes)
        return self.may_stop(inactive=inactive, inactive_limit=600, server={"url": f"/user/{name}/", "name": ""})

    def tell(self, lease: Lease, unused_seconds: int) -> Outlook:
        """What the lab tells of itself now."""
        return self.sessions.told(lease, unused_seconds * 1_000_000)

    def pass_minutes(self, minutes: int) -> None:
        self.now_us += minutes * MINUTE_US


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_silent_kernel_that_works_outlives_the_idle_limit(lab: Lab) -> None:
    lease = lab.open()
    for _ in range(150):
        lab.pass_minutes(1)
        lab.tell(lease, 0)  # busy: used now, though nothing was printed or typed
        assert not lab.asked(inactive_minutes=150)
    assert lab.sessions.expected(lease).notice is None


def test_a_gpu_at_work_counts_as_use(lab: Lab) -> None:
    lease = lab.open()
    for _ in range(100):
        lab.pass_minutes(1)
        lab.gpu_us = lab.now_us
        lab.tell(lease, 100 * 60)
    assert lab.sessions.expected(lease).notice is None


def test_an_unused_lab_is_told_and_then_stopped(lab: Lab) -> None:
    lease = lab.open()
    lab.pass_minutes(54)
    told = lab.tell(lease, 54 * 60)
    assert told.notice is not None
    assert told.ends_us - lab.now_us >= 5 * MINUTE_US
    assert not lab.asked(54)
    lab.pass_minutes(6)
    lab.tell(lease, 60 * 60)
    assert lab.asked(60)


def test_pressing_a_key_after_the_notice_keeps_the_lab(lab: Lab) -> None:
    lease = lab.open()
    lab.pass_minutes(56)
    assert lab.tell(lease, 56 * 60).notice
    lab.pass_minutes(1)
    assert lab.tell(lease, 2).notice is None
    lab.pass_minutes(10)
    assert not lab.asked(0)


def test_an_open_page_that_nobody_looks_at_does_not_keep_a_lab(lab: Lab) -> None:
    """The hub sees the page's own polling as activity; the lab knows better."""
    lease = lab.open()
    for minute in range(1, 61):
        lab.pass_minutes(1)
        lab.tell(lease, minute * 60)
        stopped = lab.asked(0)
    assert stopped


def test_a_lab_that_tells_nothing_is_judged_by_what_the_hub_saw(lab: Lab) -> None:
    lab.open()
    lab.pass_minutes(100)
    assert not lab.asked(2)
    lab.pass_minutes(70)
    assert not lab.asked(72), "the notice comes first"
    lab.pass_minutes(5)
    assert lab.asked(77)


def test_a_culler_that_does_not_know_the_last_activity_gives_notice_first(lab: Lab) -> None:
    lab.open()
    lab.pass_minutes(120)
    assert not lab.asked(None)
    lab.pass_minutes(5)
    assert lab.asked(None)


def test_a_class_of_the_cohort_keeps_its_labs(lab: Lab) -> None:
    window = ClassWindow(
        course="micro-drama", cohort="c1", from_us=NOON_US, until_us=NOON_US + 120 * MINUTE_US, by="wang"
    )
    lab.ledger.classes.schedule(window)
    lease = lab.open()
    lab.pass_minutes(119)
    assert lab.tell(lease, 119 * 60).notice is None


def test_a_server_without_a_lease_is_left_to_who_reconciles(lab: Lab) -> None:
    assert not lab.asked(10_000, "nobody")


def test_what_was_kept_goes_with_the_lab(lab: Lab) -> None:
    lease = lab.open()
    lab.tell(lease, 0)
    assert lab.sessions.forget_ended() == 0
    lab.ledger.record_ended(lease.id, lab.now_us, "shim", "stopped")
    assert lab.sessions.forget_ended() == 1
    assert lab.store.use(lease.id) == UNTOLD


@pytest.fixture
def ask(lab: Lab) -> Any:
    def learner(authorization: str) -> str:
        if not authorization:
            raise Refused(401, "no_token", zh="无", en="none")
        return authorization.removeprefix("token ")

    app = Flask(__name__)
    app.register_blueprint(session_pages(lab.sessions, lab.ledger, learner), url_prefix="/services/intake")
    render_errors(app)

    def post(body: Any, who: str = "liming") -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body)
        return app.test_client().post(
            "/services/intake/api/session", data=content, content_type="application/json",
            headers={"Authorization": f"token {who}"} if who else {},
        )  # fmt: skip

    return post


def test_a_lab_hears_its_end_and_its_cost(lab: Lab, ask: Any) -> None:
    lab.open()
    lab.pass_minutes(30)
    told = ask({"unused_seconds": 60}).json
    assert told["ends_us"] == NOON_US + 89 * MINUTE_US
    assert (told["why"], told["is_noticed"], told["lab"]) == ("idle", False, "first-take")
    assert told["cost_uy"] > 0
    assert told["left_uy"] > 0
    assert told["alert"] is None
    assert told["held_uy"] == pytest.approx(told["hour_uy"] * 210 / 60, abs=210), "what the session may still cost"


def test_a_lab_hears_which_level_of_the_allowance_is_reached(lab: Lab, ask: Any) -> None:
    lab.open(allowance_uy=2_000_000)  # four hours at 0.50
    heard = []
    for minutes in (119, 1, 48, 24, 48):
        lab.pass_minutes(minutes)
        heard.append(ask({"unused_seconds": 60}).json["alert"])
    assert heard == [None, 50, 70, 80, 100]


NONSENSE = [
    b"", b"[]", b"{", {}, *({"unused_seconds": value} for value in (-1, 1e9, 32 * 86_400, "1", True, None)),
]  # fmt: skip


@pytest.mark.parametrize("body", NONSENSE)
def test_nonsense_is_refused_and_counts_as_nothing(lab: Lab, ask: Any, body: Any) -> None:
    lease = lab.open()
    answer = ask(body)
    assert answer.status_code == 400
    assert "unused_seconds" in answer.json["error"]["expected"]
    assert lab.store.use(lease.id) == UNTOLD


def test_nobody_tells_of_another_s_lab(lab: Lab, ask: Any) -> None:
    lease = lab.open()
    assert ask({"unused_seconds": 0}, who="zhanghua").status_code == 404
    assert ask({"unused_seconds": 0}, who="").status_code == 401
    assert lab.store.use(lease.id) == UNTOLD
