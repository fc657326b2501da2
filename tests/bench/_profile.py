"""``python -m tests.bench._profile``: where one submission's CPU goes, in milliseconds, each part done by itself."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from grader.check.preload import modules_to_preload
from grader.grade import grade
from grader.gradebook import Gradebooks
from grader.jobs import Worker
from grader.sandbox.box import BoxPlan, open_sandbox
from grader.sandbox.warm import WarmSandbox
from grader.verdict import Limits
from hub.serve import rules_of
from tests.bench._cpu import counted
from tests.bench._instance import Instance
from tests.bench._lab import COURSE, FRAMES, frames_lab, handed_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.sandbox.box import Box

TIMES, COPIES, WARM_SECONDS = 12, 3, 600.0


def main() -> None:
    """Print one line a part."""
    with tempfile.TemporaryDirectory(prefix="reelwright-bench-") as there, counted() as count:
        count.take_in(os.getpid())
        instance = Instance(Path(there), {FRAMES: frames_lab()})
        sandbox = open_sandbox()
        if not isinstance(sandbox, WarmSandbox):
            raise TypeError(f"got {type(sandbox).__name__}, expected a sandbox with warm parents")
        plans = {role: BoxPlan(role, Limits(), preload=preload(instance)) for role in ("runner", "checker")}
        if not all(sandbox.warm_up(plan, WARM_SECONDS) for plan in plans.values()):
            raise RuntimeError("no warm parents here")
        parts: dict[str, Callable[[], object]] = {
            "learner's box, forked and ended": lambda: use(sandbox, plans["runner"], 0),
            f"the same with {COPIES} copies woken and left": lambda: use(sandbox, plans["runner"], COPIES),
            "checker's box, forked and ended": lambda: use(sandbox, plans["checker"], 0),
            "whole submission, queue to gradebook": worker_of(instance, sandbox).work_once,
        }
        for name, part in parts.items():
            part()
            used = count.seconds()
            for _ in range(TIMES):
                part()
            sys.stdout.write(f"{1000 * (count.seconds() - used) / TIMES:7.1f} ms  {name}\n")
        sandbox.close()


def preload(instance: Instance) -> tuple[str, ...]:
    """What the bench's lab imports."""
    return modules_to_preload(instance.version(FRAMES))


def worker_of(instance: Instance, sandbox: WarmSandbox) -> Worker:
    """A worker in this process, with enough in its queue."""
    platform, version = instance.platform, instance.version(FRAMES)
    notebooks = {f"learner{n}": handed_in(version.source, version.release, n) for n in range(TIMES + 1)}
    instance.queue(FRAMES, notebooks)
    rules = {COURSE: rules_of(platform, COURSE, FRAMES)}
    books = Gradebooks(platform.gradebooks)
    return Worker(platform.submissions, lambda job: grade(job, sandbox), books, lambda of, _: rules[of], "profile")


def use(sandbox: WarmSandbox, plan: BoxPlan, copies: int) -> None:
    """Start a box, make and wake ``copies`` copies of its process one after another, end it."""
    with sandbox.start(plan) as box:
        box.make_ready()
        for number in [ask(box, op="copy")["ok"] for _ in range(copies)]:
            ask(box, op="wake", number=number)
            ask(box, op="leave")


def ask(box: Box, **request: object) -> dict[str, int]:
    """What the box answers."""
    deadline = time.monotonic() + WARM_SECONDS
    box.send(json.dumps(request).encode(), deadline)
    answer: dict[str, int] = json.loads(box.receive(deadline))
    return answer


if __name__ == "__main__":
    main()
