"""Reads Fountain with screenplain and turns its paragraphs into our scenes.

Fountain knows English scene headings by ``INT.`` and ``EXT.`` and character cues by capital letters. Chinese has
neither, so it uses Fountain's forcing marks: a leading dot for a heading (``.内景 咖啡馆 - 夜``), a leading ``@`` for a
cue (``@林晚``).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screenplain.parsers import fountain
from screenplain.types import Action, Dialog, DualDialog, Slug, Transition

from labs.script.headings import looks_like_heading, parse_heading
from labs.script.screenplay import Line, Scene, Screenplay, ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1_000_000


def read(path: str | Path) -> Screenplay:
    """Read and parse a ``.fountain`` file (UTF-8).

    Raises:
        ScriptError: there is no such file, it is not UTF-8, is too large, or holds no scene.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ScriptError(
            f"读不到剧本 {file}：{error.strerror}", f"cannot read the screenplay {file}: {error.strerror}"
        ) from error
    if len(content) > MAX_BYTES:
        raise ScriptError(
            f"{file}：文件有 {len(content)} 字节，最多 {MAX_BYTES} 字节",
            f"{file}: got {len(content)} bytes, expected at most {MAX_BYTES}",
        )
    try:
        return parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ScriptError(
            f"{file}：第 {error.start} 字节不是 UTF-8，请另存为 UTF-8",
            f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8",
        ) from error


def parse(text: str) -> Screenplay:
    """Parse Fountain text into a screenplay with at least one scene.

    Raises:
        ScriptError: a heading lacks its dot, or there is no scene heading at all.
    """
    _refuse_undotted_headings(text)
    parsed = fountain.parse(io.StringIO(text))
    scenes = tuple(_scenes(parsed))
    if not scenes:
        raise ScriptError(
            "剧本里没有场景标题；需要至少一行以点开头的标题，例如：.内景 咖啡馆 - 夜",
            "the screenplay has no scene heading; expected at least one, such as: INT. COFFEE SHOP - NIGHT",
        )
    page = parsed.title_page
    return Screenplay(title=_page_words(page, "Title"), author=_page_words(page, "Author"), scenes=scenes)


def _refuse_undotted_headings(text: str) -> None:
    previous = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not previous.strip() and looks_like_heading(line) and " - " in line:
            heading = line.strip()
            raise ScriptError(
                f"第 {number} 行“{heading}”像是场景标题，但缺少开头的点；请写成“.{heading}”",
                f"line {number}, {heading!r}, reads as a scene heading without its dot; write {'.' + heading!r}",
            )
        previous = line


def _page_words(page: dict[str, list[str]], key: str) -> str:
    return " ".join(part.strip() for part in page.get(key, [])).strip()


def _scenes(paragraphs: Any) -> Iterator[Scene]:
    heading: str | None = None
    lines: list[Line] = []
    number = 0
    for paragraph in paragraphs:
        if isinstance(paragraph, Slug):
            if heading is not None:
                yield _scene(number, heading, lines)
            heading, lines, number = _text(paragraph.line), [], number + 1
        elif heading is not None:
            lines.extend(_lines(paragraph))
    if heading is not None:
        yield _scene(number, heading, lines)


def _scene(number: int, heading: str, lines: list[Line]) -> Scene:
    parts = parse_heading(heading)
    return Scene(number, heading, parts.setting, parts.place, parts.time, tuple(lines))


def _lines(paragraph: Any) -> Iterator[Line]:
    if isinstance(paragraph, Action):
        yield Line("action", " ".join(_text(line).strip() for line in paragraph.lines))
    elif isinstance(paragraph, Dialog):
        yield _speech(paragraph)
    elif isinstance(paragraph, DualDialog):
        yield _speech(paragraph.left)
        yield _speech(paragraph.right)
    elif isinstance(paragraph, Transition):
        yield Line("transition", _text(paragraph.line))


def _speech(dialog: Any) -> Line:
    said: list[str] = []
    manner: list[str] = []
    for in_brackets, rich in dialog.blocks:
        text = _text(rich)
        # screenplain knows the ASCII bracket only; a Chinese keyboard types the full-width one.
        (manner if in_brackets or text.startswith("（") else said).append(text)
    # "林晚 (画外)" speaks as 林晚: the extension says where the voice is, not who it is.
    name = _text(dialog.character).split("(")[0].split("（")[0].strip()
    return Line("dialogue", " ".join(said), character=name, manner=" ".join(manner).strip("()（）"))


def _text(rich: Any) -> str:
    return str(rich)
