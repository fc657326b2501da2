import base64
import contextlib
import json
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import httpx
import pytest
import waitress.server
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grader.app import create_app
from grader.blobs import Blobs, DiskFullError
from grader.gradebook import Gradebooks
from grader.jobs import Worker
from grader.receipt import is_ours
from grader.store import Store
from grader.submission import LabRules, Receipt, Window
from grader.unpack import pack
from grader.verdict import GradingJob, LabVersion, Verdict

MAX_BYTES = 200_000
ADA = "t-ada"
TOKENS = {ADA: "ada", "t-bob": "bob", "t-eve": "eve"}
SUBMIT = "/api/courses/film/labs/squares/submissions"


@dataclass
class Intake:
    """A running intake, and the clock-bound window that its tests may move."""

    address: str
    key: Ed25519PrivateKey
    windows: dict[str, Window] = field(default_factory=dict)

    def call(self, method: str, path: str, token: str = ADA, **kwargs: object) -> httpx.Response:
        headers = {"Authorization": f"token {token}"} if token else {}
        return httpx.request(method, self.address + path, headers=headers, timeout=60, **kwargs)  # type: ignore[arg-type]

    def hand_in(self, archive: bytes, token: str = ADA, path: str = SUBMIT) -> httpx.Response:
        return self.call("POST", path, token, content=archive)


