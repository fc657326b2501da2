"""What the intake says of a notebook that cannot be graded."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from grader.check.intake_check import NotebookRefused, inspect_notebook

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import Lab, check, essay, solution


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(solution("s", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"), check("t", "assert x == 1"), essay("e"))


def refused(lab: Lab, notebook: Any) -> NotebookRefused:
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    with pytest.raises(NotebookRefused) as caught:
        inspect_notebook(data, lab.release)
    error = caught.value
    assert error.zh
    assert error.en
    assert error.got in str(error)
    return error


def test_the_release_and_an_edited_copy_are_taken(lab: Lab) -> None:
    inspect_notebook(lab.release, lab.release)
    edited = lab.submission(s="x = 1")
    edited["cells"].append({"cell_type": "code", "metadata": {}, "source": ["a = 1\n", "a"], "outputs": []})
    inspect_notebook(json.dumps(edited).encode(), lab.release)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-json"),
        (b"PK\x03\x04 a zip file", "not-json"),
        (b"\xff\xfe\x00", "not-json"),
        (b"[" * 100_000, "too-deep"),
        (b"[]", "not-nbformat-4"),
        (b'{"nbformat": 3, "worksheets": []}', "not-nbformat-4"),
        (b'{"nbformat": 4, "cells": {}}', "wrong-cells"),
        (json.dumps({"nbformat": 4, "cells": [{}] * 5000}).encode(), "wrong-cells"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 7}]}', "wrong-source"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "heading"}]}', "wrong-cell"),
        (b" " * 21_000_000, "too-large"),
        (b'{"nbformat": 4, "nbformat_minor": ' + b"9" * 5000 + b', "cells": []}', "not-json"),
    ],
)
def test_what_is_no_notebook_is_refused(lab: Lab, data: Any, code: str) -> None:
    assert refused(lab, data).code == code


def test_a_missing_graded_cell_is_named(lab: Lab) -> None:
    notebook = lab.submission()
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["metadata"]["nbgrader"]["grade_id"] != "e"]
    error = refused(lab, notebook)
    assert error.code == "graded-cell-missing"
    assert "'e'" in error.got


def test_a_cell_that_is_there_twice_is_named(lab: Lab) -> None:
    notebook = lab.submission()
    notebook["cells"].append(notebook["cells"][0])
    error = refused(lab, notebook)
    assert error.code == "cell-twice"
    assert "'s' 2 times" in error.got


@pytest.mark.parametrize(
    "mark", [None, 7, [], {"grade_id": 3}, {"grade_id": ""}, {"grade_id": "x" * 999}, {"points": 1}]
)
def test_odd_metadata_is_ignored(lab: Lab, mark: Any) -> None:
    notebook = lab.submission()
    odd = {"cell_type": "code", "metadata": {"nbgrader": mark}, "source": "1", "outputs": []}
    notebook["cells"].append(odd)
    inspect_notebook(json.dumps(notebook).encode(), lab.release)
