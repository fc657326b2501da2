"""Say at submission time, in words a learner can act on, why a notebook cannot be graded."""

from __future__ import annotations

from collections import Counter

from grader.check.notebook import NotebookRefused, parse_notebook

__all__ = ["NotebookRefused", "inspect_notebook"]


def inspect_notebook(notebook: bytes, release: bytes) -> None:
    """Hold ``notebook`` against the released skeleton; answer nothing when it can be graded.

    Raises:
        NotebookRefused: not JSON, not nbformat 4, too deep or too large, a graded cell missing or there twice.
    """
    submitted = parse_notebook(notebook)
    expected = {cell.tag.grade_id for cell in parse_notebook(release).cells if cell.tag is not None}
    graded = [
        cell.tag.grade_id
        for cell in parse_notebook(release).cells
        if cell.tag is not None and (cell.tag.grade or cell.tag.task)
    ]
    counts = Counter(cell.tag.grade_id for cell in submitted.cells if cell.tag is not None)
    if missing := [grade_id for grade_id in graded if not counts[grade_id]]:
        raise NotebookRefused(
            "graded-cell-missing",
            zh="作业缺少计分单元格。请重新获取作业，或把删掉的单元格还原后再提交。",
            en="A graded cell is missing. Fetch the lab again, or undo the deletion, then submit.",
            got="no cell " + ", ".join(repr(grade_id) for grade_id in missing),
            expected=f"each of {graded} once",
        )
    if twice := [grade_id for grade_id in counts if counts[grade_id] > 1 and grade_id in expected]:
        raise NotebookRefused(
            "cell-twice",
            zh="同一个作业单元格出现了多次（常因复制粘贴整个单元格）。请删掉多余的一份后再提交。",
            en="A cell of the lab is there more than once (often from copying a cell). Delete the copy, then submit.",
            got=", ".join(f"{grade_id!r} {counts[grade_id]} times" for grade_id in twice),
            expected="each cell of the lab once",
        )
