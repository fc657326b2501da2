"""Boxes forked from warm parents: as shut and as fresh as any other, and no worse than cold when a parent is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.sandbox.box import Box, BoxEnded, BoxPlan, SandboxUnavailable, open_sandbox
from grader.sandbox.warm import WarmSandbox
from grader.verdict import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(wall_seconds=60, cpu_seconds=30, memory_mb=600, processes=32, disk_mb=16, output_bytes=10_000)
PLAN = BoxPlan("runner", LIMITS, environment={"LAB": "warm"}, preload=("numpy", "json.tool", "email.mime:audio"))
SECONDS = 300


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[WarmSandbox]:
    try:
        opened = open_sandbox(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    assert isinstance(opened, WarmSandbox)
    yield opened
    opened.close()


def ask(box: Box, source: str) -> str:
    deadline = time.monotonic() + 60
    box.send(json.dumps({"op": "run", "source": source}).encode(), deadline)
    said: dict[str, Any] = json.loads(box.receive(deadline))["ok"]
    return "".join(one.get("text", "") for one in said["outputs"])


def run(sandbox: WarmSandbox, source: str, plan: BoxPlan = PLAN) -> str:
    with sandbox.start(plan) as box:
        box.make_ready()
        return ask(box, source)


def parent_of(sandbox: WarmSandbox) -> int:
    """The host's id of the one warm parent's engine."""
    (parent,) = sandbox._parents.values()
    return parent._process.pid


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "processes outlived what held them"
        time.sleep(0.02)


LOADED = "import sys\nprint({'json.tool', 'email.mime.audio'} <= set(sys.modules))"


def test_a_box_has_what_was_preloaded_and_its_labs_environment(sandbox: WarmSandbox) -> None:
    assert sandbox.warm_up(PLAN, SECONDS)
    assert run(sandbox, LOADED) == "True\n"
    assert run(sandbox, "import os\nprint(os.environ['LAB'], os.getcwd(), os.getuid() > 0)") == (
        "warm /home/learner/lab True\n"
    )


LOOK_AROUND = """
import os, sys
shell = get_ipython()
print(sorted(globals()), In, Out, _dh, shell.execution_count, shell.starting_dir, shell.last_execution_result)
print([hasattr(sys, name) for name in ('last_type', 'last_value', 'last_traceback')])
print(getattr(shell.InteractiveTB, 'tb', 0))
print(sorted(os.listdir(shell.profile_dir.location)), sorted(os.listdir('/home/learner')))
import linecache
print([name for name in (*linecache.cache, *shell.compile._filename_map) if 'ipython' in name and '/' not in name])
"""


def test_a_shell_made_before_the_fork_is_as_new_as_one_made_after_it(sandbox: WarmSandbox) -> None:
    cold = sandbox._engine
    assert sandbox.warm_up(PLAN, SECONDS)
    with sandbox.start(PLAN) as forked, cold.start(PLAN) as made:
        for box in (forked, made):
            box.make_ready()
        for source in (LOOK_AROUND, "1 / 0", "print(In, Out)\n%history"):
            assert ask(forked, source) == ask(made, source) != ""


MARK_EVERYTHING = """
import builtins, numpy, os, sys
builtins.left = numpy.left = sys.left = 1
numpy.sum, os.environ['left'] = None, '1'
for folder in ('.', '/tmp', '/dev/shm', '/home/learner'): open(folder + '/left', 'w').write('x')
import socket
socket.socket(socket.AF_UNIX).bind('\\0left')
print('marked')
"""
FIND_MARKS = """
import builtins, numpy, os, sys, glob
found = [name for module in (builtins, numpy, sys) for name in vars(module) if name == 'left']
found += [1 for folder in ('.', '/tmp', '/dev/shm', '/home/learner') if os.path.exists(folder + '/left')]
found += [name for name in os.environ if name == 'left'] + [1 for _ in range(numpy.sum is None)]
import socket
socket.socket(socket.AF_UNIX).bind('\\0left')
print(found, sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))
"""


def test_nothing_of_one_box_is_in_the_next_nor_in_one_beside_it(sandbox: WarmSandbox) -> None:
    assert sandbox.warm_up(PLAN, SECONDS)
    with sandbox.start(PLAN) as first, sandbox.start(PLAN) as beside:
        first.make_ready()
        beside.make_ready()
        assert ask(first, MARK_EVERYTHING) == "marked\n"
        assert ask(beside, FIND_MARKS) == "[] [1, 2]\n"
    assert run(sandbox, FIND_MARKS) == "[] [1, 2]\n"


def test_no_two_boxes_draw_the_same(sandbox: WarmSandbox) -> None:
    assert sandbox.warm_up(PLAN, SECONDS)
    draw = (
        "import random, numpy\nprint(random.random(), numpy.random.rand(), hash(numpy.random.default_rng().random()))"
    )
    drawn = [run(sandbox, draw).split() for _ in range(3)]
    assert all(len(set(column)) == 3 for column in zip(*drawn, strict=True))


def test_a_box_holds_no_descriptor_of_its_parents(sandbox: WarmSandbox) -> None:
    assert sandbox.warm_up(PLAN, SECONDS)
    look = "import os\nfor n in os.listdir('/proc/self/fd'):\n    try: print(os.readlink(f'/proc/self/fd/{n}'))\n"
    look += "    except OSError: pass"
    with sandbox.start(PLAN) as other, sandbox.start(PLAN) as box:
        other.make_ready()
        box.make_ready()
        seen = ask(box, look).split()
    assert not [name for name in seen if name.startswith(("socket:", "anon_inode:"))]
    assert len([name for name in seen if name.startswith("pipe:")]) == 2


def test_folders_under_the_boxs_own_ones_stay_to_be_seen(sandbox: WarmSandbox, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    tmp_path.chmod(0o755)
    plan = BoxPlan("runner", LIMITS, ((str(tmp_path), "/tmp/models/tiny"),))  # noqa: S108  in the box
    assert sandbox.warm_up(plan, SECONDS)
    read = "print(open('/tmp/models/tiny/weights.bin').read())\nopen('/tmp/models/tiny/x', 'w')"
    assert run(sandbox, read, plan).startswith("weights\n")
    assert "Read-only file system" in run(sandbox, read, plan)


def test_a_killed_parent_takes_its_boxes_with_it_and_the_next_box_starts_cold(sandbox: WarmSandbox) -> None:
    sandbox.close()
    assert sandbox.warm_up(PLAN, SECONDS)
    with sandbox.start(PLAN) as box:
        box.make_ready()
        family = descendants(parent_of(sandbox))
        for pid in family:
            if "boot.py" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
                break
        with pytest.raises(BoxEnded):
            # The kernel ends one after another: the box may answer a few times more.
            deque((ask(box, "1") for _ in range(100_000)), maxlen=0)
    wait_until_gone(family)
    assert run(sandbox, LOADED) == "False\n"
    assert sandbox.warm_up(PLAN, SECONDS)
    assert run(sandbox, LOADED) == "True\n"


def test_what_cannot_be_forked_starts_cold(sandbox: WarmSandbox, tmp_path: Path) -> None:
    package = tmp_path / "toolkit"
    package.mkdir()
    (package / "busy.py").write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()")
    tmp_path.chmod(0o755)
    shown = ((str(package), "/opt/reelwright/toolkit"),)
    plan = BoxPlan("runner", LIMITS, shown, preload=("toolkit.busy",))
    assert not sandbox.warm_up(plan, SECONDS)
    assert run(sandbox, "print('still')", plan) == "still\n"
    assert not sandbox.warm_up(plan, 0)


HOST = """
import sys, time
from grader.sandbox.box import BoxPlan, open_sandbox
from grader.verdict import Limits
sandbox, plan = open_sandbox(sys.argv[1]), BoxPlan("runner", Limits())
assert sandbox.warm_up(plan, 300)
box = sandbox.start(plan)
box.make_ready()
box.send(b'{"op": "run", "source": "import time; time.sleep(600)"}', time.monotonic() + 10)
print("running", flush=True)
time.sleep(600)
"""


def test_parents_and_boxes_end_when_their_host_is_killed(sandbox: WarmSandbox) -> None:
    command = [sys.executable, "-c", HOST, sandbox.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "running\n"
        family = descendants(host.pid)
        host.kill()
    assert len(family) > 3
    wait_until_gone(family)
