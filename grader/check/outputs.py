"""Outputs that came out of a box, made safe to show: plain text, real PNG pictures and streams, nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from grader.sandbox.view import HOME, WORK

_MAX_OUTPUTS = 200
_CONTROL = re.compile(
    r"[^\x09\x0a\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    # What turns the writing direction can make a line read as another one.
    r"|[\u202a-\u202e\u2066-\u2069]"
)
_HOST_PATHS = re.compile(r"(?:/[\w.+-]+)+/(?=site-packages/|python3\.\d+/|grader/|labs/)")
_CELL_NAMES = re.compile(r"<ipython-input-(\d+)-[0-9a-f]+>")
_BOX_PATHS = re.compile(re.escape(WORK) + "/?|" + re.escape(HOME) + "/?")

Output = dict[str, Any]
Redraw = Callable[[str], "str | None"]
"""Draws base64 of a PNG anew, somewhere a hostile picture can do no harm."""


def safe_outputs(raw: Any, allowance: int, redraw: Redraw) -> list[Output]:
    """Make nbformat outputs from what a box says its cell put out, at most ``allowance`` characters of them."""
    made: list[Output] = []
    for one in raw[:_MAX_OUTPUTS] if isinstance(raw, list) else ():
        output = _safe(one, allowance, redraw) if isinstance(one, dict) else None
        if output is not None:
            made.append(output)
            allowance -= _size(output)
    return made


def stream(name: str, text: str) -> Output:
    """A stream output."""
    return {"output_type": "stream", "name": name, "text": text}


def text_of(outputs: list[Output]) -> str:
    """What a reader sees of ``outputs`` as text."""
    return "".join(
        str(one["text"]) if one["output_type"] == "stream" else str(one["data"].get("text/plain", "")) + "\n"
        for one in outputs
    )


def clean_text(text: str, limit: int) -> str:
    """``text`` without control characters and paths of the machine, cut to ``limit`` characters."""
    shown = _CELL_NAMES.sub(r"Cell In[\1]", _CONTROL.sub("", text[: limit * 2]))
    return _HOST_PATHS.sub("", _BOX_PATHS.sub("", shown))[:limit]


def _safe(one: dict[str, Any], allowance: int, redraw: Redraw) -> Output | None:
    if allowance <= 0:
        return None
    if one.get("name") in ("stdout", "stderr") and isinstance(one.get("text"), str):
        text = clean_text(one["text"], allowance)
        return stream(one["name"], text) if text else None
    data = one.get("data")
    if not isinstance(data, dict):
        return None
    shown: dict[str, Any] = {}
    if isinstance(plain := data.get("text/plain"), str):
        shown["text/plain"] = clean_text(plain, allowance)
    if isinstance(image := data.get("image/png"), str) and len(image) <= allowance and (png := redraw(image)):
        shown["image/png"] = png
    return {"output_type": "display_data", "metadata": {}, "data": shown} if shown else None


def _size(output: Output) -> int:
    return len(output.get("text", "")) + sum(len(value) for value in output.get("data", {}).values())
