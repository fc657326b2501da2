"""The docker engine's parts that need no daemon: settings, times, refusals, the gate before a real server."""

from __future__ import annotations

import asyncio
import http.server
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
from docker.errors import APIError, ImageNotFound

from hub.spawner import docker_gate, docker_refusals
from hub.spawner.docker_settings import DockerSettings, ImageNotAllowed
from hub.spawner.docker_witness import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornado.httpserver import HTTPServer

ROOT = Path(__file__).parents[2]


def test_dockers_times_are_read_to_the_microsecond() -> None:
    assert microseconds("2026-11-22T08:30:00.123456789Z") == 1_795_336_200_123_456
    assert microseconds("2026-11-22T16:30:00+08:00") == 1_795_336_200_000_000
    assert microseconds("2026-11-22T08:30:00.5Z") == 1_795_336_200_500_000
    assert microseconds("0001-01-01T00:00:00Z") is None
    with pytest.raises(ValueError, match="yesterday"):
        microseconds("yesterday")


def test_only_listed_images_are_run() -> None:
    settings = DockerSettings(image="lab:1", images=("lab-cuda:1",))
    assert settings.image_for("") == "lab:1"
    assert settings.image_for("lab-cuda:1") == "lab-cuda:1"
    with pytest.raises(ImageNotAllowed, match="evil"):
        settings.image_for("evil:latest")


@pytest.mark.parametrize(
    "wrong", [{"subnet": "8.8.8.0/24"}, {"subnet": "10.0.0.0/31"}, {"imgae": "x"}, {"image": "-x"}]
)
def test_a_wrong_docker_section_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="got|Extra|pattern"):  # noqa: RUF043 -- alternatives are meant
        DockerSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("error", "label"),
    [
        (requests.exceptions.ConnectionError("FileNotFoundError(2, '/run/docker.sock')"), "engine-down"),
        (ImageNotFound("No such image: lab:1"), "image"),
        (APIError("could not select device driver nvidia with capabilities: [[gpu]]"), "gpu"),
        (APIError("write /var/lib/docker/x: no space left on device"), "disk"),
        (APIError("OCI runtime create failed: something"), "engine"),
    ],
)  # fmt: skip
def test_dockers_words_stay_in_the_log(error: Exception, label: str) -> None:
    refused = docker_refusals.engine_refusal(error)
    assert refused.reason == label
    assert str(error) not in str(refused.message)
    assert all(side for side in (*refused.why, *(refused.remedy or ("", ""))))


class Behind(http.server.BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        said = f"{self.command} {self.path} {self.headers.get('Authorization')} {self.headers.get('X-Forwarded-For')}"
        self.send_response(404 if self.path.endswith("nothing") else 200)
        self.end_headers()
        self.wfile.write(said.encode() + b" " + body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[str]:
    """A gate whose API leads to a real server, and whose intake leads nowhere."""
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    loop, opened = asyncio.new_event_loop(), threading.Event()
    servers: list[HTTPServer] = []

    async def open_it() -> None:
        ways = docker_gate.ways(f"http://127.0.0.1:{behind.server_port}", "http://127.0.0.1:1")
        servers.append(docker_gate.open_gate(ways, "127.0.0.1", 0, 1000))
        opened.set()

    def keep_open() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(open_it())
        loop.run_forever()

    thread = threading.Thread(target=keep_open, daemon=True)
    thread.start()
    assert opened.wait(10)
    port = next(iter(servers[0]._sockets.values())).getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    behind.shutdown()


def test_the_gate_passes_a_request_on_as_it_came(gate: str) -> None:
    answer = httpx.post(f"{gate}/hub/api/x?a=1&b=%2F", content=b"body", headers={"Authorization": "token t"})
    assert answer.status_code == 200
    assert answer.text == "POST /hub/api/x?a=1&b=%2F token t 127.0.0.1 body"
    assert httpx.get(f"{gate}/hub/api/nothing").status_code == 404


def test_the_gate_says_who_asks_and_believes_nobody_about_it(gate: str) -> None:
    assert "127.0.0.1" in httpx.get(f"{gate}/hub/api/", headers={"X-Forwarded-For": "10.0.0.9"}).text
    assert "10.0.0.9" not in httpx.get(f"{gate}/hub/api/", headers={"X-Forwarded-For": "10.0.0.9"}).text


def test_the_gate_refuses_a_body_that_is_too_large_and_answers_when_nobody_is_behind(gate: str) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{gate}/hub/api/x", content=b"x" * 5000).raise_for_status()
    assert httpx.get(f"{gate}/services/intake/api/labs").status_code == 502


@pytest.mark.parametrize(
    "path",
    [
        "/", "/hub/", "/hub/login", "/hub/apix", "/hub/api/../login", "/hub/api/..", "/hub/api/%2e%2e/login",
        "/hub/api/%2E./x",
        "/hub/api//../login", "//hub/api/", "/hub/api/a%2fb", "/hub/api/a%00", "/hub/api/a\\..\\b",
        "/hub/api/%252e%252e/x",
        "/services/intakex", "/services/portal/", "http://elsewhere/hub/api/", "/hub/api/x y", "/hub/api/é",
    ],
)  # fmt: skip
def test_no_other_way_leads_through_the_gate(path: str) -> None:
    assert docker_gate.way_for(docker_gate.ways("http://hub", "http://intake"), path) is None


def test_names_with_an_at_sign_or_chinese_letters_pass() -> None:
    ways = docker_gate.ways("http://hub", "http://intake")
    for path in (
        "/hub/api",
        "/hub/api/users/lin%40x.cn/activity",
        "/hub/api/users/%E6%9E%97",
        "/services/intake/api/labs",
    ):
        assert docker_gate.way_for(ways, path) is not None


def test_the_base_is_a_list_of_plain_packages() -> None:
    lines = (ROOT / "images" / "base" / "packages").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert "python3.11" in names
    assert not {"gcc", "make", "git", "curl", "python3-pip", "apt"} & set(names)
