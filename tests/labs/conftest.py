"""A small intake that keeps the agreed HTTP contract, on loopback, for what runs in a learner's lab."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from labs.model.make import make_model

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-of-lin"
DAY_US = 86_400_000_000


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


@dataclass
class LoopbackIntake:
    """State of the intake under test: what is released, what was handed in."""

    url: str = ""
    releases: dict[tuple[str, str], bytes] = field(default_factory=dict)
    closed: set[tuple[str, str]] = field(default_factory=set)
    attempts: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    archives: list[bytes] = field(default_factory=list)
    feedback: dict[str, bytes] = field(default_factory=dict)
    refuse_submissions: dict[str, Any] | None = None
    wrong_digest: bool = False
    session: dict[str, Any] | None = None
    told: list[int] = field(default_factory=list)
    version: str = "1"

    def release(self, course: str, lab: str, files: dict[str, bytes]) -> None:
        self.releases[course, lab] = zip_of(files)

    def handed_in(self) -> set[str]:
        with zipfile.ZipFile(io.BytesIO(self.archives[-1])) as opened:
            return set(opened.namelist())

    def grade(self, course: str, lab: str, **result: Any) -> None:
        self.attempts[course, lab][-1].update(result)


def build_app(intake: LoopbackIntake) -> Flask:  # noqa: C901 - seven routes
    app = Flask("intake")

    def refused(status: int, code: str, zh: str, en: str, got: str = "", expected: str = "") -> tuple[Response, int]:
        body = {"error": {"code": code, "message": {"zh": zh, "en": en}, "got": got, "expected": expected}}
        return jsonify(body), status

    @app.before_request
    def only_the_learner() -> Any:
        if request.headers.get("Authorization") != f"token {TOKEN}":
            return refused(401, "no_token", "请重新登录", "sign in again", "no valid token", "your lab's token")
        return None

    @app.get("/api/labs")
    def labs() -> Any:
        now = time.time_ns() // 1000
        rows = []
        for (course, lab), _ in sorted(intake.releases.items()):
            closes = now - DAY_US if (course, lab) in intake.closed else now + 2 * DAY_US
            rows.append(
                {
                    "course": course,
                    "lab": lab,
                    "version": intake.version,
                    "title": {"zh": lab, "en": lab},
                    "opens_us": now - 3 * DAY_US,
                    "due_us": closes - DAY_US,
                    "closes_us": closes,
                    "attempts_allowed": 5,
                    "attempts_used": len(intake.attempts.get((course, lab), [])),
                }
            )
        return jsonify({"labs": rows})

    @app.get("/api/courses/<course>/labs/<lab>/release")
    def release(course: str, lab: str) -> Any:
        body = intake.releases.get((course, lab))
        if body is None:
            return refused(404, "no_lab", "没有这个实验", "there is no such lab", lab, "an open lab")
        digest = "0" * 64 if intake.wrong_digest else hashlib.sha256(body).hexdigest()
        headers = {"X-Reelwright-Version": intake.version, "X-Reelwright-Digest": digest}
        return Response(body, mimetype="application/zip", headers=headers)

    @app.post("/api/courses/<course>/labs/<lab>/submissions")
    def submit(course: str, lab: str) -> Any:
        if intake.refuse_submissions:
            return refused(**intake.refuse_submissions)
        body = request.get_data()
        intake.archives.append(body)
        attempts = intake.attempts.setdefault((course, lab), [])
        sha256, now = hashlib.sha256(body).hexdigest(), time.time_ns() // 1000
        submission_id = f"{lab}-{len(attempts) + 1}"
        attempts.append(
            {
                "id": submission_id,
                "attempt": len(attempts) + 1,
                "sha256": sha256,
                "received_us": now,
                "state": "queued",
                "score": None,
                "max_score": None,
                "items": [],
                "feedback": False,
            }
        )
        receipt = {
            "submission_id": submission_id,
            "learner": "lin",
            "course": course,
            "lab": lab,
            "attempt": len(attempts),
            "sha256": sha256,
            "bytes": len(body),
            "received_us": now,
            "due_us": now + DAY_US,
            "late_us": 0,
            "version": "1",
        }
        return jsonify({"receipt": receipt, "signature": "c2lnbmVk"}), 201

    @app.get("/api/courses/<course>/labs/<lab>/submissions")
    def submissions(course: str, lab: str) -> Any:
        return jsonify({"submissions": intake.attempts.get((course, lab), [])})

    @app.post("/api/session")
    def session() -> Any:
        if intake.session is None:
            return refused(404, "no_session", "没有正在运行的实验", "no lab of yours is running")
        intake.told.append(request.json["unused_seconds"])
        return jsonify(intake.session)

    @app.get("/api/submissions/<submission_id>/feedback")
    def feedback(submission_id: str) -> Any:
        body = intake.feedback.get(submission_id)
        if body is None:
            return refused(404, "not_released", "反馈尚未发布", "feedback is not released yet")
        return Response(body, mimetype="application/zip")

    return app


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackIntake]:
    """A running intake with the lab's environment pointing at it."""
    state = LoopbackIntake()
    server = make_server("127.0.0.1", 0, build_app(state), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("REELWRIGHT_INTAKE_URL", state.url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the plumbing model in the house model's place, made by its own script."""
    root = tmp_path_factory.mktemp("models")
    make_model(root / "house")
    return root


@pytest.fixture
def lab_server(intake: Any, tmp_path: Path) -> Iterator[httpx.Client]:
    """A learner's server as the spawner starts it: through labs.start, in a home of its own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    home = tmp_path / "home"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER_")}
    environment |= {"HOME": str(home), "JUPYTERHUB_USER": "lin"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = [sys.executable, "-m", "labs.start", "--", sys.executable, "-m", "jupyterlab", "--no-browser"]
    options = [f"--port={port}", "--ServerApp.port_retries=0", "--allow-root", f"--ServerApp.root_dir={home}"]
    options += ["--IdentityProvider.token=t", "--ServerApp.disable_check_xsrf=True"]
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen([*command, *options], cwd=home, env=environment, stdout=log, stderr=log)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "token t"}, timeout=60, trust_env=False
    )
    try:
        _wait_until_ready(client, process)
        yield client
    finally:
        client.close()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:  # asked to end while a kernel was starting, it can wait for that for long
            process.kill()
            process.wait()
        log.close()


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            client.get("/api/status").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the server did not start")
