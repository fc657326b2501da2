import errno
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from grader.blobs import BlobMissingError, Blobs, DiskFullError
from grader.refusal import Refused
from grader.store import Store
from grader.submission import LabRules, Window
from grader.verdict import LabVersion
from hub.db import open_engine


@pytest.fixture
def hand_in(window: Window, rules: LabRules, lab_version: LabVersion) -> Callable[..., int]:
    def add(store: Store, archive: bytes, learner: str = "ada") -> int:
        version = lab_version.version
        return store.add("film", "squares", learner, archive, window=window, rules=rules, version=version).attempt

    return add


def test_stored_bytes_match_the_submission(store: Store, hand_in: Callable[..., int]) -> None:
    hand_in(store, b"archive")
    (attempt,) = store.attempts("film", "squares", "ada")
    assert store.blobs.get(attempt.submission.sha256) == b"archive"
    assert attempt.submission.bytes == 7


def test_same_bytes_are_the_same_attempt(store: Store, hand_in: Callable[..., int]) -> None:
    assert [hand_in(store, b"one"), hand_in(store, b"one"), hand_in(store, b"two")] == [1, 1, 2]
    assert hand_in(store, b"one", learner="bob") == 1
    assert store.attempts_used("film", "squares", "ada") == 2


def test_attempts_are_limited_and_the_refusal_records_nothing(store: Store, hand_in: Callable[..., int]) -> None:
    for content in (b"1", b"2", b"3"):
        hand_in(store, content)
    with pytest.raises(Refused) as refused:
        hand_in(store, b"4")
    assert (refused.value.status, refused.value.code) == (409, "attempts_used_up")
    assert store.queue_depth() == 3


def test_concurrent_uploads_get_attempt_numbers_without_gap_or_double(
    database_url: str, store: Store, tmp_path: Path, window: Window, rules: LabRules, hand_in: Callable[..., int]
) -> None:
    numbers: list[int] = []
    refusals: list[int] = []

    def upload(number: int) -> None:
        own = Store(open_engine(database_url), tmp_path / "blobs")
        try:
            numbers.append(hand_in(own, b"upload %d" % number))
        except Refused as refused:
            refusals.append(refused.status)

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3]
    assert refusals == [409] * 9
    assert len(store.attempts("film", "squares", "ada")) == 3


def test_concurrent_claims_take_each_submission_once(
    database_url: str, store: Store, tmp_path: Path, hand_in: Callable[..., int]
) -> None:
    for number in range(10):
        hand_in(store, b"upload", learner=f"learner{number}")
    taken: list[str] = []

    def take() -> None:
        own = Store(open_engine(database_url), tmp_path / "blobs")
        while (claim := own.claim("w")) is not None:
            taken.append(claim.submission.id)

    threads = [threading.Thread(target=take) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 10


def test_submission_that_kills_every_worker_is_given_up(store: Store, hand_in: Callable[..., int]) -> None:
    hand_in(store, b"poison")
    hand_in(store, b"honest", learner="bob")
    taken = [store.claim("dies", lease_seconds=-1) for _ in range(4)]
    by_learner = [claim.submission.learner for claim in taken if claim is not None]
    assert by_learner == ["ada", "ada", "ada", "bob"]
    assert store.attempts("film", "squares", "ada")[0].submission.state == "failed"
    assert store.attempts_used("film", "squares", "ada") == 0


def test_full_disk_refuses_without_recording(
    store: Store, hand_in: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, target: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "_write", full)
        with pytest.raises(DiskFullError):
            hand_in(store, b"archive")
    assert store.attempts("film", "squares", "ada") == ()
    assert hand_in(store, b"archive") == 1


def test_full_database_refuses_without_recording(
    database_url: str, tmp_path: Path, store: Store, hand_in: Callable[..., int]
) -> None:
    engine = open_engine(database_url)

    def cap_pages(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(engine, "connect", cap_pages)
    small = Store(engine, tmp_path / "blobs")

    def fill() -> None:
        for number in range(1000):
            hand_in(small, b"archive", learner=f"learner{number:0200}")

    with pytest.raises(DiskFullError):
        fill()
    assert store.queue_depth() < 1000


def test_changed_blob_is_noticed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"content")
    (tmp_path / digest[:2] / digest).write_bytes(b"changed")
    with pytest.raises(BlobMissingError, match=digest):
        blobs.get(digest)
    with pytest.raises(BlobMissingError, match="no bytes"):
        blobs.get("0" * 64)
