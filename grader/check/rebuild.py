"""Rebuild a submission on the lab's own skeleton: only what a learner may write is taken from the learner.

Order, locked cells, tests, ids and points come from the lab. From the submission come the sources of solution cells,
by id, and of cells the learner added, each after the lab's cell it stood behind. Everything else a notebook can carry
(outputs, tags, metadata, attachments) stays behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from grader.check.notebook import Cell, Notebook, Tag, parse_notebook

if TYPE_CHECKING:
    from grader.verdict import LabVersion

_BEGIN_HIDDEN, _END_HIDDEN = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
_AUTOTEST = re.compile(r"###\s*(HASHED\s+)?AUTOTEST")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_MAX_TITLE = 120

Check = Literal["none", "shared", "test"]


class LabBroken(Exception):  # noqa: N818  said of the lab, not of the submission
    """The lab version itself cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True)
class Step:
    """One cell of the rebuilt notebook and what is to be done with it.

    ``shown`` is what the learner may see and, when ``boxed``, what runs in the box; ``trusted`` is the lab's own text
    that only the checker runs (``check``) or reads names from (``reference``); ``hidden`` are line numbers of
    ``trusted``.
    """

    shown: Cell
    boxed: bool = False
    check: Check = "none"
    trusted: str = ""
    reference: bool = False
    released: str = ""
    hidden: frozenset[int] = frozenset()
    manual: bool = False
    missing: bool = False
    title: str = ""
    listed: bool = True
    """Stands in the graded notebook; an unlocked cell of the lab does not, the learner's own version does."""

    @property
    def graded(self) -> Tag | None:
        """The tag, when the cell has points."""
        tag = self.shown.tag
        return tag if tag is not None and (tag.grade or tag.task) else None


def rebuild(lab: LabVersion, submission: bytes) -> tuple[Step, ...]:
    """The steps of grading ``submission`` on ``lab``.

    Raises:
        NotebookRefused: the submission is no notebook.
        LabBroken: the lab's own notebooks are unusable.
    """
    source, release = _of_lab(lab.source, "source"), _of_lab(lab.release, "release")
    released = {cell.tag.grade_id: cell for cell in release.cells if cell.tag}
    known = {cell.tag.grade_id for cell in source.cells if cell.tag}
    written, added = _sort(parse_notebook(submission), known)
    steps = [Step(cell, boxed=cell.cell_type == "code") for cell in added.get("", ())]
    title = ""
    for cell in source.cells:
        title = _heading(cell, released) or title
        if cell.tag is None:
            if cell.cell_type == "code":
                steps.append(Step(cell, trusted=cell.source, reference=True, listed=False))
            continue
        grade_id = cell.tag.grade_id
        steps.append(_step(cell, released.get(grade_id), written.get(grade_id), title or grade_id))
        steps += [Step(one, boxed=one.cell_type == "code") for one in added.get(grade_id, ())]
    return tuple(steps)


def _heading(cell: Cell, released: dict[str, Cell]) -> str:
    """The heading a text cell starts a task with, as learners see it: a model answer may have headings too."""
    seen = released.get(cell.tag.grade_id) if cell.tag else cell
    if seen is None or seen.cell_type != "markdown" or (cell.tag and cell.tag.solution):
        return ""
    found = _HEADING.search(seen.source)
    return found.group(1)[:_MAX_TITLE] if found else ""


def _of_lab(data: bytes, which: str) -> Notebook:
    try:
        notebook = parse_notebook(data)
    except Exception as error:
        raise LabBroken(f"the lab's {which} notebook: {error}") from error
    ids = [cell.tag.grade_id for cell in notebook.cells if cell.tag]
    if len(ids) != len(set(ids)) or not ids:
        raise LabBroken(f"the lab's {which} notebook: got cell ids {ids[:50]}, expected some, each once")
    return notebook


def _sort(submitted: Notebook, known: set[str]) -> tuple[dict[str, Cell], dict[str, list[Cell]]]:
    """The learner's cells by the lab's id, and the others by the lab's cell they stand behind ('' for the top)."""
    written: dict[str, Cell] = {}
    added: dict[str, list[Cell]] = {}
    behind = ""
    for cell in submitted.cells:
        grade_id = cell.tag.grade_id if cell.tag else ""
        if grade_id not in known:
            added.setdefault(behind, []).append(Cell(cell.cell_type, cell.source, None))
        elif grade_id not in written:
            written[grade_id] = cell
            behind = grade_id
        # A second cell with an id of the lab is a copy; only the first counts, as everywhere else.
    return written, added


def _step(source: Cell, released: Cell | None, written: Cell | None, title: str) -> Step:
    tag = source.tag
    if tag is None:
        raise LabBroken("a cell without an id")
    visible = released.source if released else ""
    is_code = source.cell_type == "code"
    graded = tag.grade or tag.task
    if tag.solution:
        text = written.source if written else ""
        return Step(
            Cell(source.cell_type, text, tag, (released or source).mark),
            boxed=is_code,
            trusted=source.source,
            reference=is_code,
            released=visible,
            manual=graded,
            missing=graded and written is None,
            title=title,
        )
    check: Check = "none" if not is_code or not tag.fixed else "test" if tag.grade else "shared"
    trusted = visible if released and _AUTOTEST.search(source.source) else source.source
    return Step(
        Cell(source.cell_type, visible, tag, (released or source).mark),
        boxed=check == "shared",
        check=check,
        trusted=trusted,
        hidden=_hidden_lines(trusted, visible),
        manual=graded and check != "test",
        missing=graded and written is None,
        title=title,
    )


def _hidden_lines(trusted: str, visible: str) -> frozenset[int]:
    """Line numbers of ``trusted`` that learners have not been shown."""
    shown = {line.strip() for line in visible.split("\n")}
    hidden: set[int] = set()
    inside = False
    for number, line in enumerate(trusted.split("\n"), start=1):
        inside = inside or _BEGIN_HIDDEN in line
        if inside or line.strip() not in shown:
            hidden.add(number)
        inside = inside and _END_HIDDEN not in line
    return frozenset(hidden)
