"""A Docker daemon of our own, the lab image built by images/build, and a running hub whose engine is Docker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import docker
import httpx
import pytest

from hub import prepare
from hub.compute.gpu import tables as gpu_tables
from hub.config import Config
from hub.people.person import Person
from hub.platform import Platform
from hub.run import _proxy_argv
from hub.spawner import docker_network
from hub.spawner.docker_settings import DockerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PATH = os.environ["PATH"]
TOKEN = "token-of-the-tests"
KEEP = "REELWRIGHT_TEST_DOCKER_ROOT"
"""A folder in which the daemon keeps its images from one run of the tests to the next."""
BUILT = "REELWRIGHT_TEST_LAB_IMAGE"
"""An image in that folder to use as it is, in place of building one."""


class DaemonFailedError(Exception):
    """dockerd ended at its start; the message has its last words."""


@dataclass
class Daemon:
    """A dockerd of ours: its folder, its socket, and its process."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def client(self) -> APIClient:
        return docker.APIClient(base_url=self.host, version="auto", timeout=60)

    def start(self) -> None:
        argv = [
            "dockerd", f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/pid", f"--host={self.host}", "--bridge=none", "--live-restore",
        ]  # fmt: skip
        (self.folder / "pid").unlink(missing_ok=True)
        env = {**os.environ, "PATH": f"{HERE / 'runtime'}:{PATH}"}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, start_new_session=True)
        until(self.answers, 60)

    def answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise DaemonFailedError(f"dockerd does not run here: {(self.folder / 'log').read_text()[-400:]}")
        try:
            return bool(self.client.ping())
        except docker.errors.DockerException:
            return False

    def kill(self) -> None:
        """End the daemon as a fault would; with live-restore its containers run on."""
        assert self.process is not None
        pid = self.folder / "exec" / "containerd" / "containerd.pid"
        helper = int(pid.read_text())
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        with suppress(ProcessLookupError):
            os.kill(helper, signal.SIGKILL)
        until(lambda: is_gone(helper), 30)
        # Where nobody reaps it, its number still looks alive to the next dockerd, which then waits for it in vain.
        pid.unlink(missing_ok=True)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()  # killed by a test that failed half-way: its containers run on, and must not
        client = self.client
        for container in client.containers(all=True):
            client.remove_container(container["Id"], force=True)
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
        time.sleep(0.1)
    return found


def why_no_daemon() -> str:
    """Why no daemon of our own can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "a Docker daemon of our own needs root"
    for program in ("dockerd", "docker", "iptables", "apt-get"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install docker.io iptables)"
    if Path("/sys/class/net/docker0").exists():
        return "another Docker daemon runs here; a second one would take its bridge down"
    return ""


@contextmanager
def own_daemon(folder: Path) -> Iterator[Daemon]:
    running = Daemon(Path(os.environ.get(KEEP) or folder))
    running.start()
    sweep(running.client)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if reason := why_no_daemon():
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            running = stack.enter_context(own_daemon(tmp_path_factory.mktemp("docker")))
        except DaemonFailedError as error:
            pytest.skip(str(error))
        yield running


def lab_image(daemon: Daemon) -> str:
    """The lab image, by its id, built by the command that an operator uses."""
    if name := os.environ.get(BUILT):
        return str(daemon.client.inspect_image(name)["Id"])
    env = {**os.environ, "DOCKER_HOST": daemon.host, "TAG": "test", "PYTHON": sys.executable}
    done = subprocess.run(
        ["sh", ROOT / "images" / "build", "lab"], env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(daemon.client.inspect_image("reelwright/lab:test")["Id"])


@pytest.fixture(scope="session")
def image(daemon: Daemon) -> str:
    return lab_image(daemon)


@dataclass
class DockerHub:
    """A hub with its proxy, intake and gate, whose labs are containers."""

    folder: Path
    daemon: Daemon
    settings: DockerSettings
    platform: Platform
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.platform.config.server.local_url

    def start(self, *names: str) -> None:
        at = self.platform.addresses
        where = f"g.ways({at.url('hub')!r}, {at.url('intake')!r}), {self.settings.gateway!r}, {self.settings.gate_port}"
        gate = f"from hub.spawner import docker_gate as g; g.serve({where}, 32 << 20)"
        argv = {
            "proxy": _proxy_argv(self.platform),
            "hub": [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "hub_config.py")],
            "intake": [sys.executable, "-m", "hub", "serve", "intake"],
            "gate": [sys.executable, "-c", gate],
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
            "TEST_DOCKER_SETTINGS": self.settings.model_dump_json(),
            "TEST_TOKEN": TOKEN,
            "PYTHONPATH": str(ROOT),
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


def answer(url: str) -> int:
    """The status that ``url`` answers with; 0 when nobody does."""
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.HTTPError:
        return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def hub(daemon: Daemon, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerHub]:
    with docker_hub(daemon, image, tmp_path_factory.mktemp("hub")) as running:
        yield running


@contextmanager
def docker_hub(daemon: Daemon, image: str, folder: Path) -> Iterator[DockerHub]:
    """One hub for all tests: learners ada, ben, cleo, dan and eve are in one class."""
    shutil.copytree(ROOT / "courses", folder / "courses")
    toml = folder / "courses" / "micro-drama" / "course.toml"
    toml.write_text(toml.read_text("utf-8").replace('id = "first-take"', 'id = "first-take"\nprofile = "gpu-slice"'))
    profile = "title_zh = 'x'\ntitle_en = 'x'\nmemory_mb = 640\nlongest_session_minutes = 60\n"
    (folder / "reelwright.toml").write_text(
        f"[server]\nport = {free_port()}\n[profiles.cpu]\n{profile}[profiles.gpu-slice]\n{profile}gpu_class = 'test'\n"
    )
    settings = DockerSettings(
        host=daemon.host, image=image, instance="test", network="reelwright-test", bridge="rw-test",
        subnet=IPv4Network("10.213.240.0/24"), gate_port=8181, launch_seconds=60,
    )  # fmt: skip
    platform = Platform(Config.load(folder / "reelwright.toml"))
    prepare.everything(platform, print)
    os.environ["PATH"] = PATH  # making a gradebook may lose it (nbgrader's setenv), and later tests need theirs
    gpu_tables.metadata.create_all(platform.engine)
    people(platform)
    docker_network.ensure_network(daemon.client, settings)
    docker_network.ensure_firewall(settings)
    running = DockerHub(folder, daemon, settings, platform)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        sweep(daemon.client)
        docker_network.remove(daemon.client, settings)


def sweep(client: APIClient) -> None:
    """Remove every container and volume of the daemon, which is ours."""
    for container in client.containers(all=True):
        client.remove_container(container["Id"], force=True, v=True)
    for volume in client.volumes()["Volumes"] or []:
        client.remove_volume(volume["Name"], force=True)


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
