"""Click to ready: our docker engine beside plain DockerSpawner, and beside starting the very same container by hand.

One run, rounds taken in turn, medians of seven. The limit is ``docker create`` and ``docker start`` of a container with
exactly our lab's own settings, environment and command, timed until its server answers: no spawner can be quicker.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from hub import prepare
from tests import daemon
from tests.bench import CannotRunError
from tests.docker import conftest as world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench import Row

ROUNDS = 7
SETTLE_SECONDS = 2.0
NETWORK, GATEWAY, SUBNET = "reelwright-plain", "10.213.242.1", "10.213.242.0/24"
LEARNER = "ada"
MEMORY = 640 << 20
LIMIT, PLAIN = "docker create + start of the same container", "JupyterHub + DockerSpawner 14, same image"


def run() -> Iterator[Row]:
    """The three figures.

    Raises:
        CannotRunError: no daemon of our own can be started here.
    """
    if reason := daemon.why_no_daemon():
        raise CannotRunError(reason)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "docker").mkdir()
        (Path(folder) / "hub").mkdir()
        with daemon.own_daemon(Path(folder) / "docker") as running:
            image = daemon.lab_image(running)
            with (
                world.docker_hub(running, image, Path(folder) / "hub") as hub,
                plain_hub(running, image, folder) as plain,
            ):
                yield from measure(hub, plain)


def measure(hub: Any, plain: Plain) -> Iterator[Row]:
    """Take the rounds in turn, so that a busy minute slows all alike."""
    ours, limit, peer = [], [], []
    memory: dict[str, list[float]] = {"ours": [], "peer": []}
    hub.start_lab(LEARNER)  # the first start of all warms the page cache for everybody
    hub.stop_lab(LEARNER)
    for _ in range(ROUNDS):
        ours.append(timed(lambda: hub.start_lab(LEARNER), lambda: hub.status(f"/user/{LEARNER}/api")))
        lab = hub.lab(LEARNER)
        memory["ours"].append(resident_mb(hub.daemon.client, lab.container))
        limit.append(by_hand(hub, lab))
        hub.stop_lab(LEARNER)
        peer.append(timed(plain.start_lab, lambda: plain.status(f"/user/{LEARNER}/api")))
        memory["peer"].append(resident_mb(hub.daemon.client, f"jupyter-{LEARNER}"))
        plain.stop_lab()
    yield line("spawn-click-to-ready-limit", ours, limit, "s", LIMIT)
    yield line("spawn-click-to-ready", ours, peer, "s", PLAIN)
    yield line("spawn-idle-memory", memory["ours"], memory["peer"], "MB", PLAIN)


def line(name: str, ours: list[float], peer: list[float], unit: str, peer_name: str) -> Row:
    """One figure of medians; less is better in all of them, so the ratio is the peer's over ours."""
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return {
        "name": name, "ours": round(mine, 3), "peer": round(theirs, 3), "ratio": round(theirs / mine, 3), "unit": unit,
        "peer_name": peer_name, "command": "make bench ONLY=spawn",
    }  # fmt: skip


def timed(start: Callable[[], object], answers: Callable[[], int]) -> float:
    """Seconds from the click until the lab answers through the proxy."""
    began = time.monotonic()
    start()
    while answers() != httpx.codes.OK:
        time.sleep(0.02)
    return time.monotonic() - began


def by_hand(hub: Any, lab: Any) -> float:
    """Seconds to start a second container exactly like ``lab``, until its server answers.

    ``lab`` runs on beside it, idle: its token and its home, with the assignments already fetched, are what the second
    one starts with too, so that both do the same work.
    """
    client, facts = hub.daemon.client, lab.facts()
    settings, network = facts["Config"], hub.settings.network
    wanted = {key: settings[key] for key in ("Env", "Cmd", "Image", "User", "WorkingDir", "Hostname", "ExposedPorts")}
    prefix = dict(pair.split("=", 1) for pair in settings["Env"])["JUPYTERHUB_SERVICE_PREFIX"]
    time.sleep(SETTLE_SECONDS)
    began = time.monotonic()
    made = client.create_container_from_config({**wanted, "HostConfig": facts["HostConfig"]}, uuid4().hex)
    client.start(made["Id"])
    address = client.inspect_container(made["Id"])["NetworkSettings"]["Networks"][network]["IPAddress"]
    while daemon.answer(f"http://{address}:8888{prefix}api") != httpx.codes.OK:
        time.sleep(0.02)
    took = time.monotonic() - began
    client.remove_container(made["Id"], force=True)
    return took


def resident_mb(client: Any, container: str) -> float:
    """Memory of an idle lab that cannot be given back: what it uses without the page cache."""
    memory = client.stats(container, stream=False)["memory_stats"]
    cache = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))
    return float(memory["usage"] - cache) / 1e6


class Plain:
    """Plain JupyterHub and DockerSpawner, by their own defaults where they have one."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url, token

    def api(self, method: str, path: str) -> httpx.Response:
        """Ask the hub as an administrator's service."""
        headers = {"Authorization": f"token {self._token}"}
        return httpx.request(method, f"{self.url}/hub/api/{path}", headers=headers, timeout=120)

    def servers(self) -> dict[str, Any]:
        """The learner's servers."""
        found: dict[str, Any] = self.api("GET", f"users/{LEARNER}").json()["servers"]
        return found

    def start_lab(self) -> None:
        """Start and wait until the hub says that it is ready."""
        self.api("POST", f"users/{LEARNER}")
        self.api("POST", f"users/{LEARNER}/server").raise_for_status()
        daemon.until(lambda: self.servers().get("", {}).get("ready"), 120)

    def stop_lab(self) -> None:
        """Stop and wait until it is gone."""
        self.api("DELETE", f"users/{LEARNER}/server")
        daemon.until(lambda: "" not in self.servers(), 120)

    def status(self, path: str) -> int:
        """What the proxy answers."""
        return daemon.answer(self.url + path)


@contextmanager
def plain_hub(running: Any, image: str, folder: str) -> Iterator[Plain]:
    """The peer, on a network of its own that reaches its hub."""
    pool = {"Driver": "default", "Config": [{"Subnet": SUBNET, "Gateway": GATEWAY}]}
    running.client.create_network(NETWORK, driver="bridge", ipam=pool)
    token, port = uuid4().hex, daemon.free_port()
    told = {
        "port": port, "hub_port": daemon.free_port(), "api_port": daemon.free_port(),
        "gateway": GATEWAY, "token": token, "docker": running.host, "image": image,
        "network": NETWORK, "memory": MEMORY, "proxy": prepare.proxy_program(),
    }  # fmt: skip
    env = {**os.environ, "TEST_PLAIN": json.dumps(told), "CONFIGPROXY_AUTH_TOKEN": uuid4().hex}
    config = Path(world.__file__).parent / "plain_config.py"
    with (Path(folder) / "plain.log").open("ab") as log:
        argv = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
        process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    plain = Plain(f"http://127.0.0.1:{port}", token)
    try:
        daemon.until(lambda: plain.status("/hub/api/") == httpx.codes.OK, 60)
        yield plain
    finally:
        process.terminate()
        process.wait(60)
        daemon.sweep(running.client)
        running.client.remove_network(NETWORK)
