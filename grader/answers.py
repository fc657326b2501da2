"""VALUE: what a learner wrote in each nbgrader cell, by digest, so that a mark can follow an unchanged answer."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def notebook_cells(notebook: bytes) -> tuple[dict[str, Any], ...]:
    """The cells of a notebook's JSON; none when it is empty or no notebook."""
    try:
        parsed = json.loads(notebook)
    except ValueError:
        return ()
    cells = parsed.get("cells", ()) if isinstance(parsed, dict) else ()
    return tuple(entry for entry in cells if isinstance(entry, dict)) if isinstance(cells, list) else ()


def grade_id_of(entry: dict[str, Any]) -> str:
    """The cell's nbgrader id; empty for a cell that nbgrader does not know."""
    metadata = entry.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return str(nbgrader.get("grade_id", "")) if isinstance(nbgrader, dict) else ""


def source_of(entry: dict[str, Any]) -> str:
    """The cell's text, however the file splits it into lines."""
    source = entry.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def answer_digests(notebook: bytes) -> dict[str, str]:
    """SHA-256 of the stripped text of every nbgrader cell, by its id."""
    return {
        grade_id: hashlib.sha256(source_of(entry).strip().encode()).hexdigest()
        for entry in notebook_cells(notebook)
        if (grade_id := grade_id_of(entry))
    }
