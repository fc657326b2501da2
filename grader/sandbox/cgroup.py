"""A control group per box where the host lets us make one: caps memory, processes and CPU of the whole box together."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.verdict import Limits

_ROOT = Path("/sys/fs/cgroup")
_GONE_SECONDS = 10.0
_MIB = 1 << 20
_PERIOD_US = 100_000


@dataclass(frozen=True)
class ControlGroup:
    """The folders of one box's group: one on cgroup v2, one for each controller on v1."""

    folders: tuple[Path, ...]

    @property
    def entry_files(self) -> tuple[str, ...]:
        """Files to which a process writes its id in order to enter."""
        return tuple(str(folder / "cgroup.procs") for folder in self.folders)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something in the group for want of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    for line in (folder / name).read_text().splitlines():
                        if line.startswith("oom_kill ") and line != "oom_kill 0":
                            return True
        return False

    def remove(self) -> None:
        """Kill what is left inside and remove the group."""
        give_up = time.monotonic() + _GONE_SECONDS
        for folder in self.folders:
            while folder.exists() and time.monotonic() < give_up:
                self._kill_members(folder)
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.005)

    @staticmethod
    def _kill_members(folder: Path) -> None:
        with contextlib.suppress(OSError):
            for member in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(member), signal.SIGKILL)


def make_group(limits: Limits) -> ControlGroup | None:
    """A new group with ``limits``, or nothing where this process may not make one (rlimits then stand alone)."""
    name = f"reelwright-box-{secrets.token_hex(8)}"
    memory = str((limits.memory_mb + limits.disk_mb) * _MIB)
    if (_ROOT / "cgroup.controllers").exists():
        settings = {"memory.max": memory, "memory.swap.max": "0", "pids.max": str(limits.processes)}
        settings["cpu.max"] = f"{_PERIOD_US} {_PERIOD_US}"
        folder = _make(_candidates(_ROOT, ""), name, ("memory.max", "pids.max"), settings)
        return ControlGroup((folder,)) if folder else None
    wanted = {
        "memory": ({"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}, "memory.limit_in_bytes"),
        "pids": ({"pids.max": str(limits.processes)}, "pids.max"),
    }
    made = []
    for controller, (settings, needed) in wanted.items():
        if folder := _make(_candidates(_ROOT / controller, controller), name, (needed,), settings):
            made.append(folder)
    if len(made) == len(wanted):
        # One core for the whole box: many processes in it must not take the neighbours' time. Helpful, not needed.
        settings = {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(_PERIOD_US)}
        if folder := _make(_candidates(_ROOT / "cpu", "cpu"), name, tuple(settings), settings):
            made.append(folder)
        return ControlGroup(tuple(made))
    ControlGroup(tuple(made)).remove()
    return None


def _candidates(mount: Path, controller: str) -> list[Path]:
    own = [
        mount / path.lstrip("/")
        for number, controllers, path in (line.split(":", 2) for line in _own_groups())
        if (controller in controllers.split(",") if controller else number == "0")
    ]
    return [*own, mount]


def _own_groups() -> list[str]:
    with contextlib.suppress(OSError):
        return Path("/proc/self/cgroup").read_text().splitlines()
    return []


def _make(parents: list[Path], name: str, needed: tuple[str, ...], settings: dict[str, str]) -> Path | None:
    for parent in parents:
        folder = parent / name
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            for file, value in settings.items():
                if file in needed or (folder / file).exists():
                    (folder / file).write_text(value)
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        return folder
    return None
