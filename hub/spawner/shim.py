"""The local engine's witness: starts one lab, and writes down when it began and ended, durably.

Runs as ``python -I shim.py FOLDER`` with the launch (argv, environment, working folder) as JSON on standard input; it
must import nothing but the standard library, outlive a hub restart, and never report a time it did not see.
Records in FOLDER, each fsynced: ``started.json``, ``heartbeat`` (its modification time), ``ended.json``.
While the shim lives it holds a lock on ``lock``: whoever can take that lock knows the shim is gone.
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

HEARTBEAT_SECONDS = 5.0
GRACE_SECONDS = 10.0
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Linux's prctl(2)."""
LIBC = ctypes.CDLL(None)
SHIM = os.getpid()


def main() -> int:
    """Start the lab, wait for its end, record both; the exit status is the lab's."""
    os.umask(0o077)
    folder = Path(sys.argv[1])
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    launch = json.load(sys.stdin)
    with open(folder / "lab.log", "ab", buffering=0) as log:  # noqa: PTH123 -- unbuffered bytes for a child's output
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
        lab = subprocess.Popen(
            launch["argv"], env=launch["env"], cwd=launch["cwd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 -- no thread has been started
        )  # fmt: skip
    # Before the start is on disk: whoever reads it may ask us to stop at once.
    asked = listen(lab)
    # The wall clock may be stepped while the lab runs; the length is taken from the clock that is not.
    started_us, began = time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    record(folder / "started.json", {"at_us": started_us, "pid": lab.pid, "shim_pid": os.getpid()})
    reason = wait(lab, folder / "heartbeat", asked)
    end_orphans()
    length_us = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began) // 1000
    record(folder / "ended.json", {"at_us": started_us + length_us, "exit_status": lab.returncode, "reason": reason})
    return lab.returncode if lab.returncode >= 0 else 128 - lab.returncode


def die_with_parent() -> None:
    """Have this process, which is about to become the lab's box, killed when the shim dies, however early."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != SHIM:
        os._exit(1)


def end_orphans() -> None:
    """Kill what the box left behind: killed in mid-start, it has not tied the processes inside to its own life yet."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while left := children.read_text(encoding="ascii").split():
        for pid in map(int, left):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def listen(lab: "subprocess.Popen[bytes]") -> list[float]:
    """Have the lab asked to end whenever we are asked to; returns the list that notes when that was (monotonic)."""
    asked: list[float] = []

    def ask(_signal: int, _frame: FrameType | None) -> None:
        asked.append(time.monotonic())
        os.kill(innermost(lab.pid), signal.SIGTERM)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return asked


def wait(lab: "subprocess.Popen[bytes]", heartbeat: Path, asked: list[float]) -> str:
    """Wait until the lab ends, killing it when it was asked to and does not; returns why it ended."""
    while True:
        heartbeat.touch()
        try:
            lab.wait(HEARTBEAT_SECONDS if not asked else 0.2)
        except subprocess.TimeoutExpired:
            if asked and time.monotonic() - asked[0] > GRACE_SECONDS:
                lab.kill()
            continue
        return "stopped" if asked else "exited"


def innermost(pid: int) -> int:
    """The process to ask: inside bubblewrap the lab is its grandchild, and bubblewrap itself forwards no signal."""
    while Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == "bwrap":
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if not children:
            break
        pid = int(children[0])
    return pid


def record(file: Path, facts: dict[str, object]) -> None:
    """Write ``facts`` so that after a power cut the file is whole or absent."""
    # The hub and the steward may both see a container's end, and write it at the same moment.
    draft = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.draft")
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(facts, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


if __name__ == "__main__":
    sys.exit(main())
