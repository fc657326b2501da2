"""Parse a notebook that may be hostile: bytes in, small frozen cells out, everything else dropped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NOTEBOOK_BYTES = 20_000_000
MAX_CELLS = 1000
MAX_SOURCE_CHARS = 1_000_000
MAX_GRADE_ID_CHARS = 200

CellType = Literal["code", "markdown", "raw"]


class NotebookRefused(Exception):  # noqa: N818  the name the intake speaks of
    """A notebook cannot be graded; ``zh`` and ``en`` tell the learner, ``got`` and ``expected`` the detail."""

    def __init__(self, code: str, *, zh: str, en: str, got: str, expected: str) -> None:
        super().__init__(f"{en} Got {got}, expected {expected}.")
        self.code, self.zh, self.en, self.got, self.expected = code, zh, en, got, expected


@dataclass(frozen=True)
class Tag:
    """What nbgrader's metadata says about a cell; believed only when it comes from the lab, never from a learner."""

    grade_id: str
    grade: bool
    solution: bool
    locked: bool
    task: bool
    points: float

    @property
    def fixed(self) -> bool:
        """The learner may not change this cell."""
        return not self.solution and (self.grade or self.locked or self.task)


@dataclass(frozen=True)
class Cell:
    """One cell without its outputs and foreign metadata."""

    cell_type: CellType
    source: str
    tag: Tag | None
    mark: Mapping[str, Any] = field(default_factory=dict)
    """nbgrader's metadata as it stands; only a lab's own is ever passed on."""


@dataclass(frozen=True)
class Notebook:
    """The cells in order, and the kernel's language."""

    cells: tuple[Cell, ...]


def parse_notebook(data: bytes) -> Notebook:
    """Parse ``data`` as nbformat 4.

    Raises:
        NotebookRefused: it is not, or it is deeper or larger than any honest notebook.
    """
    if len(data) > MAX_NOTEBOOK_BYTES:
        raise _refused("too-large", f"{len(data)} bytes", f"at most {MAX_NOTEBOOK_BYTES} bytes")
    try:
        tree = json.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise _refused("too-deep", "JSON nested too deeply", "a notebook saved by Jupyter") from error
    except ValueError as error:
        raise _refused("not-json", f"{data[:40]!r}…", "a notebook (.ipynb, JSON) saved by Jupyter") from error
    if not isinstance(tree, dict) or tree.get("nbformat") != 4:  # noqa: PLR2004  the format's own number
        got = f"nbformat {tree.get('nbformat')!r}"[:80] if isinstance(tree, dict) else type(tree).__name__
        raise _refused("not-nbformat-4", got, "nbformat 4")
    cells = tree.get("cells")
    if not isinstance(cells, list) or len(cells) > MAX_CELLS:
        got = f"{len(cells)} cells" if isinstance(cells, list) else f"cells: {type(cells).__name__}"
        raise _refused("wrong-cells", got, f"a list of at most {MAX_CELLS} cells")
    return Notebook(tuple(_cell(number, cell) for number, cell in enumerate(cells, start=1)))


def _cell(number: int, raw: Any) -> Cell:
    cell_type = raw.get("cell_type") if isinstance(raw, dict) else None
    if cell_type not in ("code", "markdown", "raw"):
        raise _refused("wrong-cell", f"cell {number}: type {cell_type!r}"[:120], "code, markdown or raw")
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or len(source) > MAX_SOURCE_CHARS:
        raise _refused(
            "wrong-source", f"cell {number}: {type(source).__name__}", f"text of ≤ {MAX_SOURCE_CHARS} characters"
        )
    # Lone surrogates are legal in JSON escapes but cannot be written to any file or compiled.
    metadata = raw.get("metadata")
    tag = _tag(metadata)
    return Cell(cell_type, source.encode("utf-8", "replace").decode(), tag, metadata["nbgrader"] if tag else {})


def _tag(metadata: Any) -> Tag | None:
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = mark.get("grade_id") if isinstance(mark, dict) else None
    if not isinstance(mark, dict) or not isinstance(grade_id, str) or not 0 < len(grade_id) <= MAX_GRADE_ID_CHARS:
        return None
    points = mark.get("points", 0)
    return Tag(
        grade_id=grade_id,
        grade=mark.get("grade") is True,
        solution=mark.get("solution") is True,
        locked=mark.get("locked") is True,
        task=mark.get("task") is True,
        points=float(points) if isinstance(points, int | float) and 0 <= points < 1e9 else 0.0,  # noqa: PLR2004
    )


def _refused(code: str, got: str, expected: str) -> NotebookRefused:
    return NotebookRefused(
        code,
        zh="这个文件不能作为作业笔记本评分。请在 JupyterLab 中打开、保存后再提交。",
        en="This file cannot be graded as a notebook. Open and save it in JupyterLab, then submit again.",
        got=got,
        expected=expected,
    )
