"""Answers too alike: asked for by an instructor, compared beside everything else, read side by side by instructors."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from grader.similarity.duty import Beside, compare_next
from grader.similarity.fingerprint import Place
from grader.verdict import LabVersion, Verdict
from hub.portal.grading.likeness import pieces

PREFIX = "/services/portal"
LAB = "script-to-shots"
DATA = Path(__file__).parents[2] / "grader" / "data" / "similarity"
CELL = re.compile(r"^# %% .*\n", re.MULTILINE)
RENAMED = {"merged": "spans", "counts": "tally", "who": "speaker", "text": "row", "today": "batch", "used": "load"}


def _notebook(cells: list[str]) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells], "nbformat": 4}).encode()


def _cells(name: str) -> list[str]:
    return CELL.split((DATA / f"{name}.txt").read_text(encoding="utf-8"))[1:]


def _renamed(cells: list[str]) -> list[str]:
    for old, new in RENAMED.items():
        cells = [re.sub(rf"\b{old}\b", new, cell) for cell in cells]
    return [f"# 我自己写的 <b>\n{cell}" for cell in reversed(cells)]


def _page(school: Any) -> str:
    return f"/classes/{school.the_class.id}/similarity/{LAB}"


@pytest.fixture
def answered(school: Any) -> Any:
    """Five answers written apart, and one copied from the first in another dress."""
    version = LabVersion("micro-drama", LAB, "a" * 64, b"source", _notebook(_cells("skeleton")), {}, (), {})
    school.submissions.release(version)
    answers = {"liming": _cells("a"), "zhanghua": _renamed(_cells("a"))}
    answers |= {f"other{name}": _cells(name) for name in "bcdf"}
    roster = "number,name\n" + "".join(f"D{n},其他{n}\n" for n in range(4))
    school.people.import_roster(school.the_class.id, roster.encode())
    for number, name in zip(["A02", "D0", "D1", "D2", "D3"], list(answers)[1:], strict=True):
        school.trainee(school.the_class, number, name)
    for name, cells in answers.items():
        school.hand_in(name, LAB, name.encode())
        claim = school.submissions.claim("worker-0")
        assert school.submissions.record(claim, Verdict(cells=(), notebook=_notebook(cells)))
    return school


def test_a_copy_in_disguise_is_listed_and_shown_side_by_side(answered: Any, post: Any) -> None:
    client = answered.client("wang")
    assert "There has been none of this lab." in client.get(PREFIX + _page(answered)).text
    waiting = post(client, _page(answered), _page(answered), {}, follow_redirects=True).text
    assert "The answers are being compared." in waiting
    assert "data-refresh=" in waiting
    again = post(client, _page(answered), _page(answered), {}, follow_redirects=True).text
    assert "A comparison is under way already." in again
    assert compare_next(answered.submissions)
    assert not compare_next(answered.submissions)
    page = client.get(f"{PREFIX}{_page(answered)}/found").text
    assert "6 answers compared for wang" in page
    assert page.count("side by side") == 1
    assert {"李明", "张华"} <= set(re.findall("李明|张华|其他.", page))
    assert "data-refresh=" not in page
    pair = re.search(rf'href="({PREFIX}{_page(answered)}/[^"/]+/[^"/]+)"', page)
    assert pair
    both = client.get(pair[1]).text
    assert both.count("<h2") == 4
    assert "<mark>" in both
    assert "# 我自己写的 &lt;b&gt;" in both
    assert "cell 1" in both
    assert "cell 4" in both


def test_only_instructors_of_the_course_see_it_and_only_listed_pairs(answered: Any, post: Any) -> None:
    post(answered.client("wang"), _page(answered), _page(answered), {})
    compare_next(answered.submissions)
    (found,) = answered.submissions.likenesses.latest("micro-drama", LAB, answered.the_class.id).found
    pair = f"{_page(answered)}/{found.left_submission}/{found.right_submission}"
    for name in ("liming", "fund"):
        for path in (_page(answered), f"{_page(answered)}/found", pair):
            assert answered.client(name).get(PREFIX + path).status_code == 403
        assert post(answered.client(name), "/join", _page(answered), {}).status_code == 403
    assert answered.client("root").get(PREFIX + pair).status_code == 200
    swapped = f"{_page(answered)}/{found.right_submission}/{found.left_submission}"
    assert answered.client("wang").get(PREFIX + swapped).status_code == 404
    assert answered.client("wang").post(PREFIX + _page(answered)).status_code == 400


def test_the_class_is_compared_and_nobody_else(answered: Any, post: Any) -> None:
    outsider = answered.cohort("number,name\nZ1,外班\n")
    answered.trainee(outsider, "Z1", "outsider")
    answered.hand_in("outsider", LAB, b"outsider")
    claim = answered.submissions.claim("worker-0")
    assert answered.submissions.record(claim, Verdict(cells=(), notebook=_notebook(_cells("b"))))
    post(answered.client("wang"), _page(answered), _page(answered), {})
    compare_next(answered.submissions)
    latest = answered.submissions.likenesses.latest("micro-drama", LAB, answered.the_class.id)
    assert (latest.compared, set(latest.learner_of.values())) == (6, {"liming", "zhanghua"})


def test_the_steward_is_not_kept_waiting_by_a_comparison(answered: Any, post: Any) -> None:
    post(answered.client("wang"), _page(answered), _page(answered), {})
    beside = Beside(answered.submissions)
    assert beside.start() == 1
    (thread,) = [one for one in threading.enumerate() if one.name == "similarity"]
    thread.join(60)
    latest = answered.submissions.likenesses.latest("micro-drama", LAB, answered.the_class.id)
    assert (latest.done_us is not None, len(latest.found)) == (True, 1)
    assert beside.start() == 0


def test_overlapping_passages_are_marked_once() -> None:
    shared = [Place(0, 2, 5), Place(0, 4, 7), Place(0, 9, 10)]
    marked = [(piece.text, piece.is_shared) for piece in pieces("0123456789", shared)]
    assert marked == [("01", False), ("23456", True), ("78", False), ("9", True)]
