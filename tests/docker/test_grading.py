"""Grading in containers: the box shuts out what every box does, each cap ends a bomb, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.grade import grade
from grader.sandbox.box import BoxEnded, BoxPlan, Containers, Sandbox, SandboxUnavailable, open_sandbox

sys.path.insert(0, str(Path(__file__).parents[1] / "grader"))
from lab_maker import FAST, Lab, check, locked, solution

if TYPE_CHECKING:
    from grader.verdict import Verdict

pytestmark = [pytest.mark.docker, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
GPU = "GPU-aaaaaaaa-0000-4000-8000-000000000001"
LIMITS = replace(FAST, wall_seconds=120)
TIGHT = replace(LIMITS, cpu_seconds=4, memory_mb=400, processes=30, disk_mb=16, output_bytes=20_000)


@pytest.fixture(scope="module")
def containers(daemon: Any, grader_image: str) -> Containers:
    return Containers(grader_image, daemon.host)


@pytest.fixture(scope="module")
def sandbox(containers: Containers) -> Sandbox:
    return open_sandbox("docker", containers=containers)


def boxes(daemon: Any) -> list[str]:
    return [found["Id"] for found in daemon.client.containers(all=True, filters={"label": "reelwright.box"})]


LOOKS = {
    "network": "import os\nif os.listdir('/sys/class/net') != ['lo']: print('OPEN', os.listdir('/sys/class/net'))",
    "a way out": (
        "import socket\nfor host in ('1.1.1.1', '172.17.0.1', '10.0.0.1'):\n"
        "    try: socket.create_connection((host, 80), 0.2); print('OPEN', host)\n    except OSError: pass"
    ),
    "machine sockets": "import socket\ntry: socket.socket(40); print('OPEN')\nexcept OSError: pass",
    "environment": (
        "import os\nfor pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    try: data = open(f'/proc/{pid}/environ').read()\n    except OSError: continue\n"
        "    if 'TOKEN' in data or 'SECRET' in data: print('OPEN')"
    ),
    "processes": "import os\np = list(filter(str.isdigit, os.listdir('/proc')))\nif len(p) > 3: print('OPEN', p)",
    "writing": (
        "import os\nfor folder in ('/', '/usr', '/etc', '/opt/reelwright', '/srv', '/var/tmp', '/dev'):\n"
        "    try: open(folder + '/x', 'w'); print('OPEN', folder)\n    except OSError: pass"
    ),
    "power": (
        "import os\nstatus = open('/proc/self/status').read()\n"
        "for line in ('CapEff:\\t0000000000000000', 'CapBnd:\\t0000000000000000', 'NoNewPrivs:\\t1', 'Seccomp:\\t2'):\n"
        "    if line not in status: print('OPEN', line)\n"
        "if os.getuid() < 10**6: print('OPEN', os.getuid())"
    ),
    "the checker's code's data": (
        "import os\nfor place in ('/tmp/lab', '/srv/models/x', '/run/docker.sock'):\n"
        "    if os.path.exists(place): print('OPEN', place)"
    ),
}


def test_the_container_shows_and_allows_nothing(sandbox: Sandbox, daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE_TOKEN", "SECRET")
    lab = Lab(solution("w", "### BEGIN SOLUTION\nw = 1\n### END SOLUTION"), check("t", "assert w == 1"))
    code = "\n".join(f"exec({look!r})" for look in LOOKS.values())
    verdict = grade(lab.job(lab.submission(w=f"{code}\nprint('looked')\nw = 1"), LIMITS), sandbox)
    assert verdict.score == 1, verdict
    assert '"looked\\n"' in verdict.notebook.decode(), verdict.notebook.decode()[-1500:]
    assert boxes(daemon) == []


ENDS_IN_WORDS = r"""
import os, time
for fd in range(3, 20):
    try: os.write(fd, b'\n{"over": [0, 0]}\n')
    except OSError: pass