@pytest.fixture
def intake(store: Store, window: Window, rules: LabRules) -> Iterator[Intake]:
    """The intake under waitress on a free port; ada and bob are in the course, eve is in none."""
    key = Ed25519PrivateKey.generate()
    windows = {"ada": window, "bob": window}
    app = create_app(
        store,
        identify=TOKENS.get,
        window_of=lambda _course, lab, learner: windows.get(learner) if lab == "squares" else None,
        labs_of=lambda learner: [("film", "squares", "平方", "Squares")] if learner in windows else [],
        rules_of=lambda _course, _lab: rules,
        receipt_key=key,
        max_bytes=MAX_BYTES,
        prefix="/services/intake",
    )
    server = waitress.server.create_server(app, host="127.0.0.1", port=0, max_request_body_size=MAX_BYTES * 2)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.asyncore.loop(timeout=0.1, map=server._map, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    yield Intake(f"http://127.0.0.1:{server.effective_port}/services/intake", key, windows)
    stop.set()
    thread.join()
    server.task_dispatcher.shutdown()
    server.close()


def refusal(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert error["message"]["zh"]
    assert error["message"]["en"]
    assert {"got", "expected"} <= error.keys()
    return response.status_code, error["code"]


def test_learner_finds_fetches_hands_in_and_reads_the_score(
    intake: Intake,
    store: Store,
    fill_in: Callable[..., bytes],
    sha256: Callable[[bytes], str],
    courses_dir: Path,
    rules: LabRules,
    judge: Callable[[GradingJob], Verdict],
    lab_version: LabVersion,
) -> None:
    (lab,) = intake.call("GET", "/api/labs").json()["labs"]
    assert (lab["title"], lab["attempts_allowed"], lab["attempts_used"]) == ({"zh": "平方", "en": "Squares"}, 3, 0)
    fetched = intake.call("GET", "/api/courses/film/labs/squares/release")
    assert fetched.headers["X-Reelwright-Version"] == lab["version"] == lab_version.version
    assert fetched.headers["X-Reelwright-Digest"] == sha256(fetched.content)
    assert sorted(zipfile.ZipFile(BytesIO(fetched.content)).namelist()) == ["data.csv", "squares.ipynb"]

    archive = fill_in()
    answer = intake.hand_in(archive)
    assert answer.status_code == 201
    receipt = Receipt(**answer.json()["receipt"])
    assert is_ours(receipt, answer.json()["signature"], intake.key.public_key())
    assert (receipt.sha256, receipt.bytes, receipt.attempt) == (sha256(archive), len(archive), 1)
    assert (receipt.late_us, receipt.version) == (0, lab_version.version)
    (kept,) = store.attempts("film", "squares", "ada")
    assert kept.submission.signature == answer.json()["signature"]
    (waiting,) = intake.call("GET", SUBMIT).json()["submissions"]
    assert (waiting["state"], waiting["score"], waiting["feedback"]) == ("queued", None, False)
    assert refusal(intake.call("GET", f"/api/submissions/{receipt.submission_id}/feedback")) == (404, "no_feedback")

    Worker(store, judge, Gradebooks(courses_dir), lambda _course, _lab: rules, "w").work_once()
    (graded,) = intake.call("GET", SUBMIT).json()["submissions"]
    assert (graded["state"], graded["score"], graded["max_score"]) == ("needs_review", 2.0, 7.0)
    assert [item["score"] for item in graded["items"]] == [2.0, None]
    assert graded["items"][0]["reason"] == {"zh": "对", "en": "said"}
    feedback = intake.call("GET", f"/api/submissions/{receipt.submission_id}/feedback")
    page = zipfile.ZipFile(BytesIO(feedback.content)).read("squares.html").decode()
    assert "x * x" in page
    assert (
        intake.call("GET", f"/api/submissions/{receipt.submission_id}/feedback", "t-bob").status_code == 404
    )  # only one's own


def test_lost_answer_is_given_again_without_a_second_attempt(
    intake: Intake, fill_in: Callable[..., bytes], window: Window
) -> None:
    first = intake.hand_in(fill_in())
    intake.windows["ada"] = replace(window, due_us=window.opens_us, closes_us=window.opens_us)
    again = intake.hand_in(fill_in())
    assert again.status_code == 201
    assert again.json() == first.json()


def test_bearer_is_as_good_as_token(intake: Intake) -> None:
    answer = httpx.get(f"{intake.address}/api/labs", headers={"Authorization": "Bearer t-ada"})
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", "nonsense", "two words"])
def test_without_a_known_token_nothing_is_told(intake: Intake, token: str) -> None:
    for method, path in (
        ("GET", "/api/labs"),
        ("GET", SUBMIT),
        ("POST", SUBMIT),
        ("GET", "/api/submissions/x/feedback"),
    ):
        assert refusal(intake.call(method, path, token)) == (401, "no_token")


def test_other_course_and_unknown_lab(intake: Intake, fill_in: Callable[..., bytes]) -> None:
    assert intake.call("GET", "/api/labs", "t-eve").json() == {"labs": []}
    assert refusal(intake.hand_in(fill_in(), "t-eve")) == (403, "not_in_course")
    assert refusal(intake.call("GET", "/api/courses/film/labs/squares/release", "t-eve")) == (403, "not_in_course")
    assert refusal(intake.hand_in(fill_in(), path="/api/courses/film/labs/cubes/submissions")) == (404, "unknown_lab")
    assert refusal(intake.call("GET", "/api/nowhere")) == (404, "http")


def test_window_is_the_servers(intake: Intake, fill_in: Callable[..., bytes], window: Window, store: Store) -> None:
    now = store.now_us()
    intake.windows["ada"] = Window(now + 10**12, now + 10**12, now + 10**12)
    assert refusal(intake.hand_in(fill_in())) == (410, "not_open")
    assert refusal(intake.call("GET", "/api/courses/film/labs/squares/release")) == (410, "not_open")
    intake.windows["ada"] = Window(0, now - 2, now - 1)
    assert refusal(intake.hand_in(fill_in())) == (410, "window_closed")
    intake.windows["ada"] = Window(0, now - 3_600_000_000, now + 10**12)
    late = intake.hand_in(fill_in()).json()["receipt"]
    assert 3_600_000_000 <= late["late_us"] < 2 * 3_600_000_000


def test_attempts_run_out_and_refused_uploads_cost_none(intake: Intake, fill_in: Callable[..., bytes]) -> None:
    for broken in (b"junk", pack({"other.ipynb": b"{}"}), pack({"squares.ipynb": b"not json"})):
        assert intake.hand_in(broken).status_code == 422
    for number in range(3):
        assert intake.hand_in(fill_in(essay=f"essay {number}")).json()["receipt"]["attempt"] == number + 1
    assert refusal(intake.hand_in(fill_in(essay="one more"))) == (409, "attempts_used_up")
    assert len(intake.call("GET", SUBMIT).json()["submissions"]) == 3


def test_notebook_that_could_not_be_graded_is_refused_with_the_reason(
    intake: Intake, fill_in: Callable[..., bytes], lab_version: LabVersion
) -> None:
    assert refusal(intake.hand_in(pack({"squares.ipynb": b"not json"}))) == (422, "not-json")
    assert refusal(intake.hand_in(pack({"other.ipynb": lab_version.release}))) == (422, "notebook_missing")
    notebook = json.loads(lab_version.release)
    del notebook["cells"][2]
    lacking = pack({"squares.ipynb": json.dumps(notebook).encode()})
    answer = intake.hand_in(lacking)
    assert refusal(answer) == (422, "graded-cell-missing")
    assert "test-square" in answer.json()["error"]["got"]
    notebook = json.loads(lab_version.release)
    notebook["cells"].append(notebook["cells"][2])
    twice = pack({"squares.ipynb": json.dumps(notebook).encode()})
    assert refusal(intake.hand_in(twice)) == (422, "cell-twice")


def test_too_large_uploads_and_bombs(intake: Intake, fill_in: Callable[..., bytes]) -> None:
    assert refusal(intake.hand_in(b"x" * (MAX_BYTES + 1))) == (413, "too_large")
    bomb = fill_in(**{"bomb.bin": b"\x00" * (MAX_BYTES * 6)})
    assert len(bomb) < MAX_BYTES
    assert refusal(intake.hand_in(bomb)) == (413, "too_large")
    assert intake.call("GET", SUBMIT).json() == {"submissions": []}


def raw(intake: Intake, head: str, body: bytes) -> bytes:
    host, port = intake.address.removeprefix("http://").split("/")[0].split(":")
    request = f"POST /services/intake{SUBMIT} HTTP/1.1\r\nHost: x\r\nAuthorization: token t-ada\r\n{head}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        answer = b""
        # The server may hang up on a flood before all of it is sent; what it answered until then counts.
        with contextlib.suppress(OSError):
            connection.sendall(request.encode() + body)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
                if b"}" in answer or b"Entity Too Large" in answer:
                    break
    return answer


def test_length_that_lies_gains_nothing(intake: Intake, fill_in: Callable[..., bytes]) -> None:
    whole = fill_in()
    short = raw(intake, "Content-Length: 10\r\nConnection: close", whole)
    assert b" 422 " in short.split(b"\r\n")[0]
    huge = raw(intake, f"Content-Length: {10**12}", b"x")
    assert b" 413 " in huge.split(b"\r\n")[0]
    chunk = b"%x\r\n%s\r\n" % (MAX_BYTES, b"x" * MAX_BYTES)
    unsized = raw(intake, "Transfer-Encoding: chunked", chunk * 3 + b"0\r\n\r\n")
    assert b" 413 " in unsized.split(b"\r\n")[0]
    assert intake.call("GET", SUBMIT).json() == {"submissions": []}


def test_full_disk_is_told_and_loses_nothing(
    intake: Intake, fill_in: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, content: bytes) -> str:
        raise DiskFullError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "put", full)
        assert refusal(intake.hand_in(fill_in())) == (507, "disk_full")
    assert intake.hand_in(fill_in()).json()["receipt"]["attempt"] == 1


def test_unexpected_failure_tells_no_secret(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *place: str) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(Store, "attempts", broken)
    answer = intake.call("GET", SUBMIT)
    assert refusal(answer) == (500, "ours")
    assert "secret" not in answer.text


def test_submission_is_graded_by_the_version_it_was_made_from(
    intake: Intake, store: Store, fill_in: Callable[..., bytes], lab_version: LabVersion
) -> None:
    older = fill_in()
    newer = replace(lab_version, version="2" * 64)
    store.release(newer)
    assert intake.hand_in(older).json()["receipt"]["version"] == lab_version.version
    invented = json.loads(lab_version.release)
    invented["metadata"]["reelwright"]["version"] = "3" * 64
    answer = intake.hand_in(pack({"squares.ipynb": json.dumps(invented).encode()}))
    assert answer.json()["receipt"]["version"] == newer.version


def test_storm_of_uploads_is_all_taken_with_receipts_that_match(
    intake: Intake, store: Store, fill_in: Callable[..., bytes]
) -> None:
    answers: list[httpx.Response] = []

    def upload(number: int) -> None:
        answers.append(intake.hand_in(fill_in(essay=f"essay {number}"), "t-ada" if number % 2 else "t-bob"))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [answer.json()["receipt"] for answer in answers if answer.status_code == 201]
    assert sorted((receipt["learner"], receipt["attempt"]) for receipt in taken) == [
        (learner, attempt) for learner in ("ada", "bob") for attempt in (1, 2, 3)
    ]
    assert {answer.status_code for answer in answers} == {201, 409}
    for receipt in taken:
        assert len(store.blobs.get(receipt["sha256"])) == receipt["bytes"]


def test_signature_is_base64_of_64_bytes(intake: Intake, fill_in: Callable[..., bytes]) -> None:
    assert len(base64.b64decode(intake.hand_in(fill_in()).json()["signature"])) == 64
