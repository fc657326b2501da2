"""A deadline storm: a class hands in within one minute, some of it hostile; everybody gets exactly one honest score.

The figure is how many minutes the last one waits, beside stock ``nbgrader autograde`` on a sample of the same honest
notebooks (stock grades after the deadline, one after another, and would believe the hostile ones).
``REELWRIGHT_BENCH_STORM`` says how many hand in (200), ``REELWRIGHT_BENCH_PEER`` how many of them stock grades (4).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from grader.sandbox.box import SandboxUnavailable, open_sandbox
from grader.submission import Receipt, receipt_of
from grader.unpack import pack
from tests.bench import CannotRunError
from tests.bench._instance import Instance, cores
from tests.bench._lab import COURSE, FRAMES, frames_lab, handed_in
from tests.bench._stock import autograde

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench import Row

COMMAND = "make bench ONLY=storm"
MINUTE = 60.0
LIMIT_SECONDS = 20
UPLOADS_AT_ONCE = 16
ONE_HOSTILE_IN = 10
HOSTILE = (
    "while True: pass",
    "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "x = []\nwhile True: x.append(bytearray(10**7))",
    "import os\nos._exit(0)",
    (
        "class Yes:\n    def __getattr__(self, n): return self\n    def __call__(self, *a, **k): return self\n"
        "    __eq__ = __lt__ = __gt__ = lambda s, o: True\n    __sub__ = __getitem__ = __abs__ = lambda s, *o: s\n"
        "luminance = cuts = blur = noise_schedule = Yes()"
    ),
    "print('x' * 10**8)\nimport os\nos.kill(-1, 9)",
)
"""Written in the place of the last task, once everything before it is honest."""
LAST_TASK = "noise_schedule"


def run() -> Iterator[Row]:
    """Let the storm come once."""
    try:
        open_sandbox(warm=False)
    except SandboxUnavailable as error:
        raise CannotRunError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="reelwright-bench-") as there:
        yield storm(Path(there), _asked("STORM", 200), _asked("PEER", 4))


def storm(folder: Path, learners: int, peers: int) -> Row:
    """Hand in for each of ``learners`` within a minute, wait for all, and hold every receipt and score to the truth."""
    instance = Instance(folder, {FRAMES: frames_lab()})
    limit_time(folder / "courses" / COURSE / "course.toml")
    version = instance.version(FRAMES)
    notebooks = {f"learner{n:03d}": handed_in(version.source, version.release, n) for n in range(learners)}
    hostile = list(notebooks)[ONE_HOSTILE_IN - 1 :: ONE_HOSTILE_IN]
    sample = dict([pair for pair in notebooks.items() if pair[0] not in hostile][:peers])
    stock = autograde(instance.platform.gradebooks / COURSE, folder / "stock", FRAMES, sample)
    for number, learner in enumerate(hostile):
        notebooks[learner] = with_attack(notebooks[learner], HOSTILE[number % len(HOSTILE)])
    with instance.workers(cores()), instance.intake() as address:
        begun = time.monotonic()
        receipts = hand_in_within_a_minute(f"{address}/{FRAMES}/submissions", notebooks)
        handed_in_by = time.monotonic() - begun
        instance.until_posted()
        seconds = time.monotonic() - begun
    check_everything(instance, notebooks, receipts, stock.points, set(hostile))
    theirs = stock.seconds / len(sample) * learners
    return {
        "name": f"deadline storm: the last of {learners} submissions in one minute has its score "
        f"({len(hostile)} hostile, the last one handed in after {handed_in_by:.0f} s, {cores()} workers)",
        "ours": round(seconds / MINUTE, 2),
        "peer": round(theirs / MINUTE, 2),
        "ratio": round(theirs / seconds, 3),
        "unit": "min",
        "peer_name": "stock nbgrader autograde on honest ones of the same, one process, its start not counted",
        "command": f"{COMMAND} (peer on {len(sample)}, scaled)",
    }


def limit_time(course: Path) -> None:
    """Give the lab a limit that fits it: a hostile notebook holds a worker for as long as the lab's limit lets it."""
    text = re.sub(r"time_limit_seconds = \d+", f"time_limit_seconds = {LIMIT_SECONDS}", course.read_text("utf-8"))
    course.write_text(text, encoding="utf-8")


def with_attack(notebook: bytes, attack: str) -> bytes:
    """``notebook`` with ``attack`` in the place of its answer to the last task."""
    parsed = json.loads(notebook)
    for cell in parsed["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == LAST_TASK:
            cell["source"] = attack
    return json.dumps(parsed).encode()


def hand_in_within_a_minute(url: str, notebooks: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Everybody's upload, spread evenly over a minute; the answers by learner."""
    begun, gap = time.monotonic(), MINUTE / len(notebooks)

    def hand_in(turn: tuple[int, tuple[str, bytes]]) -> tuple[str, dict[str, Any]]:
        number, (learner, notebook) = turn
        time.sleep(max(0.0, begun + number * gap - time.monotonic()))
        headers = {"Authorization": f"token {learner}"}
        answer = client.post(url, content=pack({f"{FRAMES}.ipynb": notebook}), headers=headers)
        return learner, answer.raise_for_status().json()

    with httpx.Client(timeout=120) as client, ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        return dict(pool.map(hand_in, enumerate(notebooks.items())))


def check_everything(
    instance: Instance,
    notebooks: dict[str, bytes],
    answers: dict[str, dict[str, Any]],
    stock_points: dict[str, float],
    hostile: set[str],
) -> None:
    """Nothing lost, nothing twice, no forged point, every receipt true of the stored bytes.

    Raises:
        RuntimeError: something of that does not hold.
    """
    store, wrong = instance.platform.submissions, []
    full = max(stock_points.values())
    for learner, notebook in notebooks.items():
        attempts = store.attempts(COURSE, FRAMES, learner)
        receipt = Receipt(**answers[learner]["receipt"])
        stored = store.blobs.get(receipt.sha256)
        honest = [
            len(attempts) == 1,
            receipt == receipt_of(attempts[0].submission),
            answers[learner]["signature"] == attempts[0].submission.signature != "",
            attempts[0].result is not None,
            stored == pack({f"{FRAMES}.ipynb": notebook}),
        ]
        score = attempts[0].result.auto_score if attempts[0].result else -1.0
        honest.append(score < full if learner in hostile else score == stock_points.get(learner, score))
        if not all(honest):
            wrong.append((learner, honest, score))
    if wrong or len(answers) != len(notebooks):
        raise RuntimeError(f"{len(wrong)} of {len(notebooks)} submissions went wrong: {wrong[:5]}")
    tally = Counter(store.attempts(COURSE, FRAMES, learner)[0].submission.state for learner in notebooks)
    if set(tally) != {"graded"}:
        raise RuntimeError(f"expected everything graded, got {tally}")


def _asked(what: str, usual: int) -> int:
    return max(1, int(os.environ.get(f"REELWRIGHT_BENCH_{what}", str(usual))))