time.sleep(99)
"""
BOMBS = {
    "wall": ("import time; time.sleep(999)", "longer than this lab allows"),
    "cpu": ("while True: pass", ""),
    "memory": ("x = []\nfor n in range(60): x.append(b'x' * 10**7)", None),
    "memory of many": (
        "import os, time\nfor n in range(20):\n    os.fork() or (b'x' * (10**8), time.sleep(30))\ntime.sleep(20)",
        "",
    ),
    "processes": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", ""),
    "disk": ("with open('big', 'wb') as f:\n    while True: f.write(bytes(10**6))", None),
    "shared memory": ("with open('/dev/shm/x', 'wb') as f:\n    while True: f.write(bytes(10**6))", None),
    "output": ("while True: print('x' * 10**6)", ""),
    "exit": ("import os; os._exit(0)", "ended early"),
    "kills all": ("import os; os.kill(-1, 9)", ""),
    "says it ended": (ENDS_IN_WORDS, "ended early"),
}


def test_each_cap_ends_a_bomb_and_the_learner_is_told(sandbox: Sandbox, daemon: Any) -> None:
    lab = Lab(
        solution("early", "### BEGIN SOLUTION\nearly = 1\n### END SOLUTION"),
        check("before", "assert early == 1"),
        solution("w", "### BEGIN SOLUTION\nw = 1\n### END SOLUTION"),
        check("after", "assert w == 1"),
    )

    def explode(name: str) -> tuple[str, Verdict]:
        limits = replace(TIGHT, wall_seconds=25)
        return name, grade(lab.job(lab.submission(early="early = 1", w=BOMBS[name][0]), limits), sandbox)

    with ThreadPoolExecutor(3) as pool:
        for name, verdict in pool.map(explode, BOMBS):
            before, after = verdict.cells
            assert verdict.failure is None or verdict.failure.kind == "learner", (name, verdict.failure)
            assert (before.score, after.score) == (1, 0), (name, verdict.cells)
            assert (BOMBS[name][1] or "") in after.reason_en, (name, after)
            assert len(verdict.notebook) < 200_000, name
    assert boxes(daemon) == []


def test_what_a_hidden_test_hands_in_is_told_by_nobody_in_containers_either(sandbox: Sandbox) -> None:
    secret = str(10**11 + 7)
    lab = Lab(
        solution("w", "### BEGIN SOLUTION\ndef w(x):\n    return x\n### END SOLUTION"),
        check("t", f"assert w(1) == 1\n### BEGIN HIDDEN TESTS\nassert w({secret}) == {secret}\n### END HIDDEN TESTS"),
        check("ends", "assert w(2) == 2\n### BEGIN HIDDEN TESTS\nassert w(-1) == -1\n### END HIDDEN TESTS"),
        solution("v", "### BEGIN SOLUTION\nv = 1\n### END SOLUTION"),
        check("u", "assert v == 1, v"),
    )
    keeps = (
        "import mmap, os\nkept = []\nshared = mmap.mmap(-1, 99)\ndef w(x):\n    if x < 0: os.kill(os.getpid(), 9)\n"
        "    kept.append(x); print(x)\n"
        "    shared.write(str(x).encode()); open('kept.txt', 'a').write(str(x))\n    return x"
    )
    tells = "v = (kept, shared[:], open('kept.txt').read())\nprint(v)"
    verdict = grade(lab.job(lab.submission(w=keeps, v=tells), LIMITS), sandbox)
    assert [cell.score for cell in verdict.cells] == [1, 0, 0], verdict
    assert "ended early" in verdict.cells[1].reason_en
    assert "AssertionError: ([1, 2]" in verdict.cells[2].reason_en
    shown = repr(verdict.cells) + verdict.notebook.decode() + repr([file.content for file in verdict.files])
    assert secret not in shown


def test_a_whole_lab_with_a_film_is_graded_in_containers(sandbox: Sandbox) -> None:
    work = (
        "import numpy as np\nimport torch\nfrom pathlib import Path\nfrom labs.takes.film import write_film\n"
        "write_film(np.zeros((8, 64, 64, 3), np.uint8), Path('film.mp4'), fps=8)\ndef double(x): return 2 * x"
    )
    lab = Lab(
        locked("setup", "import numpy as np\nfrom labs import checks"),
        solution("work", f"### BEGIN SOLUTION\n{work}\n### END SOLUTION"),
        check("values", "assert double(np.arange(3)).tolist() == [0, 2, 4]"),
        check("film", "checks.duration('film.mp4', 1)"),
    )
    verdict = grade(lab.job(lab.submission(work=work), LIMITS), sandbox)
    assert [cell.score for cell in verdict.cells] == [1, 1], verdict.cells


def test_a_box_whose_worker_died_ends_by_itself(containers: Containers, daemon: Any) -> None:
    program = (
        "import os, sys, time\nfrom grader.sandbox.box import *\nfrom grader.verdict import Limits\n"
        "box = open_sandbox('docker', containers=Containers(*sys.argv[1:])).start(BoxPlan('runner', Limits()))\n"
        'box.make_ready(); box.send(b\'{"op": "run", "source": "while True: pass"}\', time.monotonic() + 9)\n'
        "os.kill(os.getpid(), 9)"
    )
    words = [sys.executable, "-c", program, containers.image, containers.host]
    assert subprocess.run(words, check=False, cwd=ROOT).returncode == -9
    (left,) = boxes(daemon)
    deadline = time.monotonic() + 60
    while daemon.client.inspect_container(left)["State"]["Running"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    daemon.client.remove_container(left)


def test_a_gpu_is_asked_for_by_its_uuid_and_one_that_is_not_there_is_our_fault(sandbox: Sandbox, daemon: Any) -> None:
    with sandbox.start(BoxPlan("runner", LIMITS, gpu=GPU)) as box:
        box.make_ready()
        (found,) = boxes(daemon)
        facts = daemon.client.inspect_container(found)
        assert facts["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == [GPU]
        assert {f"CUDA_VISIBLE_DEVICES={GPU}", f"NVIDIA_VISIBLE_DEVICES={GPU}"} <= set(facts["Config"]["Env"])
    assert f'"devices": "{GPU}"' in (daemon.folder / "asked.jsonl").read_text()
    with pytest.raises(BoxEnded, match="unknown device"):
        sandbox.start(BoxPlan("runner", LIMITS, gpu="GPU-00000000-0000-4000-8000-000000000000"))
    lab = Lab(solution("w", "### BEGIN SOLUTION\nw = 1\n### END SOLUTION"), check("t", "assert w == 1"))
    job = replace(lab.job(lab.submission(w="w = 1"), LIMITS), gpu="GPU-00000000-0000-4000-8000-000000000000")
    failure = grade(job, sandbox).failure
    assert failure is not None
    assert failure.kind == "infrastructure"
    assert boxes(daemon) == []


def test_a_missing_image_or_daemon_is_said_at_the_start(
    daemon: Any, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.sandbox.container.program_digest", lambda: "an upgrade's")
    with pytest.raises(SandboxUnavailable, match="another version of the grader, build it again"):
        open_sandbox("docker", containers=containers)
    with pytest.raises(SandboxUnavailable, match="images/build lab grader"):
        open_sandbox("docker", containers=Containers("reelwright/none:0", daemon.host))
    with pytest.raises(SandboxUnavailable, match="Docker daemon"):
        open_sandbox("docker", containers=Containers("reelwright/none:0", "unix:///nowhere.sock"))
