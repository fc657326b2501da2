"""A running hub whose labs are containers, beside a service of the tests' own that may start anybody's lab."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from hub.config import Config
from hub.people.person import Person
from hub.platform import Platform
from hub.run import _proxy_argv
from hub.spawner import docker_network
from tests.daemon import ROOT, Daemon, answer, free_port, sweep, until, unused_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.spawner.docker_settings import DockerSettings

HERE = Path(__file__).parent
TOKEN = "token-of-the-tests"
GPU = "GPU-aaaaaaaa-0000-4000-8000-000000000001"
PROFILE = "title_zh = 'x'\ntitle_en = 'x'\nmemory_mb = 640\nlongest_session_minutes = 60\n"


@dataclass
class DockerHub:
    """A hub with its proxy, intake and gate, whose labs are containers."""

    folder: Path
    daemon: Daemon
    platform: Platform
    changed: dict[str, str] = field(default_factory=dict)
    """Environment variables that change the configuration for processes started from now on."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> DockerSettings:
        return self.platform.config.docker

    @property
    def url(self) -> str:
        return self.platform.config.server.local_url

    def start(self, *names: str) -> None:
        serve = [sys.executable, "-m", "hub", "serve"]
        argv = {
            "proxy": _proxy_argv(self.platform),
            "hub": [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "hub_config.py")],
            **{name: [*serve, name] for name in ("intake", "gate", "steward")},
        }
        for name in names or argv:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    argv[name], cwd=self.folder, stdout=log, stderr=log, env=self.env(), start_new_session=True
                )
        until(lambda: self.status("/hub/api/") == 200, 60)

    def env(self) -> dict[str, str]:
        return {
            **self.platform.child_env(),
            "CONFIGPROXY_AUTH_TOKEN": self.platform.secrets.text("proxy-token"),
            "REELWRIGHT_CONFIG": str(self.folder / "reelwright.toml"),
            "TEST_TOKEN": TOKEN,
            "PYTHONPATH": str(ROOT),
            **self.changed,
        }

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(30)

    def status(self, path: str) -> int:
        return answer(self.url + path)

    def api(self, method: str, path: str, **body: Any) -> httpx.Response:
        return httpx.request(
            method, f"{self.url}/hub/api/{path}", json=body or None, timeout=120,
            headers={"Authorization": f"token {TOKEN}"},
        )  # fmt: skip

    def ask_for_lab(self, learner: str, lab: str = "script-to-shots") -> httpx.Response:
        """What the portal's start button does."""
        self.api("POST", f"users/{learner}")
        return self.api("POST", f"users/{learner}/server", course="micro-drama", lab=lab)

    def start_lab(self, learner: str, lab: str = "script-to-shots") -> Lab:
        answer = self.ask_for_lab(learner, lab)
        assert answer.status_code in {201, 202}, answer.text + self.log()
        until(lambda: self.is_ready(learner), 60)
        return self.lab(learner)

    def is_ready(self, learner: str) -> bool:
        servers = self.api("GET", f"users/{learner}").json()["servers"]
        return bool(servers.get("", {}).get("ready"))

    def lab(self, learner: str) -> Lab:
        found = self.daemon.client.containers(filters={"label": f"reelwright.learner={learner}"})
        assert len(found) == 1, f"{learner} has {len(found)} containers{self.log()}"
        return Lab(self, learner, found[0]["Id"], UUID(found[0]["Labels"]["reelwright.lease"]))

    def stop_lab(self, learner: str) -> None:
        self.api("DELETE", f"users/{learner}/server")
        until(lambda: "" not in self.api("GET", f"users/{learner}").json()["servers"], 60)

    def refusal(self, learner: str, lab: str = "script-to-shots") -> str:
        """What the hub answers to a start that it refuses."""
        answer = self.ask_for_lab(learner, lab)
        assert answer.status_code >= 400, answer.text
        return str(answer.json()["message"])

    def log(self) -> str:
        return "\n" + (self.folder / "hub.log").read_text(errors="replace")[-4000:]


