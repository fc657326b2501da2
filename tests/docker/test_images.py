"""The images beside the lab's, built by the command an operator uses, and run as they are meant to be."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.config import Config
from hub.spawner import docker_network
from tests.daemon import ROOT, Daemon, build, free_port, unused_network

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PROBE = """
import importlib.util, json, os, shutil
parts = json.load(open("/opt/reelwright/packages.cdx.json"))["components"]
print(json.dumps({
    "uid": os.getuid(),
    "tools": [p for p in ("gcc", "cc", "g++", "make", "pip", "apt-get", "dpkg", "su") if shutil.which(p)],
    "packages": [part["purl"].split("@")[0] for part in parts],
    "ours": [n for n in ("hub", "labs", "grader", "certs") if importlib.util.find_spec(n)],
}))
"""
BOX = """
import importlib, pkgutil
package = importlib.import_module("grader.sandbox")
names = [found.name for found in pkgutil.iter_modules(package.__path__)]
for name in set(names) - {"container"}: importlib.import_module(f"grader.sandbox.{name}")
print(len(names))
"""


def run(daemon: Daemon, image: str, *command: str, **host: Any) -> str:
    """What a read-only container without network and without any right says."""
    client = daemon.client
    walls = client.create_host_config(
        **{"network_mode": "none", "read_only": True, "cap_drop": ["ALL"], "tmpfs": {"/tmp": "mode=1777"}, **host}  # noqa: S108
    )
    made = client.create_container(image, list(command), host_config=walls)
    client.start(made["Id"])
    status = client.wait(made["Id"], timeout=120)["StatusCode"]
    said = str(client.logs(made["Id"]).decode())
    client.remove_container(made["Id"])
    assert status == 0, said
    return said


def test_the_grader_image_is_the_labs_python_and_the_graders_side_of_the_box(daemon: Daemon, grader_image: str) -> None:
    found = json.loads(run(daemon, grader_image, "python", "-c", PROBE))
    assert (found["uid"], found["tools"]) == (1000, [])
    assert found["ours"] == ["labs", "grader"]
    assert "pkg:pypi/torch" in found["packages"]
    assert int(run(daemon, grader_image, "python", "-c", BOX)) > 10


def test_the_hub_image_runs_the_platform_beside_its_daemon(
    daemon: Daemon, image: str, grader_image: str, tmp_path: Path
) -> None:
    hub = build(daemon, "hub")
    found = json.loads(run(daemon, hub, "python", "-c", PROBE))
    assert (found["uid"], found["tools"]) == (1000, [])
    assert found["ours"] == ["hub", "labs", "grader", "certs"]
    assert {"pkg:pypi/torch", "pkg:pypi/jupyterhub", "pkg:pypi/flask"} <= set(found["packages"])
    config = tmp_path / "reelwright.toml"
    names = {"host": daemon.host, "image": image, "grader": grader_image, "network": unused_network("boxed")}
    config.write_text(TOML.format(**names, port=free_port()))
    settings = Config.load(config)
    rules = docker_network.script(settings.docker, has_egress=False)
    subprocess.run(["sh", "-c", rules], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    try:
        assert answered_by(daemon, hub, config, settings.server.port) == httpx.codes.OK
    finally:
        docker_network.remove(daemon.client, settings.docker)


TOML = """
engine = "docker"
data_dir = "/srv/reelwright"
models_dir = "/srv/reelwright/models"
courses_dir = "/srv/courses"
[server]
port = {port}
[grader]
sandbox = "docker"
image = "{grader}"
[docker]
host = "{host}"
image = "{image}"
instance = "boxed"
{network}
firewall = "given"
"""


def answered_by(daemon: Daemon, image: str, config: Path, port: int) -> int:
    """Start the hub as docs/docker.md says, and ask its portal when it says that it is ready."""
    client, socket = daemon.client, Path(daemon.host.removeprefix("unix://"))
    data = config.parent / "data"
    data.mkdir()
    os.chown(data, 1000, 1000)
    walls = client.create_host_config(
        network_mode="host", init=True, cap_drop=["ALL"], security_opt=["no-new-privileges"],
        group_add=[str(socket.stat().st_gid)],
        binds=[
            f"{socket}:{socket}", f"{data}:/srv/reelwright", f"{config}:/etc/reelwright.toml:ro",
            f"{ROOT / 'courses' / 'micro-drama'}:/srv/courses/micro-drama:ro",
        ],
    )  # fmt: skip
    made = client.create_container(
        image, host_config=walls, environment={"REELWRIGHT_CONFIG": "/etc/reelwright.toml"}, stop_timeout=60
    )
    client.start(made["Id"])
    deadline = time.monotonic() + 900  # it releases every lab through the gate first
    try:
        while "ready: " not in (said := client.logs(made["Id"]).decode()):
            assert time.monotonic() < deadline, said
            assert client.inspect_container(made["Id"])["State"]["Running"], said
            time.sleep(0.5)
        return httpx.get(f"http://127.0.0.1:{port}/services/portal/health").status_code
    finally:
        client.stop(made["Id"], timeout=60)
        client.remove_container(made["Id"], force=True, v=True)
