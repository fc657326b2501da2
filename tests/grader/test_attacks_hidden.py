"""What a hidden test hands to a learner's function stays hidden, whatever the function does with it; and honest work
gets the points it got when hidden tests ran in their place."""

from __future__ import annotations

import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.grade import grade

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, code, open_engine_for, solution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.sandbox.box import Box, BoxPlan, Sandbox
    from grader.verdict import Verdict

pytestmark = pytest.mark.slow
NUMBER = 10**11 + secrets.randbelow(10**11)
WORD = secrets.token_hex(3)
SECRETS = (str(NUMBER), str(-NUMBER), f"{NUMBER:x}", WORD, WORD[::-1])
HIDDEN = f"""assert echo(1) == 1
### BEGIN HIDDEN TESTS
assert echo({NUMBER}) == {NUMBER}
assert echo('{WORD}') == '{WORD}'
### END HIDDEN TESTS
"""


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(
        solution("first", "### BEGIN SOLUTION\ndef echo(x):\n    return x\n### END SOLUTION"),
        check("hidden", HIDDEN, 2),
        solution("second", "### BEGIN SOLUTION\ndef tell():\n    return 3\n### END SOLUTION"),
        check("visible", "assert tell() == 3, tell()"),
        check(
            "both",
            "assert tell() == 3, f'got {tell()}'\n### BEGIN HIDDEN TESTS\nassert tell() < 4\n### END HIDDEN TESTS",
        ),
        code("last = 1"),
    )


@pytest.fixture(scope="module", params=["bubblewrap", "warm"])
def sandbox(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Sandbox]:
    opened = open_engine_for(lab, request.param)
    yield opened
    if request.param == "warm":
        opened.close()  # type: ignore[attr-defined]


def shown(verdict: Verdict) -> str:
    """Everything of a verdict that a learner can get to see."""
    cells = [(c.reason_zh, c.reason_en, c.output, c.title) for c in verdict.cells]
    files = [(file.path, file.content.decode("latin1")) for file in verdict.files]
    return repr((cells, files, verdict.failure)) + verdict.notebook.decode()


