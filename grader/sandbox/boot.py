"""The first program in every box: closes what is still open, gives up what is left of power, starts the role.

Started as a script by the path it has inside the box; the first line it reads is the plan. A warm parent goes no
further than its own walls: from there on its children go through the same steps, each with a plan of its own.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

_MIB = 1 << 20
_VIRTUAL_HEADROOM = 24 << 30
_FILES = 512
_CPU_GRACE = 2
"""Seconds between the signal that says which limit it was and the one that cannot be refused."""


def main() -> None:
    """Read the plan, shut the box from inside where the engine could not, and run the role until it ends."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from grader.sandbox import jail  # noqa: PLC0415  importable only now
    from grader.sandbox.pipe import Pipe  # noqa: PLC0415

    pipe = Pipe(os.dup(0), os.dup(1))
    plan = pipe.receive()
    if plan["jail"] is not None:
        jail.enter(plan["jail"])
        _load_from(plan["code"])
    if plan.get("reaper"):
        jail.leave_reaper_behind()
    held_bytes = 0
    if plan["parent"]:
        from grader.sandbox import warm_parent  # noqa: PLC0415

        pipe, plan = warm_parent.become_a_child(pipe, plan)
        held_bytes = warm_parent.private_bytes()
    Path(plan["work"]).mkdir(parents=True, exist_ok=True)
    _leave_root(plan["uid"], Path(plan["work"]))
    jail.show_own_process()
    if plan["seccomp"] is not None:
        jail.give_up_power(bytes.fromhex(plan["seccomp"]))
    os.chdir(plan["work"])
    _limit(plan, held_bytes)
    if plan["role"] == "runner":
        from grader.sandbox.runner import prepare  # noqa: PLC0415
    elif plan["role"] == "opener":
        from grader.sandbox.opener import prepare  # noqa: PLC0415
    else:
        from grader.check.examiner import prepare  # noqa: PLC0415
    serve = prepare(pipe, plan)
    # Up to here the host hears what went wrong; from here on nothing in the box holds a way out but the pipe.
    _redirect_output(plan["role"])
    pipe.send({"ready": True, **_program(plan)})
    serve()


def _program(plan: dict[str, Any]) -> dict[str, str]:
    """Which program this is, where the host has to ask."""
    if not plan.get("asks_program"):
        return {}
    from grader.sandbox.program import program_digest  # noqa: PLC0415

    return {"program": program_digest()}


def _load_from(code: str) -> None:
    """Import the rest of the package from where it lies inside the box: the host's path is gone."""
    sys.path[0] = code
    for name in [name for name in sys.modules if name.split(".")[0] == "grader"]:
        del sys.modules[name]


def _leave_root(uid: int, work: Path) -> None:
    if uid and os.getuid() == 0:
        for folder in (work.parent, work):
            os.chown(folder, uid, uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _limit(plan: dict[str, Any], held_bytes: int) -> None:
    # What a warm parent had loaded before is shared with it and is not the learner's to answer for.
    memory = plan["memory_mb"] * _MIB + held_bytes
    caps = {
        resource.RLIMIT_FSIZE: plan["disk_mb"] * _MIB,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_NPROC: plan["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: _MIB,
        resource.RLIMIT_MSGQUEUE: 0,
        # Private memory each process may write to; the address space itself is large with torch loaded.
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_AS: memory + _VIRTUAL_HEADROOM,
    }
    if plan.get("gpu"):
        # CUDA reserves addresses far beyond what it uses, and pins memory; the box's own cap on memory stays.
        del caps[resource.RLIMIT_AS], caps[resource.RLIMIT_MEMLOCK]
    for cap, value in caps.items():
        resource.setrlimit(cap, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (plan["cpu_seconds"], plan["cpu_seconds"] + _CPU_GRACE))


def _redirect_output(role: str) -> None:
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 0)
    if role == "runner":
        stray = os.open("/tmp/.output", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)  # noqa: S108  the box's own
        os.dup2(stray, 1)
        os.dup2(stray, 2)
        os.close(stray)
    else:
        os.dup2(silent, 1)
        os.dup2(silent, 2)
    os.close(silent)


if __name__ == "__main__":
    main()
