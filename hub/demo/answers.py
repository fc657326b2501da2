"""Makes what a trainee hands in: the released notebook with the reference answers put in, whole or partly broken."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from grader.unpack import Caps, pack, unpack

if TYPE_CHECKING:
    from random import Random

    from grader.verdict import LabVersion

SOLUTION_MARK = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)
_LAST_RETURN = re.compile(r"^([ \t]*)return (?!.*^[ \t]*return )", re.MULTILINE | re.DOTALL)


def archive(lab: LabVersion, bundle: bytes, essay: str, wrong: float, rng: Random) -> bytes:
    """The archive of one attempt; the last ``wrong`` (0 to 1) of its answers have a mistake that beginners know."""
    files = unpack(bundle, Caps())
    name = f"{lab.lab}.ipynb"
    files[name] = filled_in(lab, essay, wrong, rng)
    return pack(files)


def filled_in(lab: LabVersion, essay: str, wrong: float, rng: Random) -> bytes:
    """The trainee's notebook; see :func:`archive`."""
    notebook = json.loads(lab.release)
    answers = reference(lab.source)
    mine = [cell for cell in notebook["cells"] if _tag(cell).get("grade_id") in answers]
    for cell in mine:
        by_hand = _tag(cell).get("grade")
        cell["source"] = essay if by_hand else answers[_tag(cell)["grade_id"]]
    written = [cell for cell in mine if not _tag(cell).get("grade")]
    for cell in written[len(written) - math.ceil(wrong * len(written)) :]:
        cell["source"] = mistaken(cell["source"], rng)
    return json.dumps(notebook, ensure_ascii=False).encode()


def reference(source: bytes) -> dict[str, str]:
    """The instructor's answer of every cell that learners fill in, by the cell's id."""
    cells = json.loads(source)["cells"]
    solutions = [cell for cell in cells if _tag(cell).get("solution")]
    return {_tag(cell)["grade_id"]: SOLUTION_MARK.sub("", "".join(cell["source"])) for cell in solutions}


def mistaken(answer: str, rng: Random) -> str:
    """An answer with a beginner's mistake: its last ``return`` forgotten, a bracket missing, or nothing written yet."""
    forgot, count = _LAST_RETURN.subn(r"\1", answer)
    choices = [answer.rstrip().rstrip(")]}"), "raise NotImplementedError()"]
    if count:
        choices.append(forgot)
    return next(choice for choice in rng.sample(choices, len(choices)) if choice != answer.rstrip())


def _tag(cell: dict[str, Any]) -> dict[str, Any]:
    tag: dict[str, Any] = cell["metadata"].get("nbgrader", {})
    return tag
