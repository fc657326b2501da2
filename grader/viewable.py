"""Makes what learners wrote and printed fit for an instructor's browser: text, pictures and film, nothing active.

nbgrader's page renders Markdown and HTML output as they are; an instructor who looks at a submission must not run it.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import nh3

IMAGE_BYTES = 4_000_000
IMAGE_TYPES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
MEDIA_TYPES = {
    ".mp4": "video/mp4", ".webm": "video/webm", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
    ".wav": "audio/wav", ".mp3": "audio/mpeg", ".srt": "text/plain", ".txt": "text/plain", ".csv": "text/plain",
    ".edl": "text/plain", ".json": "text/plain", ".otio": "text/plain",
}  # fmt: skip
"""What a reader's browser may show of the files that a learner's cells left behind; nothing that could run."""
TAGS = (nh3.ALLOWED_TAGS - {"a", "map", "area"}) | {"video", "audio", "source"}
ATTRIBUTES = {
    "img": {"src", "alt", "width", "height"},
    "video": {"src", "controls", "width", "height"},
    "audio": {"src", "controls"},
    "source": {"src", "type"},
    "th": {"colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
}


def clean_html(html: Any) -> str:
    """Markup without scripts, links, ids and classes; media from the submission's own folder or the markup itself."""
    text = html.decode("utf-8", "replace") if isinstance(html, bytes) else str(html)
    return nh3.clean(text, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"data"})


def checked_image(media_type: str, value: Any) -> str | None:
    """The base64 of a picture that is what it says and not too large; None for anything else."""
    encoded = "".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        content = base64.b64decode(encoded.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not content.startswith(IMAGE_TYPES[media_type]) or len(content) > IMAGE_BYTES:
        return None
    return base64.b64encode(content).decode()


def viewable_notebook(notebook: bytes) -> bytes:
    """The notebook with nbgrader's own metadata only, and of its outputs text, pictures and cleaned markup."""
    try:
        parsed = json.loads(notebook)
        cells = [_cell(cell) for cell in parsed["cells"]]
        metadata = {
            name: parsed["metadata"][name] for name in ("kernelspec", "language_info") if name in parsed["metadata"]
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        cells, metadata, parsed = [], {}, {}
    minor = parsed.get("nbformat_minor", 5)
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}).encode()


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    nbgrader = cell["metadata"].get("nbgrader")
    kept: dict[str, Any] = {
        name: cell[name] for name in ("id", "cell_type", "source", "execution_count") if name in cell
    }
    kept["metadata"] = {"nbgrader": nbgrader} if nbgrader else {}
    if cell["cell_type"] == "code":
        kept.setdefault("execution_count", None)
        kept["outputs"] = [shown for output in cell.get("outputs", []) if (shown := _output(output))]
    return kept


def _output(output: dict[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": output.get("text", "")}
    if kind == "error":
        return {
            "output_type": "error",
            "ename": str(output.get("ename", "")),
            "evalue": str(output.get("evalue", "")),
            "traceback": [str(line) for line in output.get("traceback", [])],
        }
    data = _data(output.get("data") or {})
    return {"output_type": "display_data", "metadata": {}, "data": data} if data else None


def _data(data: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for media_type in IMAGE_TYPES:
        if media_type in data and (image := checked_image(media_type, data[media_type])) is not None:
            kept[media_type] = image
    if "text/html" in data:
        html = data["text/html"]
        kept["text/html"] = clean_html("".join(html) if isinstance(html, list) else html)
    if "text/plain" in data:
        kept["text/plain"] = data["text/plain"]
    return kept
