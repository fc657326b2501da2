"""VALUE: may one version of a lab grade what was made from another? Only when both have the same cells. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.check.notebook import parse_notebook
from grader.refusal import Refused

if TYPE_CHECKING:
    from grader.check.notebook import Tag
    from grader.verdict import LabVersion

Cells = dict[str, tuple[str, bool, bool]]


def check_same_cells(made_from: LabVersion | None, mended: LabVersion) -> None:
    """Let tests, texts and points differ, but not which cells there are to answer and to grade.

    Raises:
        Refused: a cell is gone, new, or of another kind; learners would lose points for what they never saw.
    """
    if made_from is None or made_from.version == mended.version:
        return
    old, new = _cells(made_from.release), _cells(mended.release)
    if old != new:
        differing = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        raise Refused(
            409,
            "cells_differ",
            zh="新版本的作答或计分单元格与学员拿到的不同，不能用它重新评分。请只修改检查内容。",
            en="The new version has other cells to answer or grade than learners were given. Change only the tests.",
            got=f"version {mended.version[:12]} differs in {', '.join(differing[:10])}",
            expected=f"the cells of version {made_from.version[:12]}",
        )


def no_such_version(course: str, lab: str, version: str) -> Refused:
    """The refusal of a version that is not stored."""
    return Refused(
        404,
        "unknown_version",
        zh="没有这个版本，或者实验还没有发布。",
        en="There is no such version, or the lab has not been released.",
        got=f"{course}/{lab} {version or '(none)'}",
        expected="a released version",
    )


def _cells(notebook: bytes) -> Cells:
    tags = [(cell.tag, cell.cell_type) for cell in parse_notebook(notebook).cells if cell.tag is not None]
    return {tag.grade_id: (kind, tag.solution, tag.grade or tag.task) for tag, kind in tags if not _is_only_read(tag)}


def _is_only_read(tag: Tag) -> bool:
    return not (tag.solution or tag.grade or tag.task)
