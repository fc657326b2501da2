"""The graded notebook a learner and a hand grader may open: the rebuilt cells, cleaned outputs, each test's reason."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from grader.check.outputs import stream

if TYPE_CHECKING:
    from grader.check.rebuild import Step
    from grader.check.session import Record
    from grader.verdict import CellScore


_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def graded_notebook(steps: tuple[Step, ...], record: Record, scores: tuple[CellScore, ...]) -> bytes:
    """The notebook as nbformat 4.5 JSON."""
    by_id = {score.grade_id: score for score in scores}
    cells = []
    count = 0
    for number, step in enumerate(steps):
        if not step.listed:
            continue
        cell: dict[str, Any] = {
            "id": f"cell-{number}",
            "cell_type": "markdown" if step.shown.cell_type == "raw" else step.shown.cell_type,
            "metadata": {"nbgrader": dict(step.shown.mark)} if step.shown.mark else {},
            "source": _safe_source(step),
        }
        if step.shown.cell_type == "code":
            count += 1
            cell["execution_count"] = count
            cell["outputs"] = record.outputs.get(number, [])
            score = by_id.get(step.shown.tag.grade_id) if step.shown.tag else None
            if score is not None and score.kind == "auto":
                said = f"{score.score:g} / {score.max_score:g}\n{score.reason_zh}\n{score.reason_en}\n"
                cell["outputs"] = [stream("stdout", said)]
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def _safe_source(step: Step) -> str:
    """The cell's text; a learner's Markdown without HTML, because a grader's browser will render it."""
    tag = step.shown.tag
    if step.shown.cell_type == "code" or (tag is not None and tag.fixed):
        return step.shown.source
    return _TAG.sub("&lt;", step.shown.source)
