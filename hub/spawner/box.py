"""The walls of a local lab: the bubblewrap command line that a learner's server runs behind.

A learner sees the system's programs, this installation's Python and the ``labs`` package, the models, all read-only,
and their own home. They do not see the repository (course sources hold solutions), the data folder, other homes, or
other people's processes. The network is the host's: a local lab is for a laptop, a demonstration or CI.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import site
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import labs

if TYPE_CHECKING:
    from uuid import UUID

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
SYSTEM_FILES = tuple(
    f"/etc/{name}"
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "ssl", "alternatives", "passwd")
)
FIRST_UID = 200_000
LEASE_VARIABLE = "REELWRIGHT_LEASE"
"""In the environment of a lab and of its box: whose they are."""
MOST_ROUNDS = 100
Strength = Literal["own-user", "box", "none"]


@dataclass(frozen=True)
class Walls:
    """What one lab may see and who it runs as."""

    home: Path
    models: Path
    uid: int | None


def strength() -> Strength:
    """How well labs are kept apart here: own user in a box (root), a box (bubblewrap alone), or not at all."""
    if shutil.which("bwrap") is None:
        return "none"
    return "own-user" if os.geteuid() == 0 else "box"


def argv(walls: Walls, command: list[str]) -> list[str]:
    """The whole command line that runs ``command`` behind ``walls``."""
    if strength() == "none":
        return command
    line = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    line += ["--hostname", "lab", "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
    line += ["--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 -- the lab's own, empty at start
    # bubblewrap would make /etc for its own user alone, and the learner could read none of these files.
    line += ["--perms", "0755", "--dir", "/etc"]
    for name in (*SYSTEM_FOLDERS, *SYSTEM_FILES):
        line += _system(Path(name))
    for folder in python_folders():
        line += _read_only(folder)
    if walls.models.is_dir():
        line += _read_only(walls.models)
    line += [*_parents(walls.home), "--bind", str(walls.home), str(walls.home), "--chdir", str(walls.home), "--"]
    return [*line, *_drop_to(walls.uid), *command]


def python_folders() -> list[Path]:
    """Folders that this Python and the ``labs`` package are loaded from, outer ones first, each once."""
    wanted = {Path(sys.prefix), Path(sys.base_prefix), Path(labs.__file__).parent, *map(Path, site.getsitepackages())}
    outer = sorted({path.resolve() for path in wanted} | {Path(sys.prefix)}, key=lambda path: len(path.parts))
    kept: list[Path] = []
    for path in outer:
        if not any(path.is_relative_to(above) for above in (*kept, Path("/usr"))):
            kept.append(path)
    return kept


def home_for(homes: Path, learner: str) -> tuple[Path, int | None]:
    """The learner's home, made at first use, and the uid that owns it (None when we are not root)."""
    home = homes / learner
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home, None
    homes.mkdir(mode=0o711, parents=True, exist_ok=True)
    if home.is_dir():
        return home, home.stat().st_uid
    uid = max([FIRST_UID, *(entry.stat().st_uid for entry in homes.iterdir())]) + 1
    home.mkdir(mode=0o700)
    os.chown(home, uid, uid)
    return home, uid


def end_left_over(lease_id: UUID) -> int:
    """Kill every process that was started for a lease; for when its shim, with which they should end, is gone.

    A box whose shim is killed while it is being set up may outlive it. Returns how many there were.
    """
    mark, ended = f"{LEASE_VARIABLE}={lease_id}".encode(), 0
    for _ in range(MOST_ROUNDS):  # one that is being ended may have started another meanwhile
        pids = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
        if not (found := [pid for pid in pids if mark in _environment(pid)]):
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        ended += len(found)
        time.sleep(0.01)
    return ended


def _environment(pid: int) -> list[bytes]:
    """What a process was started with; nothing of one that is not ours, that is gone, or that has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _system(path: Path) -> list[str]:
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), str(path)]
    return ["--ro-bind", str(path), str(path)] if path.exists() else []


def _read_only(path: Path) -> list[str]:
    return [*_parents(path), "--ro-bind", str(path), str(path)]


def _parents(path: Path) -> list[str]:
    # bubblewrap makes missing parents with mode 0700 of its own user; another uid could not walk through them.
    made: list[str] = []
    for parent in reversed(path.parents[:-1]):
        if not any(parent.is_relative_to(folder) for folder in SYSTEM_FOLDERS):
            made += ["--perms", "0755", "--dir", str(parent)]
    return made


def _drop_to(uid: int | None) -> list[str]:
    if uid is None:
        return []
    ids = ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"]
