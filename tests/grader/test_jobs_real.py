import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from grader.feedback import render_feedback
from grader.grade import grade
from grader.gradebook import Gradebooks
from grader.jobs import Worker
from grader.sandbox.box import open_sandbox
from grader.store import Store
from grader.submission import LabRules, Window
from grader.verdict import LabVersion

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("code", "score"),
    [
        ("def square(x):\n    return x * x", 2.0),
        ("def square(x):\n    return 9", 0.0),
        ("class Yes:\n    __eq__ = lambda s, o: True\ndef square(x):\n    return Yes()", 0.0),
    ],
)
def test_handed_in_lab_is_graded_in_a_box_and_reaches_everyone_it_should(
    store: Store,
    courses_dir: Path,
    rules: LabRules,
    window: Window,
    lab_version: LabVersion,
    fill_in: Callable[..., bytes],
    code: str,
    score: float,
) -> None:
    sandbox = open_sandbox(warm=False)
    worker = Worker(
        store, lambda job: grade(job, sandbox), Gradebooks(courses_dir), lambda _course, _lab: rules, "real"
    )
    archive = fill_in(code=code, **{"notes.txt": b"mine"})
    store.add("film", "squares", "ada", archive, window=window, rules=rules, version=lab_version.version)
    assert worker.work_once()

    (attempt,) = store.attempts("film", "squares", "ada")
    assert attempt.result is not None, attempt.submission
    assert (attempt.result.auto_score, attempt.result.auto_max, attempt.result.hand_max) == (score, 2.0, 5.0)
    assert attempt.submission.state == "needs_review"

    with Gradebook(f"sqlite:///{courses_dir / 'film' / 'gradebook.db'}", "film") as gradebook:
        assert gradebook.find_grade("test-square", "squares", "squares", "ada").auto_score == score
        assert gradebook.find_grade("essay", "squares", "squares", "ada").needs_manual_grade

    shown = json.loads((courses_dir / "film" / "autograded" / "ada" / "squares" / "squares.ipynb").read_text())
    tags = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell["metadata"] for cell in shown["cells"]}
    assert tags["essay"]["nbgrader"]["points"] == 5
    verdict = store.verdict(attempt.submission.id)
    assert verdict is not None
    page = render_feedback(attempt.submission, attempt.result, attempt.result.items, verdict)
    for kept_back in (b"secret probe", b"answer_to_all", b"-4"):
        assert kept_back not in page
        assert kept_back not in json.dumps(shown).encode()
    assert zipfile.ZipFile(io.BytesIO(store.blobs.get(attempt.submission.sha256))).read("notes.txt") == b"mine"
