"""How fast submissions are graded: in number beside stock ``nbgrader autograde``, in seconds beside the cells alone.

Two labs of five seconds: one that computes for five seconds once everything is imported, where ten at once on two cores
cannot be done before 25 seconds; and one that takes five seconds from a fresh Python, as a learner sees it run, most of
them for loading torch and diffusers.

``REELWRIGHT_BENCH_SUBMISSIONS`` says how many submissions we grade (30), ``REELWRIGHT_BENCH_PEER`` how many of the same
stock nbgrader grades (8; its rate is per submission), ``REELWRIGHT_BENCH_SUBMITTERS`` how many hand in at once (10).
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from grader.sandbox.box import SandboxUnavailable, open_sandbox
from tests.bench import CannotRunError
from tests.bench._instance import Instance, cores, percentile, submit_and_wait
from tests.bench._lab import (
    COURSE,
    FRAMES,
    IMPORTS,
    SECONDS,
    START,
    WORK,
    code_cells,
    frames_lab,
    handed_in,
    seconds_lab,
)
from tests.bench._plain import run_plainly
from tests.bench._stock import autograde

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.bench import Row

COMMAND = "make bench ONLY=grading"
WANTED_SECONDS = 5.0
LEAST_WORK = 0.5
TRIAL_ROUNDS = 2000
WARM_UP = 1000
LIMITS = 4
"""How many notebooks say what running them alone costs."""
WARM_RUNS, WARM_TIMES = 4, 5
BAR_SECONDS = 10.0


def run() -> Iterator[Row]:
    """Measure both, one after the other."""
    try:
        open_sandbox()
    except SandboxUnavailable as error:
        raise CannotRunError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="reelwright-bench-") as there:
        yield from throughput(Path(there))
    with tempfile.TemporaryDirectory(prefix="reelwright-bench-") as there:
        source = seconds_lab(rounds_for(WANTED_SECONDS))
        yield from latency(Path(there), SECONDS, source, "5 s of computing", fresh("import torch"))
    with tempfile.TemporaryDirectory(prefix="reelwright-bench-") as there:
        loading = fresh(IMPORTS)
        rest = max(LEAST_WORK, WANTED_SECONDS - loading)
        kind = f"{loading + rest:.1f} s from a fresh Python, {loading:.1f} of them imports"
        yield from latency(Path(there), START, seconds_lab(rounds_for(rest), IMPORTS), kind, loading)


def throughput(folder: Path) -> Iterator[Row]:
    """Submissions a minute and CPU seconds each, from the queue to the gradebook, with a worker for each core."""
    ours, peers = _asked("SUBMISSIONS", 30), _asked("PEER", 8)
    instance = Instance(folder, {FRAMES: frames_lab()})
    version = instance.version(FRAMES)
    notebooks = {f"learner{n:02d}": handed_in(version.source, version.release, n) for n in range(ours)}
    # Before ours, which writes to the same course folder.
    some = dict(list(notebooks.items())[:peers])
    stock = autograde(instance.platform.gradebooks / COURSE, folder / "stock", FRAMES, some)
    seconds, cpu = graded(instance, notebooks)
    scores = instance.scores(FRAMES)
    if any(scores[learner] != points for learner, points in stock.points.items()):
        raise RuntimeError(f"expected the peer's points {stock.points}, got {scores}")
    rate, peer = 60 * ours / seconds, 60 * len(some) / stock.seconds
    lab = f"({ours} of a lab of 10 cells, numpy and torch, {cores()} workers)"
    peer_name = "stock nbgrader autograde, one process, its start not counted"
    command = f"{COMMAND} (peer on {len(some)} of the same submissions, scaled)"
    yield {
        "name": f"submissions graded {lab}",
        "ours": round(rate, 2),
        "peer": round(peer, 2),
        "ratio": round(rate / peer, 3),
        "unit": "submissions/min",
        "peer_name": peer_name,
        "command": command,
    }
    if math.isnan(cpu):
        return
    few = list(some.values())[:LIMITS]
    plain = run_plainly(folder / "plain", few)
    each = (
        "the same notebooks run by nbclient in a fresh kernel each, and nothing else: what stock pays before it grades"
    )
    for beside, theirs in ((peer_name, stock.cpu / len(some)), (each, plain / len(few))):
        yield {
            "name": f"CPU a submission {lab}",
            "ours": round(cpu / ours, 3),
            "peer": round(theirs, 3),
            "ratio": round(theirs * ours / cpu, 3),
            "unit": "CPU s",
            "peer_name": beside,
            "command": command,
        }


def graded(instance: Instance, notebooks: Mapping[str, bytes]) -> tuple[float, float]:
    """Seconds, and CPU seconds of the workers and their boxes, until ``notebooks`` are in the gradebook."""
    version = instance.version(FRAMES)
    with instance.workers(cores()) as cpu:
        instance.queue(FRAMES, {f"warm{n}": handed_in(version.source, version.release, WARM_UP + n) for n in range(4)})
        instance.until_posted()
        # Both workers have met the lab; each needs some seconds to load what it imports.
        time.sleep(WARM_TIMES * fresh("import torch"))
        used, begun = cpu.seconds(), time.monotonic()
        instance.queue(FRAMES, notebooks)
        instance.until_posted()
        return time.monotonic() - begun, cpu.seconds() - used


def latency(folder: Path, lab: str, source: bytes, kind: str, loading: float) -> Iterator[Row]:
    """Seconds from handing in over HTTP to the score, with all submitters at the same moment.

    ``loading`` is how long a fresh Python takes for what ``lab`` imports.
    """
    learners = [f"learner{n:02d}" for n in range(_asked("SUBMITTERS", 10))]
    instance = Instance(folder, {lab: source})
    version = instance.version(lab)
    notebooks = [handed_in(version.source, version.release, n) for n in range(WARM_UP, WARM_UP + len(learners) + 2)]
    with instance.workers(cores()), instance.intake() as address:
        warm_up(address, lab, notebooks[-1], WARM_TIMES * loading)
        # In turn, so that whatever else the machine does falls on both.
        pairs = [(run_alone(notebooks[0]), submit_and_wait(address, lab, f"idle{n}", notebooks[-2])) for n in range(3)]
        alone, idle = (statistics.median(column) for column in zip(*pairs, strict=True))
        with ThreadPoolExecutor(len(learners)) as pool:
            crowd = zip(learners, notebooks, strict=False)
            waits = [pool.submit(submit_and_wait, address, lab, *one) for one in crowd]
            seconds = [wait.result() for wait in waits]
    limit = "the limit: the cells alone in a Python that has imported everything"
    yield _beside(f"submit to score, one submitter, {kind} ({times(idle, alone)})", idle, alone, limit)
    for percent in (50, 95):
        # The best any order can do: the cells alone, as many at a time as there are cores.
        best = alone * math.ceil(percentile(range(1, len(seconds) + 1), percent) / cores())
        ours = percentile(seconds, percent)
        name = f"submit to score, p{percent}, {len(seconds)} submitters at once, {cores()} workers, {kind}"
        yield _beside(f"{name} ({times(ours, best)})", ours, best, f"{limit}, in turn on {cores()} cores")
    if lab == START:
        yield _beside(f"p95 beside the bar, {kind}", percentile(seconds, 95), BAR_SECONDS, "the bar")


def times(ours: float, limit: float) -> str:
    """How many times the limit, for a name."""
    return f"{ours / limit:.2f} times the limit"


def warm_up(address: str, lab: str, notebook: bytes, seconds: float) -> None:
    """Hand in enough for every worker to meet the lab, and wait ``seconds`` for all to load what it imports."""
    with ThreadPoolExecutor(WARM_RUNS) as pool:
        for turn in range(2):
            list(pool.map(lambda n: submit_and_wait(address, lab, f"warm{n}", notebook), range(WARM_RUNS)))
            time.sleep(seconds if turn == 0 else 0)


def _beside(name: str, ours: float, peer: float, peer_name: str) -> Row:
    return {
        "name": name,
        "ours": round(ours, 2),
        "peer": round(peer, 2),
        "ratio": round(peer / ours, 3),
        "unit": "s",
        "peer_name": peer_name,
        "command": COMMAND,
    }


def rounds_for(seconds: float) -> int:
    """How many rounds of the long lab's work take so long on this machine, one thread."""
    trial = (
        f"{WORK % TRIAL_ROUNDS}\nimport time\nbegun = time.monotonic()\nlong_work()\nprint(time.monotonic() - begun)"
    )
    taken = statistics.median(float(_python(trial)) for _ in range(3))
    return max(1, int(TRIAL_ROUNDS * seconds / taken))


def fresh(source: str) -> float:
    """Seconds that ``source`` takes from the start of a fresh Python, the median of three."""
    taken = []
    for _ in range(3):
        begun = time.monotonic()
        _python(source)
        taken.append(time.monotonic() - begun)
    return statistics.median(taken)


def run_alone(notebook: bytes) -> float:
    """Seconds that the notebook's code cells take in a Python of their own, which has imported everything already."""
    cells = "\n".join(code_cells(notebook))
    loaded = IMPORTS if IMPORTS.strip() in cells else ""
    return float(_python(f"{loaded}\nimport time\nbegun = time.monotonic()\n{cells}\nprint(time.monotonic() - begun)"))


def _python(source: str) -> str:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    env = {**os.environ, **threads}
    return subprocess.run([sys.executable, "-c", source], env=env, capture_output=True, text=True, check=True).stdout


def _asked(what: str, usual: int) -> int:
    return max(1, int(os.environ.get(f"REELWRIGHT_BENCH_{what}", str(usual))))
