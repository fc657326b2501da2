"""A notebook reads its learner's own ledger lines over real HTTP: nobody else's, and nothing without a token."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.serving import make_server

from grader.app import create_app
from hub.own_compute import compute_of
from labs.exchange.answers import IntakeError
from labs.exchange.own_compute import own_compute, read_compute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def notebook(school: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The school with two learners, and a lab's folder whose environment is liming's."""
    school.people.enrol(school.people.cohorts("micro-drama")[0].class_code, "A02", "zhanghua")
    for number, name in enumerate(("liming", "zhanghua"), start=1):
        school.worked(name, "first-take", 20 * number, number)
    app = create_app(
        school.submissions,
        identify={"of-liming": "liming"}.get,
        window_of=lambda _course, _lab, _learner: None,
        labs_of=lambda _learner: [],
        rules_of=lambda _course, _lab: pytest.fail("no rules are asked for"),
        receipt_key=Ed25519PrivateKey.generate(),
        max_bytes=1000,
        compute_of=lambda learner: compute_of(school, learner),
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    monkeypatch.setenv("REELWRIGHT_INTAKE_URL", f"http://127.0.0.1:{server.server_port}/services/intake")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-liming")
    yield school
    server.shutdown()


def test_a_learner_reads_their_own_lines_and_keeps_them(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = own_compute()
    assert found.origin == "platform"
    (session,) = found.sessions
    truth = notebook.ledger.sessions("liming", session.course)
    assert [one.charge_uy for one in truth] == [session.charge_uy]
    assert session.seconds == truth[0].seconds > 0
    (account,) = found.accounts
    assert account.spent_uy == session.charge_uy
    monkeypatch.delenv("REELWRIGHT_INTAKE_URL")
    assert own_compute() == found, "away from the platform the lines that were kept are read"


def test_no_token_no_lines(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-nobody")
    with pytest.raises(IntakeError):
        own_compute()


def test_broken_lines_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    (tmp_path / "ledger.json").write_text("[]", encoding="utf-8")
    with pytest.raises(IntakeError, match="delete it and run the cell again"):
        read_compute(tmp_path / "ledger.json")
    with pytest.raises(IntakeError, match="cannot read"):
        read_compute(tmp_path / "gone.json")
