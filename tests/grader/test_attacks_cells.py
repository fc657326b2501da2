"""Attacks with the notebook itself: cells deleted, copied, edited, re-tagged, swapped; and what it may show."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.grade import grade

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import Lab, check, open_engine_for, solution

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.sandbox.box import Sandbox

TESTS = ("visible", "hidden", "words")
CANARY = "canary-3f1c"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(
        solution("work", "### BEGIN SOLUTION\ndef f(x):\n    return x + 1\n### END SOLUTION"),
        check("visible", "assert f(1) == 2", 2),
        check("hidden", f"### BEGIN HIDDEN TESTS\nassert f(5) == 6, '{CANARY}'\n### END HIDDEN TESTS", 3),
        check("words", "f(2) / 3", 2),
    )


@pytest.fixture(scope="module", params=["bubblewrap", "warm"])
def sandbox(request: pytest.FixtureRequest, lab: Lab) -> Sandbox:
    return open_engine_for(lab, request.param)


def _game(lab: Lab, change: Callable[[list[Any]], None]) -> bytes:
    notebook = lab.submission(work="def f(x): return -7")
    change(notebook["cells"])
    return json.dumps(notebook).encode()


def _find(cells: list[Any], grade_id: str) -> Any:
    return next(cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def _skip_tags(cells: list[Any]) -> None:
    for cell in cells:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception"]


def _edit_tests(cells: list[Any]) -> None:
    for grade_id in TESTS:
        _find(cells, grade_id)["source"] = "7"


def _retag(cells: list[Any]) -> None:
    for grade_id in TESTS:
        _find(cells, grade_id)["metadata"]["nbgrader"] |= {
            "points": 1e9,
            "grade": True,
            "solution": True,
            "locked": False,
        }


def _to_markdown(cells: list[Any]) -> None:
    for grade_id in TESTS:
        _find(cells, grade_id)["cell_type"] = "markdown"


def _delete_tests(cells: list[Any]) -> None:
    cells[:] = [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") in (None, "work")]


def _copy_tests(cells: list[Any]) -> None:
    for grade_id in TESTS:
        copy = json.loads(json.dumps(_find(cells, grade_id)))
        copy["source"] = "7"
        cells.insert(0, copy)


def _swap_ids(cells: list[Any]) -> None:
    one, two = _find(cells, "work"), _find(cells, "hidden")
    one["metadata"], two["metadata"] = two["metadata"], one["metadata"]


def _tests_first(cells: list[Any]) -> None:
    cells.reverse()


def _forged_outputs(cells: list[Any]) -> None:
    for cell in cells:
        if cell["cell_type"] == "code":
            shown = {"text/plain": "7", "text/html": "<script>alert(1)</script>"}
            cell["outputs"] = [{"output_type": "execute_result", "data": shown, "metadata": {}, "execution_count": 1}]


GAMES = (
    _skip_tags,
    _edit_tests,
    _retag,
    _to_markdown,
    _delete_tests,
    _copy_tests,
    _swap_ids,
    _tests_first,
    _forged_outputs,
)


@pytest.mark.parametrize("change", GAMES, ids=lambda change: change.__name__.strip("_"))
def test_games_with_cells_score_nothing(change: Callable[[list[Any]], None], lab: Lab, sandbox: Sandbox) -> None:
    verdict = grade(lab.job(_game(lab, change)), sandbox)
    assert verdict.score == 0
    assert verdict.max_score == 7
    assert {cell.grade_id for cell in verdict.cells} == set(TESTS)
    assert CANARY.encode() not in verdict.notebook
    assert b"<script>" not in verdict.notebook
