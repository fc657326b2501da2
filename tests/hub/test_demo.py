"""A filled instance, looked at through the same doors as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from flask import redirect
from jupyterhub.orm import new_session_factory
from nativeauthenticator.orm import UserInfo

from hub.award import holder_ref
from hub.config import Config
from hub.course import load_course
from hub.demo import DemoRefusedError, cast, fill
from hub.demo.answers import mistaken, reference
from hub.demo.schedule import sittings
from hub.platform import Platform
from hub.portal.app import PortalServices, create_app
from hub.traits import hub_database_url

if TYPE_CHECKING:
    from flask import Request
    from flask.testing import FlaskClient
    from werkzeug import Response

ROOT = Path(__file__).parent.parent.parent
COURSE = "micro-drama"
PORTAL = "/services/portal"


@dataclass
class Filled:
    """An instance that ``reelwright demo --fast`` filled, and what that said."""

    platform: Platform
    said: list[str]

    @property
    def password(self) -> str:
        return next(line for line in self.said if "password" in line).rsplit(" ", 1)[1]

    def page(self, name: str, path: str) -> str:
        platform = self.platform
        services = PortalServices(
            platform.people,
            platform.ledger,
            platform.submissions,
            platform.certificates,
            platform.sessions,
            platform.tokens,
            platform.footage,
        )
        app = create_app(services, session=HeaderSignIn(), courses=platform.courses, config=platform.config)
        client: FlaskClient = app.test_client()
        answer = client.get(PORTAL + path, headers={"X-Name": name, "Accept-Language": "en"})
        assert answer.status_code == 200, answer.text
        return answer.text


@dataclass
class HeaderSignIn:
    """Signs in whoever the request's header names: stands for the hub, which does not run here."""

    key: bytes = b"k" * 32

    def name(self, request: Request) -> str | None:
        return request.headers.get("X-Name")

    def begin(self, next_path: str) -> Response:
        return redirect(f"/hub/login?next={next_path}")

    def complete(self, request: Request) -> Response:
        return redirect(PORTAL + "/")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("demo")
    file = folder / "reelwright.toml"
    file.write_text(f'courses_dir = "{ROOT / "courses"}"\n', encoding="utf-8")
    platform, said = Platform(Config.load(file)), list[str]()
    fill(platform, said.append, fast=True)
    return Filled(platform, said)


@pytest.mark.slow
def test_the_class_stands_as_a_class_does(filled: Filled) -> None:
    (cohort,) = filled.platform.people.cohorts(COURSE)
    members = filled.platform.people.members(cohort.id)
    assert [member.learner is None for member in members].count(True) == 1
    page = filled.page("zhoulan", f"/classes/{cohort.id}")
    for member in members:
        assert member.full_name in page
    states = {
        attempt.submission.state
        for member in members
        for lab in filled.platform.courses[0].labs
        for attempt in filled.platform.submissions.attempts(COURSE, lab.id, member.learner or "")
    }
    assert states == {"graded", "needs_review"}
    scores = {result.auto_score / result.auto_max for result in filled.platform.submissions.class_results(COURSE)}
    assert max(scores) == 1.0
    assert min(scores) < 0.7


@pytest.mark.slow
def test_a_trainee_reads_marks_with_their_reasons(filled: Filled) -> None:
    page = filled.page("linxiaoyu", f"/course/{COURSE}/lab/script-to-shots")
    assert any(mark.comment in page for mark in cast.GOOD_MARKS)


@pytest.mark.slow
def test_the_ledger_holds_a_month(filled: Filled) -> None:
    checked = filled.platform.ledger.verify()
    assert checked.held, checked
    today = datetime.now(UTC).date()
    days = [(today + timedelta(days=shift)).isoformat() for shift in (-32, 1)]
    # As operators see it: a report may hide a month that has only just begun, with few learners in it.
    used = filled.platform.ledger.learners(days[0], days[1])
    assert len({each.learner for each in used}) == 6
    assert all(each.sums.subsidised_uy == each.sums.total_uy for each in used)
    assert sum(each.sums.sessions for each in used) > 20
    assert filled.platform.ledger.open_leases() == ()


@pytest.mark.slow
def test_certificates_verify_offline_and_one_is_revoked(filled: Filled, tmp_path: Path) -> None:
    store, exits = filled.platform.certificates, {}
    env = {**os.environ, "REELWRIGHT_CONFIG": str(filled.platform.config.file)}
    for learner in ("linxiaoyu", "wangzixuan", "chensiyuan"):
        (certificate,) = store.for_holder(holder_ref(learner, COURSE))
        assert certificate.document is not None
        file = tmp_path / f"{learner}.json"
        file.write_bytes(certificate.document)
        command = [sys.executable, "-m", "hub", "verify", str(file)]
        exits[learner] = subprocess.run(command, env=env, capture_output=True, check=False).returncode
    assert exits == {"linxiaoyu": 0, "wangzixuan": 0, "chensiyuan": 1}


@pytest.mark.slow
def test_everybody_named_can_sign_in_with_the_printed_password(filled: Filled) -> None:
    session = new_session_factory(hub_database_url(filled.platform.config))()
    try:
        for name in ("guanli", "zhoulan", "caizheng", "linxiaoyu", "sunhaoran"):
            login = UserInfo.find(session, name)
            assert login is not None
            assert login.is_authorized
            assert login.is_valid_password(filled.password)
            assert filled.platform.people.person(name) is not None
    finally:
        session.close()


@pytest.mark.slow
def test_an_instance_with_people_is_left_as_it_is(filled: Filled) -> None:
    before = len(filled.platform.submissions.class_results(COURSE))
    with pytest.raises(DemoRefusedError, match="9 people"):
        fill(filled.platform, filled.said.append, fast=True)
    assert len(filled.platform.people.people()) == 9
    assert len(filled.platform.submissions.class_results(COURSE)) == before


def test_the_full_cast_has_thirty_who_signed_up_in_two_classes() -> None:
    cohorts = cast.cast(cast.FULL)
    seats = [trainee for cohort in cohorts for trainee in cohort.trainees]
    assert (len(cohorts), sum(seat.story is not None for seat in seats)) == (2, 30)
    assert len({seat.name for seat in seats}) == len(seats)


def test_work_is_the_same_every_time_and_never_at_two_places_at_once() -> None:
    course = load_course(ROOT / "courses" / COURSE)
    for trainee in (trainee for cohort in cast.cast(cast.FULL) for trainee in cohort.trainees):
        once, again = (sittings(trainee, course, 0, 29, Random(7)) for _ in range(2))  # noqa: S311 -- a story, not a secret
        assert once == again
        assert all(early.end_us < late.start_us for early, late in pairwise(once))


def test_a_mistake_is_never_the_right_answer() -> None:
    source = (ROOT / "courses" / COURSE / "source" / "script-to-shots" / "script-to-shots.ipynb").read_bytes()
    answers = reference(source)
    assert answers
    for seed in range(20):
        for answer in answers.values():
            assert mistaken(answer, Random(seed)).strip() != answer.strip()  # noqa: S311 -- as above
