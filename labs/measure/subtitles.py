"""The subtitles of a film: a text stream inside it, or an SRT or WebVTT file beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.measure.boxed import MeasureError, in_box
from labs.measure.film import opened_media

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CUES = 5000
MAX_TEXT = 2000
MAX_FILE = 2_000_000
BESIDE = (".srt", ".vtt")
_TIME = r"(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{3})"
_SPAN = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_MARKUP = re.compile(r"<[^<>]{0,80}>|\{\\[^{}]{0,80}\}")
_ASS_TEXT_FIELD = 8


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: from when to when, in seconds, and its words without markup."""

    start: float
    end: float
    text: str


@in_box
def subtitles(path: str | Path) -> list[Cue]:
    """The cues of a ``.srt`` or ``.vtt`` file, or of the first text stream of a film, in their order; none is no error.

    Raises:
        MeasureError: there is no such file, it cannot be read, or holds more than any film does.
    """
    file = Path(path)
    cues: list[Cue] = []
    for cue in _beside(file) if file.suffix.lower() in BESIDE else _inside(file):
        if len(cues) >= MAX_CUES:
            raise MeasureError(f"{file}：字幕超过 {MAX_CUES} 条", f"{file}: got more than {MAX_CUES} subtitles")
        cues.append(cue)
    return cues


def _beside(file: Path) -> Iterator[Cue]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MeasureError(f"{file}：读不到 UTF-8 文字", f"{file}: cannot be read as UTF-8 text") from error
    if len(content) > MAX_FILE:
        raise MeasureError(f"{file}：超过 {MAX_FILE} 字节", f"{file}: more than {MAX_FILE} bytes")
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.split("\n")
        for number, line in enumerate(lines):
            if found := _SPAN.match(line):
                times = [float(part or 0) for part in found.groups()]
                start, end = (3600 * h + 60 * m + s + ms / 1000 for h, m, s, ms in (times[:4], times[4:]))
                yield Cue(start, end, _plain("\n".join(lines[number + 1 :])))
                break


def _inside(file: Path) -> Iterator[Cue]:
    with opened_media(file) as container:
        if not container.streams.subtitles:
            return
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            if packet.pts is None or not packet.size:
                continue
            start = float(packet.pts * packet.time_base)
            end = start + float((packet.duration or 0) * packet.time_base)
            for text in _texts(packet):
                yield Cue(start, end, text)


def _texts(packet: Any) -> Iterator[str]:
    for shown in packet.decode():
        # Every text decoder answers in the ASS form: eight fields and the words.
        fields = shown.ass.decode("utf-8", "replace").split(",", _ASS_TEXT_FIELD)
        if len(fields) > _ASS_TEXT_FIELD and (text := _plain(fields[-1].replace("\\N", "\n"))):
            yield text


def _plain(text: str) -> str:
    return _MARKUP.sub("", text[:MAX_TEXT]).strip()
