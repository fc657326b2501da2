"""The images beside the lab's, built by the command an operator uses, and run as they are meant to be."""

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.daemon import ROOT, Daemon

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
for name in names: importlib.import_module(f"grader.sandbox.{name}")
print(len(names))
"""


def build(daemon: Daemon, lab: str, name: str) -> str:
    """The image's id; it stands on the lab image that this run of the tests has."""
    daemon.client.tag(lab, "reelwright/lab", "test")
    env = {**os.environ, "DOCKER_HOST": daemon.host, "TAG": "test", "PYTHON": sys.executable}
    done = subprocess.run(["sh", ROOT / "images" / "build", name], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(daemon.client.inspect_image(f"reelwright/{name}:test")["Id"])


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


def test_the_grader_image_is_the_labs_python_and_the_graders_side_of_the_box(daemon: Daemon, image: str) -> None:
    grader = build(daemon, image, "grader")
    found = json.loads(run(daemon, grader, "python", "-c", PROBE))
    assert (found["uid"], found["tools"]) == (1000, [])
    assert found["ours"] == ["labs", "grader"]
    assert "pkg:pypi/torch" in found["packages"]
    assert int(run(daemon, grader, "python", "-c", BOX)) > 10


def test_the_hub_image_starts_the_platform(daemon: Daemon, image: str) -> None:
    hub = build(daemon, image, "hub")
    found = json.loads(run(daemon, hub, "python", "-c", PROBE))
    assert (found["uid"], found["tools"]) == (1000, [])
    assert found["ours"] == ["hub", "labs", "grader", "certs"]
    assert {"pkg:pypi/torch", "pkg:pypi/jupyterhub", "pkg:pypi/flask"} <= set(found["packages"])
    assert ready(daemon, hub) == "200"


def ready(daemon: Daemon, image: str) -> str:
    """Start the platform as docs/docker.md says, without an engine's daemon, until its pages answer."""
    client = daemon.client
    walls = client.create_host_config(network_mode="none", init=True, cap_drop=["ALL"], security_opt=UNCONFINED)
    walls |= {"MaskedPaths": [], "ReadonlyPaths": []}  # what the client calls systempaths=unconfined
    made = client.create_container(image, host_config=walls)
    client.start(made["Id"])
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/services/portal/health').status)"
    deadline = time.monotonic() + 240
    try:
        while "ready: " not in client.logs(made["Id"]).decode():
            assert time.monotonic() < deadline, client.logs(made["Id"]).decode()
            assert client.inspect_container(made["Id"])["State"]["Running"], client.logs(made["Id"]).decode()
            time.sleep(0.5)
        asked = client.exec_create(made["Id"], ["python", "-c", ask])
        return str(client.exec_start(asked["Id"]).decode().strip())
    finally:
        client.remove_container(made["Id"], force=True, v=True)


# Grading's box is made of user namespaces, which Docker's own profiles close to those who are not root.
UNCONFINED = ["seccomp=unconfined", "apparmor=unconfined"]
