"""What else can be killed on engine ``docker``: the daemon with its containerd, a container's shim, the lab, and all.

The daemon is one of our own, on an image of some kilobytes: busybox keeps the diary and answers the hub.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docker.errors import NotFound

from tests.kills.processes import Victims, waited

if TYPE_CHECKING:
    import random

    from tests.daemon import Daemon
    from tests.kills.judge import Span
    from tests.kills.world import World

IMAGE = "reelwright/diary"
CONFIG = """
[docker]
host = "{host}"
image = "reelwright/diary:latest"
instance = "kills"
network = "reelwright-kills"
bridge = "rw-kills"
subnet = "10.213.242.0/24"
"""
DIARY = """#!/bin/busybox sh
trap 'exit 0' TERM
b=/bin/busybox
$b mkdir -p "/tmp/www$JUPYTERHUB_SERVICE_PREFIX"
echo '{}' > "/tmp/www${JUPYTERHUB_SERVICE_PREFIX}api"
$b httpd -p 8888 -h /tmp/www
echo > "$HOME/$REELWRIGHT_LEASE.first"
while :; do echo > "$HOME/$REELWRIGHT_LEASE.diary"; $b sleep 0.2; done
"""
LEARNER = 1000
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000


class DockerVictims(Victims):
    """The engine here is dockerd, its containerd, and a shim for each container."""

    deck: ClassVar[tuple[str, ...]] = (
        "hub",
        "spawner",
        "meter",
        "engine",
        "engine",
        "shim",
        "shim",
        "lab",
        "everything",
    )

    def __init__(self, world: World, daemon: Daemon) -> None:
        super().__init__(world)
        self._daemon = daemon

    def hit(self, victim: str, rng: random.Random) -> bool:
        if victim == "engine":
            self._daemon.kill()
            self._daemon.start()
            return True
        waited(self._pids, 15)
        pids = self._pids()
        if victim == "everything":
            for name in ("hub", "steward"):
                self.world.kill(name)
            self._daemon.kill()
            ended = [_end(parent_of(pid)) + _end(pid) for pid in pids]
            self._daemon.start()
            for name in ("steward", "hub"):
                self.world.start(name)
            return bool(ended)
        pid = rng.choice(pids or [0])
        return _end(parent_of(pid) if victim == "shim" else pid) > 0

    def settle(self) -> None:
        for container in self._daemon.client.containers():
            self._daemon.client.stop(container["Id"], timeout=1)

    def diaries(self) -> dict[str, Span]:
        volumes = self._daemon.folder / "data" / "volumes"
        found = {}
        for last in volumes.glob("*/_data/*.diary"):
            first = last.with_suffix(".first")
            found[last.stem] = (first.stat().st_mtime_ns // 1000, last.stat().st_mtime_ns // 1000)
        return found

    def _pids(self) -> list[int]:
        client, pids = self._daemon.client, list[int]()
        for one in client.containers():
            with suppress(NotFound):  # removed meanwhile
                pids.append(client.inspect_container(one["Id"])["State"]["Pid"])
        return pids


def fetched(folder: Path) -> bytes:
    """Debian's busybox, a program that needs no library."""
    subprocess.run(["apt-get", "download", "-qq", "busybox-static"], cwd=folder, check=True)
    subprocess.run(["dpkg-deb", "-x", *folder.glob("busybox-static_*.deb"), folder / "busybox"], check=True)
    return (folder / "busybox" / "bin" / "busybox").read_bytes()


def leave_network() -> None:
    """Go on in a network of our own, whose bridges and firewall are nobody else's, with mounts that end with us."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "a network namespace of our own needs root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def make_image(daemon: Daemon, busybox: bytes) -> None:
    """A root folder with busybox, the diary in the place of Python, and a home."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        add(tar, "bin/busybox", busybox)
        add(tar, "usr/bin/python", DIARY.encode())
        for name in ("tmp", "home/learner", "srv/models", "etc", "proc", "dev", "sys"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, LEARNER, LEARNER
            tar.addfile(folder)
    daemon.client.import_image_from_data(packed.getvalue(), repository=IMAGE, tag="latest")


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """A program."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    tar.addfile(info, io.BytesIO(content))


def parent_of(pid: int) -> int:
    """The process that started another, 0 when there is none."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/status").read_text(encoding="ascii").split("PPid:\t")[1].split()[0])
    return 0


def _end(pid: int) -> int:
    """Kill; 1 when there was somebody. Never this machine's first process, which takes up orphans."""
    if pid <= 1:
        return 0
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0
