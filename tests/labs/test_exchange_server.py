"""JupyterLab's assignment list in a real Jupyter server, against an intake on loopback."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.slow

COURSE, LAB = "micro-drama", "first-cut"


NOTEBOOK = nbformat.writes(
    nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("answer = 42", id="one")])
).encode()


def _do(client: httpx.Client, action: str, lab: str = LAB) -> dict[str, Any]:
    answer = client.post(f"/assignments/{action}", json={"course_id": COURSE, "assignment_id": lab})
    answer.raise_for_status()
    return answer.json()


@pytest.fixture
def released(intake: Any) -> Any:
    intake.release(COURSE, LAB, {f"{LAB}.ipynb": NOTEBOOK, "episode.fountain": b"INT. A - DAY\n"})
    return intake


def test_a_learner_fetches_validates_submits_and_reads_the_score(
    released: Any, lab_server: httpx.Client, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    # 1. The lab is in the home when the server opens, and listed as fetched.
    assert (home / COURSE / LAB / "episode.fountain").is_file()
    assert lab_server.get("/courses").json() == {"success": True, "value": [COURSE]}
    rows = lab_server.get("/assignments", params={"course_id": COURSE}).json()["value"]
    assert [(row["assignment_id"], row["status"]) for row in rows] == [(LAB, "fetched")]
    assert rows[0]["notebooks"] == [{"notebook_id": LAB, "path": f"{COURSE}/{LAB}/{LAB}.ipynb"}]
    # 2. A lab released later is listed, and Fetch brings it.
    released.release(COURSE, "second", {"second.ipynb": NOTEBOOK})
    rows = lab_server.get("/assignments", params={"course_id": COURSE}).json()["value"]
    assert {(row["assignment_id"], row["status"]) for row in rows} == {(LAB, "fetched"), ("second", "released")}
    assert _do(lab_server, "fetch", "second")["success"]
    assert (home / COURSE / "second" / "second.ipynb").read_bytes() == NOTEBOOK
    # 3. Validate runs the notebook.
    checked = lab_server.post("/assignments/validate", json={"path": f"{COURSE}/{LAB}/{LAB}.ipynb"}).json()
    assert checked["success"], checked
    # 4. Submit hands in what the learner made and leaves the receipt in the home.
    (home / COURSE / LAB / "weights.safetensors").write_bytes(b"w")
    answer = _do(lab_server, "submit")
    assert answer["success"], answer
    assert released.handed_in() == {f"{LAB}.ipynb", "episode.fountain"}
    kept = json.loads((home / "receipts" / f"{COURSE}--{LAB}--attempt-1.json").read_text())
    assert kept["receipt"]["sha256"] == released.attempts[COURSE, LAB][0]["sha256"]
    assert kept["left_out"] == ["weights.safetensors"]
    # 5. The list shows the attempt, then its score; Fetch Feedback brings the reasons and the released page.
    reason = {"zh": "镜头 3 太长", "en": "shot 3 is too long"}
    items = [{"title": "shots", "score": 3, "max_score": 5, "reason": reason}]
    released.grade(COURSE, LAB, state="graded", score=3, max_score=5, items=items, feedback=True, id="a-1")
    released.feedback["a-1"] = _zipped({f"{LAB}.html": b"<p>well cut</p>"})
    answer = _do(lab_server, "fetch_feedback")
    attempt = next(row for row in answer["value"] if row["status"] == "submitted")["submissions"][0]
    assert "attempt 1 · graded · 3/5" in attempt["timestamp"]
    assert attempt["has_local_feedback"]
    assert not attempt["feedback_updated"]
    folder = home / attempt["local_feedback_path"]
    assert "shot 3 is too long" in (folder / "result.md").read_text()
    assert (folder / f"{LAB}.html").read_text() == "<p>well cut</p>"


def test_a_refusal_reaches_the_learner_in_the_intakes_words(released: Any, lab_server: httpx.Client) -> None:
    released.refuse_submissions = {
        "status": 410,
        "code": "closed",
        "zh": "已过截止时间",
        "en": "the lab is closed",
        "got": "20:01",
        "expected": "20:00",
    }
    answer = _do(lab_server, "submit")
    assert answer == {"success": False, "value": "the lab is closed (got: 20:01; expected: 20:00)"}
    answer = _do(lab_server, "fetch", "no-such-lab")
    assert answer == {"success": False, "value": "there is no such lab (got: no-such-lab; expected: an open lab)"}


def test_a_newer_release_is_offered_in_the_list_and_fetched_beside(
    released: Any, lab_server: httpx.Client, tmp_path: Path
) -> None:
    mine = tmp_path / "home" / COURSE / LAB / f"{LAB}.ipynb"
    mine.write_text("my work")
    released.release(COURSE, LAB, {f"{LAB}.ipynb": NOTEBOOK})
    released.version = "2"
    rows = lab_server.get("/assignments", params={"course_id": COURSE}).json()["value"]
    assert [row["status"] for row in rows] == ["fetched", "released"]
    assert "a newer release" in rows[1]["assignment_id"]
    answer = _do(lab_server, "fetch", rows[1]["assignment_id"])
    assert [row["status"] for row in answer["value"]] == ["fetched"]
    assert mine.read_text() == "my work"
    assert (mine.parents[1] / f"{LAB}--release-2" / mine.name).read_bytes() == NOTEBOOK


def test_only_what_learners_use_is_switched_on(released: Any, lab_server: httpx.Client) -> None:
    assert lab_server.get("/formgrader").status_code == 404
    page = lab_server.get("/lab").text
    disabled = json.loads(page.split('id="jupyter-config-data" type="application/json">')[1].split("</script>")[0])
    assert {
        "@jupyter/nbgrader:formgrader",
        "@jupyter/nbgrader:course-list",
        "@jupyter/nbgrader:create-assignment",
        # JupyterLab's own news would ask learners a question and call out.
        "@jupyterlab/apputils-extension:announcements",
    } <= set(disabled["disabledExtensions"])
    assert not any("assignment-list" in name for name in disabled["disabledExtensions"])


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()
