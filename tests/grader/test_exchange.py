import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from grader.gradebook import Gradebooks
from grader.jobs import Worker
from grader.store import Store
from grader.submission import LabRules, Window
from grader.verdict import GradingJob, LabVersion, Verdict

TOKEN = "instructor"
PROGRAM = Path(__file__).with_name("serve_formgrader.py")
pytestmark = pytest.mark.slow
Judge = Callable[[GradingJob], Verdict]


@dataclass
class Formgrader:
    """A running formgrader of the course, an instructor's requests to it, and the worker beside it."""

    address: str
    folder: Path
    store: Store
    worker: Worker
    add: Callable[[bytes], str]

    def get(self, path: str, token: str = TOKEN) -> httpx.Response:
        return self.call("GET", path, token)

    def call(self, method: str, path: str, token: str = TOKEN, **kwargs: object) -> httpx.Response:
        headers = {"Authorization": f"token {token}"}
        return httpx.request(method, self.address + path, headers=headers, timeout=60, **kwargs)  # type: ignore[arg-type]

    def press(self, path: str) -> str:
        """Press a button; what its log says."""
        answer = self.call("POST", f"/formgrader/api/{path}").json()
        assert answer["success"], answer
        return str(answer.get("log", ""))


@pytest.fixture
def formgrader(
    tmp_path: Path,
    database_url: str,
    store: Store,
    courses_dir: Path,
    rules: LabRules,
    window: Window,
    lab_version: LabVersion,
    judge: Judge,
) -> Iterator[Formgrader]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    work_dir = courses_dir / "film"
    words = (database_url, tmp_path / "blobs", work_dir, port, TOKEN)
    process = subprocess.Popen([sys.executable, PROGRAM, *map(str, words)])
    worker = Worker(store, judge, Gradebooks(courses_dir), lambda _course, _lab: rules, "w1")

    def add(archive: bytes) -> str:
        version = lab_version.version
        return store.add("film", "squares", "ada", archive, window=window, rules=rules, version=version).id

    running = Formgrader(f"http://127.0.0.1:{port}", work_dir, store, worker, add)
    while process.poll() is None:
        try:
            running.get("/formgrader/api/status")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield running
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_instructor_grades_by_hand_and_releases(formgrader: Formgrader, fill_in: Callable[..., bytes]) -> None:
    hostile = "A **bold** essay <script>alert('xss')</script><img src=x onerror=alert(1)>[x](javascript:alert(2))"
    formgrader.add(fill_in(essay=hostile))
    formgrader.worker.work_once()
    (listed,) = formgrader.get("/formgrader/api/submissions/squares").json()
    assert (listed["student"], listed["autograded"], listed["needs_manual_grade"]) == ("ada", True, True)
    (notebook,) = formgrader.get("/formgrader/api/submitted_notebooks/squares/squares").json()

    page = formgrader.get(f"/formgrader/submissions/{notebook['id']}/")
    assert 'id="essay"' in page.text  # the box for the score
    assert "alert('xss')" not in page.text
    assert "<script>alert" not in page.text
    assert "onerror" not in page.text
    assert "javascript:alert" not in page.text
    assert "<strong>bold</strong>" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]

    grades = formgrader.get(f"/formgrader/api/grades?submission_id={notebook['id']}").json()
    (essay,) = [grade for grade in grades if grade["name"] == "essay"]
    saved = formgrader.call("PUT", f"/formgrader/api/grade/{essay['id']}", json={"manual_score": 4})
    assert saved.json()["needs_manual_grade"] is False
    comments = formgrader.get(f"/formgrader/api/comments?submission_id={notebook['id']}").json()
    (comment,) = [comment for comment in comments if comment["name"] == "essay"]
    formgrader.call("PUT", f"/formgrader/api/comment/{comment['id']}", json={"manual_comment": "Well argued."})
    assert "released to 1 learner" in formgrader.press("assignment/squares/ada/release_feedback")

    (attempt,) = formgrader.store.attempts("film", "squares", "ada")
    assert attempt.hand_released
    assert attempt.submission.state == "graded"
    assert attempt.result is not None
    assert (attempt.result.hand_score, attempt.result.items[1].reason_en) == (4.0, "Well argued.")
    assert "1 attempts are shown anew" in formgrader.press("assignment/squares/collect")
    assert formgrader.store.unposted() == (("film", "squares", "ada"),)


