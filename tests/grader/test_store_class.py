"""What the pages ask of the store about a whole course, and the receipt's signature beside the attempt."""

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from grader.receipt import is_ours, sign
from grader.store import Store
from grader.submission import LabRules, Window, receipt_of
from grader.verdict import CellScore, LabVersion, Verdict
from hub.db import open_engine

SCORES = (
    CellScore("test-square", "Squares", "auto", 2.0, 2.0, "", ""),
    CellScore("essay", "Essay", "manual", 0, 5, "", ""),
)


@pytest.fixture
def hand_in(store: Store, window: Window, rules: LabRules, lab_version: LabVersion) -> Callable[..., None]:
    def add(learner: str, archive: bytes, lab: str = "squares", course: str = "film") -> None:
        store.add(course, lab, learner, archive, window=window, rules=rules, version=lab_version.version)

    return add


def fill(store: Store, hand_in: Callable[..., None], learners: int) -> None:
    for number in range(learners):
        for archive in (b"one", b"two"):
            hand_in(f"learner{number}", archive)
        claim = store.claim("worker")
        assert claim
        store.record(claim, Verdict(SCORES, b'{"cells": []}', seconds=0.1))


def test_a_course_is_read_as_its_learners_are(store: Store, hand_in: Callable[..., None]) -> None:
    fill(store, hand_in, 3)
    hand_in("learner0", b"cubes", lab="cubes")
    hand_in("learner0", b"cubes", course="music")
    store.release_feedback("film", "squares", "learner1", released_by="teacher")
    found = store.class_attempts("film")
    by_learner = groupby(found, key=lambda one: (one.submission.lab, one.submission.learner))
    grouped = {place: tuple(attempts) for place, attempts in by_learner}
    assert len(found) == 7
    assert grouped == {(lab, learner): store.attempts("film", lab, learner) for lab, learner in grouped}
    assert [one.hand_released for one in grouped["squares", "learner1"]] == [True, True]
    assert grouped["squares", "learner0"][0].result == store.result(grouped["squares", "learner0"][0].submission.id)


def test_a_larger_class_costs_no_more_queries(
    store: Store, hand_in: Callable[..., None], database_url: str, tmp_path: Path
) -> None:
    engine, counts = open_engine(database_url), []
    reader = Store(engine, tmp_path / "blobs")
    event.listen(engine, "before_cursor_execute", lambda *_: counts.append(1))

    def asked() -> int:
        counts.clear()
        reader.class_attempts("film")
        return len(counts)

    fill(store, hand_in, 1)
    few = asked()
    fill(store, hand_in, 9)
    assert asked() == few


def test_labs_are_there_from_their_release_to_their_withdrawal(
    tmp_path: Path, store: Store, lab_version: LabVersion
) -> None:
    now = [1_000]
    timed = Store(open_engine(f"sqlite:///{tmp_path / 'reelwright.db'}"), tmp_path / "blobs", clock=lambda: now[0])
    timed.release(replace(lab_version, lab="cubes"))
    now[0] = 2_000
    timed.release(replace(lab_version, lab="cubes", version="f" * 64))
    now[0] = 3_000
    timed.withdraw("film", "cubes")
    assert [store.released_by("film", at) for at in (999, 1_000, 2_500, 3_000)] == [(), ("cubes",), ("cubes",), ()]
    assert store.released_by("music", 2_500) == ()


def test_the_signature_is_kept_with_the_attempt_and_stays(
    store: Store, window: Window, rules: LabRules, lab_version: LabVersion
) -> None:
    key = Ed25519PrivateKey.generate()
    for _ in range(2):
        given = store.add(
            "film", "squares", "ada", b"one", window=window, rules=rules, version=lab_version.version,
            sign=lambda receipt: sign(receipt, key),
        )  # fmt: skip
        (kept,) = store.attempts("film", "squares", "ada")
        assert kept.submission == given
        assert is_ours(receipt_of(given), kept.submission.signature, key.public_key())
        assert not is_ours(replace(receipt_of(given), attempt=2), kept.submission.signature, key.public_key())