@dataclass(frozen=True)
class Lab:
    """A learner's running container."""

    hub: DockerHub
    learner: str
    container: str
    lease: UUID

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = self.hub.daemon.client.inspect_container(self.container)
        return facts

    def run(self, code: str, *arguments: str) -> str:
        """Run Python in the container, as the learner."""
        client = self.hub.daemon.client
        made = client.exec_create(self.container, ["python", "-c", code, *arguments])
        said: bytes = client.exec_start(made["Id"])
        assert client.exec_inspect(made["Id"])["ExitCode"] == 0, said.decode()
        return said.decode()

    def tell(self, code: str, *arguments: str) -> Any:
        """Run Python that prints JSON."""
        return json.loads(self.run(code, *arguments).splitlines()[-1])

    @property
    def address(self) -> str:
        return str(self.facts()["NetworkSettings"]["Networks"][self.hub.settings.network]["IPAddress"])


@pytest.fixture(scope="session")
def hub(daemon: Daemon, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerHub]:
    with docker_hub(daemon, image, tmp_path_factory.mktemp("hub")) as running:
        yield running


@contextmanager
def docker_hub(daemon: Daemon, image: str, folder: Path) -> Iterator[DockerHub]:
    """One hub for all tests: learners ada, ben, cleo, dan and eve are in one class; one lab of two wants a GPU."""
    # One course: a start tries every lab of every course before it releases it.
    shutil.copytree(ROOT / "courses" / "micro-drama", folder / "courses" / "micro-drama")
    toml = folder / "courses" / "micro-drama" / "course.toml"
    toml.write_text(toml.read_text("utf-8").replace('id = "first-take"', 'id = "first-take"\nprofile = "gpu-slice"'))
    (folder / "reelwright.toml").write_text(toml_text(daemon, image), encoding="utf-8")
    platform = Platform(Config.load(folder / "reelwright.toml"))
    prepare_as_an_operator(folder)
    people(platform)
    running = DockerHub(folder, daemon, platform)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        sweep(daemon.client)
        docker_network.remove(daemon.client, platform.config.docker)


def outlet() -> str:
    """Where labs with the GPU profile may go outside: a port of this machine, by the address it has there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return f"127.0.0.1:{free_port()}"
        return f"{probe.getsockname()[0]}:{free_port()}"


def prepare_as_an_operator(folder: Path) -> None:
    """All that a start needs, made in a process of its own: nbgrader changes the one it is in."""
    code = "from hub import prepare, config, platform as p; prepare.everything(p.Platform(config.Config.load()), print)"
    env = {**os.environ, "REELWRIGHT_CONFIG": str(folder / "reelwright.toml"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def toml_text(daemon: Daemon, image: str) -> str:
    """The configuration, in the words of an operator."""
    return f"""
engine = "docker"
[server]
port = {free_port()}
[profiles.cpu]
{PROFILE}
[profiles.gpu-slice]
{PROFILE}
gpu_class = "test"
egress = ["{outlet()}", "only.example:443"]
[docker]
host = "{daemon.host}"
image = "{image}"
instance = "test"
{unused_network("test")}
[gpu]
inventory = "config"
slices = [{{uuid = "{GPU}", gpu_class = "test", memory_mb = 1000}}]
"""


def people(platform: Platform) -> None:
    store = platform.people
    store.put_person(Person("teacher", "王老师", frozenset({"instructor"}), platform.config.site.id))
    today = datetime.now(UTC).date()
    cohort = store.create_cohort(
        "micro-drama", platform.config.site.id, "Autumn", today - timedelta(2), today + timedelta(60), "teacher"
    )
    names = ("ada", "ben", "cleo", "dan", "eve")
    roster = "学号,姓名\n" + "".join(f"S{n},{name}\n" for n, name in enumerate(names))
    store.import_roster(cohort.id, roster.encode())
    for number, name in enumerate(names):
        store.put_person(Person(name, name, frozenset({"trainee"}), platform.config.site.id))
        store.claim_seat(cohort.class_code, f"S{number}", name)