def test_autograde_button_asks_for_a_regrade_and_runs_nothing(
    formgrader: Formgrader, fill_in: Callable[..., bytes], tmp_path: Path
) -> None:
    proof = tmp_path / "ran-in-formgrader"
    formgrader.add(fill_in(code=f"open({str(proof)!r}, 'w')\ndef square(x): return x * x"))
    formgrader.worker.work_once()
    assert "Queued" in formgrader.press("submission/squares/ada/autograde")
    assert not proof.exists()
    (attempt,) = formgrader.store.attempts("film", "squares", "ada")
    assert attempt.submission.state == "queued"
    assert "queue already" in formgrader.press("submission/squares/ada/autograde")
    assert formgrader.worker.work_once()
    assert formgrader.store.attempts("film", "squares", "ada")[0].submission.state == "needs_review"
    (listed,) = formgrader.get("/formgrader/api/submissions/squares").json()
    assert (listed["autograded"], listed["code_score"]) == (True, 2.0)
    assert not proof.exists()


def test_release_and_withdraw_act_on_what_learners_fetch_and_a_leak_is_refused(formgrader: Formgrader) -> None:
    (lab,) = formgrader.get("/formgrader/api/assignments").json()
    assert lab["status"] == "released"
    formgrader.press("assignment/squares/unrelease")
    assert formgrader.store.current_lab_version("film", "squares") is None
    assert formgrader.get("/formgrader/api/assignments").json()[0]["status"] == "draft"
    formgrader.press("assignment/squares/assign")
    log = formgrader.press("assignment/squares/release")
    current = formgrader.store.current_lab_version("film", "squares")
    assert current is not None
    assert current in log

    (formgrader.folder / "source" / "squares" / "cheat.txt").write_text("### BEGIN HIDDEN TESTS")
    answer = formgrader.call("POST", "/formgrader/api/assignment/squares/release").json()
    assert not answer["success"]
    assert "cheat.txt" in answer["log"]
    assert formgrader.store.current_lab_version("film", "squares") == current
    (formgrader.folder / "source" / "squares" / "cheat.txt").unlink()

    source = formgrader.folder / "source" / "squares" / "squares.ipynb"
    source.write_text(source.read_text().replace("square(3) == 9", "square(3) == 10"))
    answer = formgrader.call("POST", "/formgrader/api/assignment/squares/release").json()
    assert not answer["success"]
    assert "reference does not get full marks: test-square 0/2" in answer["log"]
    assert "参考答案没有得满分" in answer["log"]
    assert answer["log"].count("assert square(3) == 10") == 2
    assert "[DEBUG]" not in answer["log"]
    assert max(map(len, answer["log"].splitlines())) <= 80
    assert answer["error"] == ""
    assert formgrader.store.current_lab_version("film", "squares") == current


def test_nothing_but_the_pages_is_served(formgrader: Formgrader, tmp_path: Path) -> None:
    for path in ("/api/kernels", "/api/contents", "/api/terminals", "/api/sessions", "/files/gradebook.db", "/tree"):
        assert formgrader.get(path).status_code == 404, path
    assert formgrader.call("POST", "/api/kernels", json={}).status_code in (404, 405)
    assert formgrader.get("/formgrader/api/assignments", token="wrong").status_code in (302, 403)

    # nbgrader's own first page would run the configuration file of the folder that an address names.
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("nbgrader_config.py", "jupyter_config.py"):
        (trap / name).write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    answer = formgrader.get(f"/formgrader?path={trap}")
    assert answer.headers["Location"].endswith("/formgrader/manage_assignments")
    assert formgrader.get("/formgrader/manage_assignments").status_code == 200
    assert [lab["name"] for lab in formgrader.get("/formgrader/api/assignments").json()] == ["squares"]
    assert not (tmp_path / "sprung").exists()
