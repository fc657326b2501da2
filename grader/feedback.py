"""Renders what a learner gets back: scores with reasons, and the notebook as it ran. One HTML page without any script.

Everything in the notebook is the learner's own text and what their code printed: it is escaped, Markdown is cleaned,
and of outputs only text and raster images are shown.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import mistune
import nh3
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from grader.answers import grade_id_of, notebook_cells, source_of
from grader.viewable import IMAGE_TYPES, checked_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grader.submission import Item, LabResult, Submission
    from grader.verdict import Verdict

SHOWN_CHARS = 20_000
"""The most that is shown of one output; the rest says little and weighs much."""
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
PROSE_TAGS = {
    *("p", "br", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr"),
    *("h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}

_markdown = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
_pages = Environment(loader=PackageLoader("grader"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def render_feedback(
    submission: Submission,
    result: LabResult,
    items: tuple[Item, ...],
    verdict: Verdict,
    *,
    comments: Mapping[str, str] | None = None,
) -> bytes:
    """The feedback page as UTF-8 HTML, in Chinese and English at once: it is read as a file, far from any setting.

    Args:
        submission: what was handed in.
        result: what it was given.
        items: the graded cells as this reader may see them.
        verdict: its notebook, safe to show, is the page's second half.
        comments: what a person wrote to cells that carry no points, by cell.
    """
    by_cell = {item.grade_id: item for item in items}
    page = _pages.get_template("feedback.html").render(
        submission=submission,
        late_percent=result.late_percent,
        score=sum(item.score or 0.0 for item in items) * (1 - result.late_percent / 100),
        max_score=result.max_score,
        items=items,
        failure=verdict.failure,
        cells=list(_cells(verdict.notebook, by_cell, comments or {})),
        received=datetime.fromtimestamp(submission.received_us / 1e6, UTC),
    )
    return page.encode()


def shown_cell(notebook: bytes, grade_id: str) -> dict[str, Any] | None:
    """One cell of a notebook as it ran, fit to be shown: ``is_code``, ``source``, ``prose``, ``outputs``; or None."""
    named = (entry for entry in notebook_cells(notebook) if grade_id_of(entry) == grade_id)
    return next((_shown(number, entry) for number, entry in enumerate(named, start=1)), None)


def shown_cells(notebook: bytes) -> list[dict[str, Any]]:
    """A notebook's cells as the feedback page shows them: ``prose`` is cleaned markup, all else is plain text."""
    return list(_cells(notebook, {}, {}))


def _cells(notebook: bytes, by_cell: dict[str, Item], comments: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for number, entry in enumerate(notebook_cells(notebook), start=1):
        grade_id = grade_id_of(entry)
        yield {**_shown(number, entry), "item": by_cell.get(grade_id), "comment": comments.get(grade_id, "")}


def _shown(number: int, entry: dict[str, Any]) -> dict[str, Any]:
    is_code = entry.get("cell_type") == "code"
    outputs = entry.get("outputs") if is_code else None
    return {
        "number": number,
        "is_code": is_code,
        "source": source_of(entry),
        "prose": None if is_code else _prose(source_of(entry)),
        "outputs": [shown for output in outputs or () if (shown := _output(output)) is not None],
    }


def _prose(source: str) -> Markup:
    # A learner's "# Title" must not outrank the page's own headings.
    html = re.sub(r"<(/?)h1>", r"<\1h2>", str(_markdown(source)))
    return Markup(nh3.clean(html, tags=PROSE_TAGS, attributes={}))  # noqa: S704  cleaned by nh3 one call earlier


def _output(output: Any) -> dict[str, str] | None:
    """What is shown of one output: a picture as a data address, or text; None when it holds neither."""
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        return {"text": _text(output.get("text"))}
    if kind == "error":
        return {"text": _text(output.get("traceback") or [output.get("ename"), output.get("evalue")], "\n")}
    data = output.get("data")
    if not isinstance(data, dict):
        return None
    for media_type in IMAGE_TYPES:
        if media_type in data and (image := checked_image(media_type, data[media_type])) is not None:
            return {"image": f"data:{media_type};base64,{image}"}
    return {"text": _text(data["text/plain"])} if "text/plain" in data else None


def _text(value: Any, joint: str = "") -> str:
    text = joint.join(map(str, value)) if isinstance(value, list) else str(value or "")
    text = ANSI.sub("", text)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}\n…"
