"""An instructor's lab fetches a draft and sends it back; what arrives is hostile until parsed."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.serving import make_server

from grader.app import create_app
from hub.authoring.draft import RUBRIC
from hub.authoring.intake import draft_pages
from hub.serve import labs_of, rules_of, window_of
from labs.authoring.draft import draft_folder, open_as_learner, open_draft, send_draft
from labs.exchange.answers import IntakeError
from labs.exchange.client import Intake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hub.platform import Platform

INTAKE = "/services/intake"


@pytest.fixture
def app(platform: Platform) -> Any:
    """The intake; a token is its owner's name here, where the hub would be asked."""
    return create_app(
        platform.submissions,
        identify=lambda token: token if platform.people.person(token) else None,
        window_of=lambda course, lab, learner: window_of(platform, course, lab, learner),
        labs_of=lambda learner: labs_of(platform, learner),
        rules_of=lambda course, lab: rules_of(platform, course, lab),
        receipt_key=Ed25519PrivateKey.generate(),
        max_bytes=5 << 20,
        more=[lambda person: draft_pages(platform, person)],
    )


@pytest.fixture
def address(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{INTAKE}"
    server.shutdown()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(("who", "status"), [("lena", 403), ("nobody", 401), ("", 401)])
@pytest.mark.parametrize("path", ["my-code", "my-code/as-learner", "none-such"])
def test_solutions_are_for_the_courses_instructors_only(
    app: Any, begin: Callable[..., Any], who: str, status: int, path: str
) -> None:
    begin("code")
    headers = {"Authorization": f"token {who}"} if who else {}
    answer = app.test_client().get(f"{INTAKE}/api/courses/small/drafts/{path}", headers=headers)
    assert answer.status_code == status
    assert b"running_time" not in answer.data


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"my-code.ipynb": None}, 422, "exactly one notebook"),
        ({"other.ipynb": b"{}"}, 422, "exactly one notebook"),
        ({"my-code.ipynb": b"{"}, 422, "notebook"),
        ({"my-code.ipynb": b'{"nbformat": 3, "worksheets": []}'}, 422, "notebook"),
        ({"my-code.ipynb": b"[" * 100_000}, 422, "notebook"),
        ({"../evil.txt": b"x"}, 422, "cannot be taken"),
        ({"/etc/passwd": b"x"}, 422, "cannot be taken"),
        ({RUBRIC: b"criteria = 3"}, 422, "not a rubric"),
        ({RUBRIC: b"\xff\xfe"}, 422, "not a rubric"),
        ({f"{n}.txt": b"" for n in range(300)}, 413, "too many files"),
    ],
)
def test_what_could_not_be_a_lab_is_refused_and_changes_nothing(
    platform: Platform, app: Any, begin: Callable[..., Any], change: dict[str, Any], status: int, words: str
) -> None:
    begin("code")
    before = platform.shelf.files("small", "my-code")
    files = {name: content for name, content in {**before, **change}.items() if content is not None}
    answer = app.test_client().put(
        f"{INTAKE}/api/courses/small/drafts/my-code?base={platform.shelf.revision('small', 'my-code')}",
        headers={"Authorization": "token ines"}, data=zipped(files),
    )  # fmt: skip
    assert answer.status_code == status
    assert words in answer.json["error"]["message"]["en"]
    assert answer.json["error"]["message"]["zh"]
    assert platform.shelf.files("small", "my-code") == before


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip at all" * 10])
def test_an_archive_that_is_none_is_refused(app: Any, begin: Callable[..., Any], data: bytes) -> None:
    begin("code")
    answer = app.test_client().put(
        f"{INTAKE}/api/courses/small/drafts/my-code?base=any", headers={"Authorization": "token ines"}, data=data
    )
    assert answer.status_code == 422


def test_a_lab_goes_home_is_changed_and_comes_back(
    platform: Platform, address: str, begin: Callable[..., Any], tmp_path: Path
) -> None:
    begin("code")
    home = tmp_path / "ines"
    with Intake(address, "ines") as intake:
        notebook = open_draft(intake, "small", "my-code", home)
        assert "BEGIN HIDDEN TESTS" in notebook.read_text(encoding="utf-8")
        text = json.loads(notebook.read_text(encoding="utf-8"))
        text["cells"][0]["source"] = "# Changed at home"
        notebook.write_text(json.dumps(text), encoding="utf-8")
        (notebook.parent / "takes").mkdir()
        (notebook.parent / "takes" / "first.mp4").write_bytes(b"what the reference made")
        sent = send_draft(intake, "small", "my-code", home, replace=False)
    assert sent.left_out == ("takes/first.mp4",)
    assert sent.page.endswith("/services/portal/courses/small/labs/my-code")
    assert b"Changed at home" in platform.shelf.files("small", "my-code")["my-code.ipynb"]
    assert platform.shelf.draft("small", "my-code").sent_by == "ines"


def test_two_instructors_do_not_overwrite_each_other(
    platform: Platform, address: str, begin: Callable[..., Any], tmp_path: Path
) -> None:
    begin("code")
    homes = {name: tmp_path / name for name in ("ines", "otto")}
    for name, home in homes.items():
        with Intake(address, name) as intake:
            notebook = open_draft(intake, "small", "my-code", home)
            (notebook.parent / "notes.txt").write_text(name)
    with Intake(address, "otto") as intake:
        send_draft(intake, "small", "my-code", homes["otto"], replace=False)
    with Intake(address, "ines") as intake:
        with pytest.raises(IntakeError, match="otto has sent another version") as refused:
            send_draft(intake, "small", "my-code", homes["ines"], replace=False)
        assert refused.value.status == 409
        beside = open_draft(intake, "small", "my-code", homes["ines"])
        assert (beside.parent / "notes.txt").read_text() == "otto"
        assert (draft_folder(homes["ines"], "small", "my-code") / "notes.txt").read_text() == "ines"
        send_draft(intake, "small", "my-code", homes["ines"], replace=True)
    assert platform.shelf.files("small", "my-code")["notes.txt"] == b"ines"
    # 3. Otto touched nothing since: he simply gets the newer one.
    with Intake(address, "otto") as intake:
        notebook = open_draft(intake, "small", "my-code", homes["otto"])
    assert notebook.parent == draft_folder(homes["otto"], "small", "my-code")
    assert (notebook.parent / "notes.txt").read_text() == "ines"


@pytest.mark.slow
def test_as_a_learner_there_are_no_solutions_and_no_hidden_tests(
    platform: Platform, address: str, begin: Callable[..., Any], tmp_path: Path
) -> None:
    begin("code")
    with Intake(address, "ines") as intake:
        text = open_as_learner(intake, "small", "my-code", tmp_path / "ines").read_text(encoding="utf-8")
        assert "math.fsum" not in text
        assert "HIDDEN" not in text
        assert "running_time([2.0, 1.5]) == 3.5" in text
        files = platform.shelf.files("small", "my-code")
        files["answers.py"] = b"\n".join(
            line.encode() for line in ("if any(seconds < 0 for seconds in shots):", "return round(math.fsum(shots), 1)",
            'raise ValueError("a shot cannot play less than 0 s")')
        )  # fmt: skip
        platform.shelf.send("small", "my-code", files, by="ines", at_us=1, base=None)
        with pytest.raises(IntakeError, match=r"would give away a solution.*answers\.py"):
            open_as_learner(intake, "small", "my-code", tmp_path / "ines")
