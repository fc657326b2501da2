"""A Docker daemon of our own for the tests, and the images that images/build makes on it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / "tests" / "docker" / "runtime"
PATH = os.environ["PATH"]
KEEP = "REELWRIGHT_TEST_DOCKER_ROOT"
"""A folder in which the daemon keeps its images from one run of the tests to the next."""
BUILT = "REELWRIGHT_TEST_LAB_IMAGE"
"""An image in that folder to use as it is, in place of building one."""
BUILT_GRADER = "REELWRIGHT_TEST_GRADER_IMAGE"
"""The same for the grader's image."""
REQUIRED = "REELWRIGHT_TEST_DOCKER_REQUIRED"
"""Set where these tests must run: what would be skipped then fails."""


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
        env = {**os.environ, "PATH": f"{RUNTIME}:{PATH}"}
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
        # What it leaves mounted keeps the folder from being removed, and a namespace's addresses alive.
        for mounted in (self.folder / "data", *(self.folder / "exec" / "netns").glob("*")):
            subprocess.run(["umount", "--lazy", mounted], capture_output=True, check=False)


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


def cannot_run(reason: str) -> None:
    """Skip, or fail where these tests are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, and {reason}")
    pytest.skip(reason)


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
        cannot_run(reason)
    with ExitStack() as stack:
        try:
            running = stack.enter_context(own_daemon(tmp_path_factory.mktemp("docker")))
        except DaemonFailedError as error:
            cannot_run(str(error))
        yield running


def lab_image(daemon: Daemon) -> str:
    """The lab image, by its id, built by the command that an operator uses."""
    return named(daemon, BUILT) or build(daemon, "lab")


def named(daemon: Daemon, variable: str) -> str:
    """The image that the environment says to use as it is; empty when it names none."""
    name = os.environ.get(variable)
    return str(daemon.client.inspect_image(name)["Id"]) if name else ""


def build(daemon: Daemon, name: str) -> str:
    """Build one of our images; returns its id."""
    env = {**os.environ, "DOCKER_HOST": daemon.host, "TAG": "test", "PYTHON": sys.executable}
    done = subprocess.run(
        ["sh", ROOT / "images" / "build", name], env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(daemon.client.inspect_image(f"reelwright/{name}:test")["Id"])


@pytest.fixture(scope="session")
def image(daemon: Daemon) -> str:
    return lab_image(daemon)


@pytest.fixture(scope="session")
def grader_image(daemon: Daemon, image: str) -> str:
    """The grader's image, on the lab image of this run."""
    daemon.client.tag(image, "reelwright/lab", "test")
    return named(daemon, BUILT_GRADER) or build(daemon, "grader")


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


def unused_network(name: str) -> str:
    """The ``[docker]`` lines of a network of its own, so that what a killed run left on its bridge is not met again."""
    routes = Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
    used = {int(line.split()[1], 16).to_bytes(4, "little")[:3] for line in routes}
    third = random.choice([n for n in range(1, 255) if bytes([10, 213, n]) not in used])  # noqa: S311 -- no secret
    return f'network = "reelwright-{name}-{third}"\nbridge = "rw-{name}-{third}"\nsubnet = "10.213.{third}.0/24"'


def sweep(client: APIClient) -> None:
    """Remove every container and volume of the daemon, which is ours."""
    for container in client.containers(all=True):
        client.remove_container(container["Id"], force=True, v=True)
    for volume in client.volumes()["Volumes"] or []:
        client.remove_volume(volume["Name"], force=True)
