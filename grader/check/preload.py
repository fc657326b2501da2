"""VALUE: which modules a lab's notebook will import, read from the lab's own code. No I/O.

``module:name`` stands for a name that a module loads only when it is asked for.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from grader.check.names import parsed, without_magics
from grader.check.notebook import NotebookRefused, parse_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.verdict import LabVersion

ALWAYS = ("numpy", "torch")
"""What a lab on film is likely to import at some time, whether its skeleton says so or not."""
LAZY = frozenset({"diffusers", "transformers"})
"""Their import loads nothing; a class of theirs takes a second."""


def modules_to_preload(lab: LabVersion) -> tuple[str, ...]:
    """Installed modules that ``lab``'s own cells import, in order of name, and :data:`ALWAYS`."""
    own = {name.split("/")[0].removesuffix(".py") for name in lab.files}
    found = {name for name in _imported(lab.source) if re.split("[.:]", name)[0] not in own | sys.stdlib_module_names}
    return tuple(sorted(found | set(ALWAYS)))


@lru_cache(maxsize=64)
def _imported(source: bytes) -> frozenset[str]:
    found: set[str] = set()
    # A lab that cannot be parsed is refused where it is graded, with words.
    with contextlib.suppress(NotebookRefused):
        for cell in parse_notebook(source).cells:
            if cell.cell_type == "code":
                found.update(_imports_of(cell.source))
    return frozenset(found)


def _imports_of(source: str) -> Iterator[str]:
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.walk(parsed(without_magics(source))):
            if isinstance(node, ast.Import):
                yield from (part.name for part in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                if node.module in LAZY:
                    yield from (f"{node.module}:{part.name}" for part in node.names)
