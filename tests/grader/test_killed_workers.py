"""kill -9 at every step of a worker's way: each submission still gets exactly one result, and no attempt is lost."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from sqlalchemy import func, select

from grader.grade import grade
from grader.gradebook import Gradebooks
from grader.jobs import Worker
from grader.sandbox.box import Sandbox, open_sandbox
from grader.store import Store
from grader.submission import LabRules, Window
from grader.tables import verdict
from grader.verdict import LabVersion
from hub.db import open_engine

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("doomed_worker.py")
INTAKE = {
    "intake: bytes not yet durable": False,
    "intake: bytes kept, no row": False,
    "intake: row not committed": False,
    "intake: recorded, not answered": True,
}
BEFORE_RECORD = (
    "claimed, not committed",
    "claimed",
    "box started",
    "a cell has run",
    "hidden lines",
    "graded",
    "bytes kept, no row",
    "recorded, not committed",
)
AFTER_RECORD = (
    "recorded",
    "gradebook's rows not committed",
    "gradebook without files",
    "half of the gradebook's files",
    "posted, not noted",
    "noted, not committed",
    "noted",
)
STEPS = (*BEFORE_RECORD, *AFTER_RECORD)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox(warm=False)


@pytest.fixture
def archive(tmp_path: Path, fill_in: Callable[..., bytes]) -> Path:
    (tmp_path / "archive.zip").write_bytes(fill_in(essay="Ada's essay"))
    return tmp_path / "archive.zip"


@pytest.fixture
def kill_at(
    tmp_path: Path, database_url: str, courses_dir: Path, store: Store, archive: Path, lab_version: LabVersion
) -> Iterator[Callable[[str], None]]:
    """Run a worker that kills itself at a step."""
    words = (PROGRAM, database_url, tmp_path / "blobs", courses_dir, archive, lab_version.version)
    command = [sys.executable, *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def kill(step: str) -> None:
            program.stdin.write(f"{step}\n")
            assert program.stdout.readline() == "-9\n", step

        yield kill
        program.stdin.close()


def verdicts(database_url: str, submission_id: str) -> int:
    mine = select(func.count()).select_from(verdict).where(verdict.c.submission_id == submission_id)
    with open_engine(database_url).connect() as connection:
        return int(connection.execute(mine).scalar_one())


def boxes() -> list[str]:
    """Processes on this host that run what a box runs on behalf of nobody: their worker is dead."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            if lines["PPid"] == "1" and "sandbox/boot.py" in (status.parent / "cmdline").read_text():
                found.append(status.parent.name)
        except (OSError, KeyError):
            continue
    return found


def test_each_submission_gets_exactly_one_result_wherever_its_worker_is_killed(
    store: Store,
    database_url: str,
    courses_dir: Path,
    rules: LabRules,
    window: Window,
    lab_version: LabVersion,
    fill_in: Callable[..., bytes],
    kill_at: Callable[[str], None],
    sandbox: Sandbox,
) -> None:
    survivor = Worker(
        store, lambda job: grade(job, sandbox), Gradebooks(courses_dir), lambda _course, _lab: rules, "survivor"
    )
    for number, step in enumerate(STEPS):
        learner = f"learner{number}"
        version = lab_version.version
        archive = fill_in(essay=f"essay {number}")
        handed = store.add("film", "squares", learner, archive, window=window, rules=rules, version=version)
        kill_at(step)
        assert verdicts(database_url, handed.id) == (step in AFTER_RECORD), step
        while store.queue_depth():
            survivor.work_once() or time.sleep(0.05)
        survivor.look_after_gradebooks()

        (attempt,) = store.attempts("film", "squares", learner)
        assert verdicts(database_url, handed.id) == 1, step
        assert (attempt.submission.state, attempt.submission.attempt) == ("needs_review", 1), step
        assert attempt.result is not None
        assert attempt.result.auto_score == 2, step
        assert store.unposted() == (), step
        assert store.shown("film", "squares", learner) == handed.id, step
        shown = courses_dir / "film" / "autograded" / learner / "squares" / "squares.ipynb"
        assert f"essay {number}" in shown.read_text(), step
        with Gradebook(f"sqlite:///{courses_dir / 'film' / 'gradebook.db'}", "film") as gradebook:
            assert gradebook.find_grade("test-square", "squares", "squares", learner).auto_score == 2, step

    kill_at("feedback released, not committed")
    assert not store.attempts("film", "squares", "learner0")[0].hand_released
    kill_at("feedback released")
    assert all(store.attempts("film", "squares", f"learner{number}")[0].hand_released for number in range(len(STEPS)))
    deadline = time.monotonic() + 60
    while boxes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert boxes() == []


def test_what_is_handed_in_is_one_attempt_wherever_the_intake_is_killed(
    store: Store,
    rules: LabRules,
    window: Window,
    lab_version: LabVersion,
    archive: Path,
    kill_at: Callable[[str], None],
) -> None:
    content = archive.read_bytes()
    for step, is_taken in INTAKE.items():
        kill_at(step)
        assert len(store.attempts("film", "squares", "ada")) == is_taken, step
    handed = store.add("film", "squares", "ada", content, window=window, rules=rules, version=lab_version.version)
    (attempt,) = store.attempts("film", "squares", "ada")
    assert attempt.submission == handed
    assert (handed.attempt, handed.state, store.attempts_used("film", "squares", "ada")) == (1, "queued", 1)
    assert store.blobs.get(handed.sha256) == content