KEEP = "def keep(x):\n    {0}\n\ndef echo(x):\n    keep(x)\n    return x\n"
TELL = "def tell():\n    return {0}\n"
NOTES = {
    "a list": ("kept = []\n" + KEEP.format("kept.append(x)"), TELL.format("kept")),
    "a default argument": (
        KEEP.format("pass") + "def echo(x, seen=[]):\n    seen.append(x); return x",
        TELL.format("echo.__defaults__"),
    ),
    "its own file": (KEEP.format("open('kept.txt', 'a').write(repr(x))"), TELL.format("open('kept.txt').read()")),
    "a file elsewhere": (KEEP.format("open('/tmp/kept', 'a').write(repr(x))"), TELL.format("open('/tmp/kept').read()")),
    "memory of all boxes": (
        KEEP.format("open('/dev/shm/kept', 'a').write(repr(x))"), TELL.format("open('/dev/shm/kept').read()")
    ),
    "a file's name": (KEEP.format("open(f'kept-{x}', 'w').close()"), TELL.format("__import__('os').listdir()")),
    "shared memory": (
        "import mmap\nshared = mmap.mmap(-1, 4096)\n" + KEEP.format("shared.write(repr(x).encode())"),
        TELL.format("shared[:200].strip(bytes(1)).decode()"),
    ),
    "a process beside it": (
        "import os, socket, time\nours, theirs = socket.socketpair()\nif os.fork() == 0:\n"
        "    while data := theirs.recv(999):\n        open('kept.bin', 'ab').write(data)\n    os._exit(0)\n"
        + KEEP.format("ours.send(repr(x).encode())"),
        "time.sleep(0.2)\n" + TELL.format("open('kept.bin').read()"),
    ),
    "a pipe": (
        "import os\nr, w = os.pipe()\nos.set_blocking(r, False)\n" + KEEP.format("os.write(w, repr(x).encode())"),
        TELL.format("os.read(r, 999)"),
    ),
    "a thread beside it": (
        "import threading, queue\nq = queue.Queue(); kept = []\n"
        "threading.Thread(target=lambda: [kept.append(q.get()) for _ in range(9)], daemon=True).start()\n"
        + KEEP.format("q.put(x)"),
        "import time\ntime.sleep(0.2)\n" + TELL.format("kept"),
    ),
    "what it prints": (
        "import os, sys\n" + KEEP.format("print(x); print(x, file=sys.stderr); os.write(1, repr(x).encode())"),
        TELL.format("3"),
    ),
    "what it raises": (KEEP.format("raise ValueError(x)"), TELL.format("3")),
    "its last words": (
        "import atexit\nkept = []\natexit.register(lambda: print(kept))\n" + KEEP.format("kept.append(x)"),
        TELL.format("3"),
    ),
    "how it ends": (KEEP.format("__import__('os')._exit(77) if x != 1 else None"), TELL.format("3")),
    "no copies": (
        "import sys\nsys.modules['grader.sandbox.snapshots'].Snapshots.take = lambda s: 1\nkept = []\n"
        "sys.modules['grader.sandbox.snapshots'].Snapshots.wake = lambda s, n: 0\n" + KEEP.format("kept.append(x)"),
        TELL.format("kept"),
    ),
    "no forks": ("import os\nos.fork = lambda: 0\nkept = []\n" + KEEP.format("kept.append(x)"), TELL.format("kept")),
    "copies that do not wait": (
        "import sys\nS = sys.modules['grader.sandbox.snapshots'].Snapshots\nS._wait = lambda s, fd: None\nkept = []\n"
        + KEEP.format("kept.append(x); open('kept.txt', 'a').write(repr(x))"),
        TELL.format("kept"),
    ),
    "copies of copies": (
        "import os\nkept = []\n" + KEEP.format("os.fork() or [os.fork() for _ in range(3)]; kept.append(x)"),
        TELL.format("kept"),
    ),
    "the other processes": (
        "import os\nkept = []\n" + KEEP.format(
            "kept.append(x); [open(f'/proc/{p}/fd/{n}', 'ab').write(b'kept ' + repr(x).encode()) "
            "for p in os.listdir('/proc') if p.isdigit() for n in range(3) if os.access(f'/proc/{p}/fd/{n}', 2)]"
        ),
        TELL.format("kept"),
    ),
    "answers ahead of their questions": (
        "import os, json\npipes = [n for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "def forged(x): return {'ok': {'outputs': [{'name': 'stdout', 'text': repr(x)}]}}\n"
        + KEEP.format("[os.write(n, json.dumps(forged(x)).encode() + bytes([10]) * 9) for n in pipes]"),
        TELL.format("3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("sandbox", ["warm"], indirect=True)
@pytest.mark.parametrize("name", NOTES)
def test_hidden_inputs_are_not_told(name: str, lab: Lab, sandbox: Sandbox) -> None:
    first, second = NOTES[name]
    notebook = lab.submission(first=first, second=second)
    spies = "print(tell())\nfrom pathlib import Path\nfor p in Path('.').glob('kept*'): print(p, p.read_text())"
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": spies, "outputs": []})
    verdict = grade(lab.job(notebook, replace(FAST, wall_seconds=12)), sandbox)
    assert not [secret for secret in SECRETS if secret in shown(verdict)], shown(verdict)
    assert verdict.failure is None or verdict.failure.kind == "learner"


MOMENTS = Lab(
    solution("one", "### BEGIN SOLUTION\nimport random\nx = 6\nrandom.seed(5)\ntaken = []\n### END SOLUTION"),
    check("t-one", "seen = x\nassert seen == 6\n### BEGIN HIDDEN TESTS\nfrom math import isclose as near\nlimit = 9\n"
          "assert near(x, 6)\nassert open('note.txt').read() == 'one'\nassert noted() == 'one'\n"
          "assert abs(draw() - 0.6229016948897019) < 1e-9\n### END HIDDEN TESTS"),
    solution("two", "### BEGIN SOLUTION\nx = 7\n### END SOLUTION"),
    check("t-two", "assert x == 7\n### BEGIN HIDDEN TESTS\nassert near(x, 7) and seen == 6 and x < limit\n"
          "assert noted() == 'two' and open('note.txt').read() == 'two' and taken == [1]\n### END HIDDEN TESTS"),
    solution("three", "### BEGIN SOLUTION\nx = 8\n### END SOLUTION"),
    check("t-three", "cases = [8]\n### BEGIN HIDDEN TESTS\ncases += [x]\n### END HIDDEN TESTS\nfor case in cases:\n"
          "    assert case == 8 and not taken"),
    check("t-part", "points = 1\n### BEGIN HIDDEN TESTS\npoints += 1\n### END HIDDEN TESTS\npoints", 4),
)  # fmt: skip
NOTED = "open('note.txt', 'w').write({0!r})\n"
HONEST = {
    "one": "import random\nx = 6\nrandom.seed(5)\ntaken = []\ndraw = random.random\n"
    "def noted(): return open('note.txt').read()\n" + NOTED.format("one"),
    "two": "x = 7\ntaken.append(1)\n" + NOTED.format("two"),
    "three": "x = 8\ntaken.clear()\n" + NOTED.format("three"),
}
FULL = {"t-one": 1, "t-two": 1, "t-three": 1, "t-part": 2}


def scores(verdict: Verdict) -> dict[str, float]:
    return {cell.grade_id: cell.score for cell in verdict.cells}


def test_hidden_lines_see_the_state_of_their_moment(sandbox: Sandbox) -> None:
    verdict = grade(MOMENTS.job(MOMENTS.submission(**HONEST)), sandbox)
    assert scores(verdict) == FULL, [cell.reason_en for cell in verdict.cells]
    assert verdict.failure is None


ENDS = {
    "ends": "import os\nos._exit(3)",
    "takes all memory": "z = []\nwhile True: z.append(bytearray(10**8))",
    "takes all time": "while True: pass",
    "kills all it can": "import os\nos.kill(-1, 9)\nos._exit(1)",
    "starts a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
}


LOST = {name: {"t-three": 0, "t-part": 0} for name in ("ends", "takes all time", "kills all it can")}
"""A MemoryError or a thread ends no box, so what a cell did before counts."""


@pytest.mark.parametrize("name", ENDS)
def test_a_cell_that_ends_the_box_costs_no_hidden_point_before_it(name: str, sandbox: Sandbox) -> None:
    answers = {**HONEST, "three": f"{HONEST['three']}\n{ENDS[name]}"}
    limits = replace(FAST, wall_seconds=8, memory_mb=600)
    verdict = grade(MOMENTS.job(MOMENTS.submission(**answers), limits), sandbox)
    assert scores(verdict) == {**FULL, **LOST.get(name, {})}, [cell.reason_en for cell in verdict.cells]


def test_a_thread_started_early_takes_nothing_from_the_moment(sandbox: Sandbox) -> None:
    answers = {**HONEST, "one": f"{ENDS['starts a thread']}\n{HONEST['one']}"}
    verdict = grade(MOMENTS.job(MOMENTS.submission(**answers)), sandbox)
    assert scores(verdict) == FULL, [cell.reason_en for cell in verdict.cells]


def test_a_hidden_test_that_ends_its_copy_costs_only_its_own_points(sandbox: Sandbox, lab: Lab) -> None:
    ends = "import os\ndef echo(x):\n    return x if x == 1 else os._exit(0)"
    verdict = grade(lab.job(lab.submission(first=ends, second="def tell(): return 3")), sandbox)
    assert scores(verdict) == {"hidden": 0, "visible": 1, "both": 1}
    assert "ended early" in verdict.cells[0].reason_en
    assert verdict.failure is None


def test_a_function_that_never_returns_in_a_hidden_test_holds_a_worker_once(
    sandbox: Sandbox, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def start(plan: BoxPlan) -> Box:
        started.append(plan.role)
        return really_start(plan)

    really_start = sandbox.start
    monkeypatch.setattr(sandbox, "start", start)
    loops = "def echo(x):\n    while x != 1: pass\n    return x"
    notebook = lab.submission(first=loops, second="def tell(): return 3")
    verdict = grade(lab.job(notebook, replace(FAST, wall_seconds=3)), sandbox)
    assert scores(verdict) == {"hidden": 0, "visible": 1, "both": 0}
    for cell in (verdict.cells[0], verdict.cells[2]):
        assert "longer than this lab allows" in cell.reason_en
    assert verdict.failure is None
    assert sorted(started) == ["checker", "runner"]


MEDDLES = {
    "kills its original": "import os\n" + KEEP.format("os.kill(os.getppid(), 9) if x != 1 else None"),
    "stops its original": "import os\n" + KEEP.format("os.kill(os.getppid(), 19) if x != 1 else None"),
    "stops itself": "import os\n" + KEEP.format("os.kill(os.getpid(), 19) if x != 1 else None"),
    "cannot end": "import os\nos._exit = lambda code: None\n" + KEEP.format("pass"),
    "is never buried": "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + KEEP.format("pass"),
    "may have no process": "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n" + KEEP.format("pass"),
    "has no process left": "import os, time\ntry:\n    while os.fork(): pass\n    time.sleep(9)\nexcept OSError: pass\n"
    + KEEP.format("pass"),
    "has no memory left": "hog = []\ntry:\n    while True: hog.append(bytearray(10**7))\nexcept MemoryError: pass\n"
    + KEEP.format("pass"),
    "leaves a daemon that answers": "import os, time\n"
    "pipes = [n for n in range(3, 30) if os.path.exists(f'/proc/self/fd/{n}')]\n"
    "def answer():\n    if os.fork() == 0:\n        os.setsid()\n        for _ in range(100):\n"
    "            for n in pipes:\n                try: os.write(n, b'{\"ok\": true}' + bytes([10]))\n"
    "                except OSError: pass\n            time.sleep(.01)\n        os._exit(0)\n"
    + KEEP.format("answer() if x != 1 else None"),
}  # fmt: skip
HARMED = ("kills its original", "leaves a daemon that answers")
"""Whose own answers may come too late or be spoilt."""


@pytest.mark.parametrize("sandbox", ["warm"], indirect=True)
def test_who_meddles_with_copies_earns_nothing_by_it_and_blames_nobody(sandbox: Sandbox, lab: Lab) -> None:
    def meddle(first: str) -> Verdict:
        # The second task is wrong whatever its copies do.
        notebook = lab.submission(first=first, second="def tell(): return 5")
        return grade(lab.job(notebook, replace(FAST, wall_seconds=6, memory_mb=600)), sandbox)

    with ThreadPoolExecutor(2) as pool:
        for name, verdict in zip(MEDDLES, pool.map(meddle, MEDDLES.values()), strict=True):
            found = scores(verdict)
            assert (found["visible"], found["both"]) == (0, 0), (name, found)
            assert verdict.failure is None or verdict.failure.kind == "learner", (name, verdict.failure)
            harmed = name in HARMED or "longer than" in verdict.cells[0].reason_en
            assert found["hidden"] == 2 or harmed, (name, verdict.cells[0])
            assert not [secret for secret in SECRETS if secret in shown(verdict)], name


def test_a_failure_before_the_hidden_lines_is_told_and_one_in_them_is_not(sandbox: Sandbox, lab: Lab) -> None:
    wrong = grade(lab.job(lab.submission(first="def echo(x): return 1", second="def tell(): return 5")), sandbox)
    hidden, visible, both = (cell.reason_en for cell in wrong.cells)
    assert "hidden check" in hidden
    assert "assert tell() == 3" in visible
    assert "got 5" in both
