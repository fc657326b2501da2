"""A program: real workers that are killed with SIGKILL at a step that standard input names, one line a worker.

``python doomed_worker.py DATABASE_URL BLOBS COURSES_DIR ARCHIVE VERSION``; answers each line with how the worker ended
(``-9``). Every worker is a fork of this process, which has imported everything and opened nothing. At the steps of the
intake it is the intake that dies, with ``ARCHIVE`` in its hands.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grader.jobs
from grader.grade import grade
from grader.gradebook import Gradebooks
from grader.sandbox.box import open_sandbox
from grader.store import Store
from grader.submission import LabRules, Window
from grader.verdict import Limits
from hub.db import open_engine

STEPS = {
    "intake: bytes not yet durable": ("grader.blobs:_fsync_folder", "before"),
    "intake: bytes kept, no row": ("grader.store.intake:add", "before"),
    "intake: row not committed": ("grader.store.intake:add", "after"),
    "intake: recorded, not answered": ("grader.store:Store.add", "after"),
    "claimed, not committed": ("grader.store.claims:find", "before"),
    "claimed": ("grader.store:Store.claim", "after"),
    "box started": ("grader.check.session:Session.run", "before"),
    "a cell has run": ("grader.check.session:Session._run_cell", "after"),
    "hidden lines": ("grader.check.hidden:_run_later", "before"),
    "graded": ("grader.store:Store.record", "before"),
    "bytes kept, no row": ("grader.store.results:record", "before"),
    "recorded, not committed": ("grader.store.results:finish_regrades", "after"),
    "recorded": ("grader.store:Store.record", "after"),
    "gradebook's rows not committed": ("grader.gradebook:_write_scores", "after"),
    "gradebook without files": ("grader.gradebook:Gradebooks._write_files", "before"),
    "half of the gradebook's files": ("grader.gradebook:_replace_folder", "after"),
    "posted, not noted": ("grader.store:Store.posted", "before"),
    "noted, not committed": ("grader.store.marks:posted", "after"),
    "noted": ("grader.store:Store.posted", "after"),
    "feedback released, not committed": ("grader.store.marks:release_feedback", "after"),
    "feedback released": ("grader.store:Store.release_feedback", "after"),
}


def doom(step: str) -> None:
    """Make this process kill itself before or after the function of ``step``."""
    place, when = STEPS[step]
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, deadly(getattr(owner, name), when))


def deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return call


def work(step: str, database_url: str, blobs: Path, courses_dir: Path, archive: bytes, version: str) -> None:
    """Be an intake, a teacher or a worker that never gets past ``step``."""
    doom(step)
    store = Store(open_engine(database_url), blobs)
    rules = LabRules(3, "best", 0, 0, 0, Limits())
    if step.startswith("intake"):
        store.add("film", "squares", "ada", archive, window=Window(0, 1 << 60, 1 << 60), rules=rules, version=version)
    if step.startswith("feedback"):
        store.release_feedback("film", "squares", None, released_by="teacher")
    sandbox = open_sandbox(warm=False)
    grader.jobs.run_worker(
        store,
        grade=lambda job: grade(job, sandbox),
        gradebooks=Gradebooks(courses_dir),
        rules_of=lambda _course, _lab: rules,
        stop=threading.Event(),
        name="doomed",
        lease_seconds=1,
    )


def main() -> None:
    database_url, blobs, courses_dir, archive, version = sys.argv[1:]
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                work(line.strip(), database_url, Path(blobs), Path(courses_dir), Path(archive).read_bytes(), version)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
