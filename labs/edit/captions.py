"""Captions: what is said, when it is seen. Checked for reading speed, written as SRT, drawn into the picture, found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labs.edit.cut import EditError, film_target, write_frames
from labs.label.mark import correlates, font_file
from labs.language import Words
from labs.measure.boxed import in_box
from labs.measure.film import opened_film
from labs.progress import progress
from labs.provenance.store import log_edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MAX_SRT_BYTES = 1_000_000
_TIMES = re.compile(r"(\d\d):(\d\d):(\d\d)[,.](\d{3})\s*-->\s*(\d\d):(\d\d):(\d\d)[,.](\d{3})\s*")
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption: ``start`` and ``end`` in seconds of the film."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class CaptionRule:
    """What a viewer can read on a phone. Letters count a half when they are not Chinese."""

    letters_a_second: float = 9.0
    letters_a_line: int = 14
    shortest: float = 0.8
    bottom: float = 0.25
    """The lowest part of a vertical picture, which the platforms' own buttons and titles cover."""

    def letters(self, text: str) -> float:
        """How much there is to read."""
        han = len(_HAN.findall(text))
        return han + (len("".join(text.split())) - han) / 2


RULE = CaptionRule()


def caption_problems(captions: Sequence[Caption], seconds: float, rule: CaptionRule = RULE) -> tuple[Words, ...]:
    """Everything that keeps ``captions`` from being read in a film of ``seconds``, in order."""
    return tuple(_problems(captions, seconds, rule))


def _problems(captions: Sequence[Caption], seconds: float, rule: CaptionRule) -> Iterator[Words]:
    before = 0.0
    for number, one in enumerate(captions, start=1):
        lasts, letters = one.end - one.start, rule.letters(one.text)
        if not one.text.strip():
            yield Words(f"第 {number} 条没有文字", f"caption {number} says nothing")
        if one.start < before - 1e-6:
            yield Words(f"第 {number} 条与上一条重叠", f"caption {number} overlaps the one before")
        if one.end > seconds + 1e-6:
            yield Words(f"第 {number} 条在片尾之后", f"caption {number} ends after the film")
        if lasts < rule.shortest - 1e-6:
            yield Words(
                f"第 {number} 条只有 {lasts:.2f} 秒，至少 {rule.shortest} 秒",
                f"caption {number} lasts {lasts:.2f} s, expected at least {rule.shortest}",
            )
        elif letters / lasts > rule.letters_a_second + 1e-6:
            yield Words(
                f"第 {number} 条每秒 {letters / lasts:.1f} 字，最多 {rule.letters_a_second:g}",
                f"caption {number} has {letters / lasts:.1f} letters a second, "
                f"expected at most {rule.letters_a_second:g}",
            )
        if any(rule.letters(line) > rule.letters_a_line for line in one.text.splitlines()):
            yield Words(
                f"第 {number} 条有一行超过 {rule.letters_a_line} 字",
                f"caption {number} has a line of more than {rule.letters_a_line} letters",
            )
        before = one.end


def write_srt(captions: Sequence[Caption], path: str | Path) -> Path:
    """Write ``captions`` as a SubRip file (UTF-8) and return where it lies."""
    blocks = (
        f"{number}\n{_stamp(one.start)} --> {_stamp(one.end)}\n{one.text.strip()}\n"
        for number, one in enumerate(captions, start=1)
    )
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(blocks), encoding="utf-8")
    return file


def read_srt(path: str | Path) -> tuple[Caption, ...]:
    """Read a SubRip file.

    Raises:
        EditError: it is missing, too large, not UTF-8, or a block has no times; the message names the block.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_SRT_BYTES:
            raise EditError(f"{file}：超过 {MAX_SRT_BYTES} 字节", f"{file}: more than {MAX_SRT_BYTES} bytes")
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EditError(f"{file}：读不出字幕（{error}）", f"{file}: no readable captions ({error})") from error
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return tuple(_parsed(number, block) for number, block in enumerate(blocks, start=1))


def burn_captions(film: str | Path, captions: Sequence[Caption], target: str | Path) -> Path:
    """Draw ``captions`` into the picture, above the part that phones cover, and note it in the chain. Sound is dropped.

    Raises:
        MeasureError: ``film`` is no film.
        EditError: ``target`` is no ``.mp4``.
    """
    source, made = Path(film), film_target(target)
    with opened_film(source) as read:
        video = read.streams.video[0]
        fps, size = float(video.average_rate), (video.codec_context.width, video.codec_context.height)
        pictures = (
            with_caption(frame.to_ndarray(format="rgb24"), _text_at(captions, number / fps))
            for number, frame in enumerate(progress(read.decode(video), "captions", total=video.frames or None))
        )
        write_frames(pictures, made, size=size, fps=fps)
    log_edit([source], made, f"captions: {len(captions)}")
    return made


@in_box
def captions_seen(film: str | Path, captions: Sequence[Caption]) -> tuple[bool, ...]:
    """For each caption whether it stands in the picture in the middle of its time.

    Raises:
        MeasureError: ``film`` is no film.
    """
    seen = [False] * len(captions)
    with opened_film(Path(film)) as read:
        video = read.streams.video[0]
        fps = float(video.average_rate)
        wanted = [int((one.start + one.end) / 2 * fps) for one in captions]
        for number, frame in enumerate(read.decode(video)):
            for place in (place for place, at in enumerate(wanted) if at == number):
                seen[place] = shows_caption(frame.to_ndarray(format="rgb24"), captions[place].text)
    return tuple(seen)


def shows_caption(frame: NDArray[np.uint8], text: str) -> bool:
    """Whether ``text`` stands in ``uint8[H, W, 3]`` as :func:`burn_captions` draws it."""
    tile, top, left = _placed(text, frame.shape[1], frame.shape[0])
    return correlates(frame[top : top + tile.shape[0], left : left + tile.shape[1]], tile)


def with_caption(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """``picture`` (``uint8[H, W, 3]``, drawn into) with ``text`` on a dark strip; as it is when there is no text."""
    if not text.strip():
        return picture
    tile, top, left = _placed(text, picture.shape[1], picture.shape[0])
    picture[top : top + tile.shape[0], left : left + tile.shape[1]] = tile[..., None]
    return picture


@lru_cache(maxsize=64)
def _placed(text: str, width: int, height: int) -> tuple[NDArray[np.uint8], int, int]:
    """White letters on a dark strip, ``uint8[h, w]``, and where its upper left corner is."""
    lines = text.strip() or " "
    font = ImageFont.truetype(font_file(), max(round(width * 0.058), 12))
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    box = pen.multiline_textbbox((0, 0), lines, font=font, align="center")
    margin = max(round(font.size) // 4, 3)
    broad = min(round(box[2] - box[0]) + 2 * margin, width)
    tile = Image.new("L", (broad, round(box[3] - box[1]) + 2 * margin), 16)
    ImageDraw.Draw(tile).multiline_text((margin - box[0], margin - box[1]), lines, fill=255, font=font, align="center")
    drawn = np.asarray(tile)[:height]
    top = max(round(height * (1 - RULE.bottom)) - drawn.shape[0], 0)
    return drawn, top, (width - broad) // 2


def _text_at(captions: Sequence[Caption], second: float) -> str:
    return next((one.text for one in captions if one.start <= second < one.end), "")


def _stamp(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d},{whole % 1000:03d}"


def _parsed(number: int, block: str) -> Caption:
    lines = block.splitlines()
    found = next((place for place, line in enumerate(lines[:2]) if _TIMES.fullmatch(line)), None)
    if found is None:
        raise EditError(
            f"字幕第 {number} 块没有时间行（应如 00:00:01,000 --> 00:00:02,500）：{block[:60]!r}",
            f"caption block {number} has no times (expected 00:00:01,000 --> 00:00:02,500): {block[:60]!r}",
        )
    match = _TIMES.fullmatch(lines[found])
    assert match is not None  # noqa: S101 - it was found a line above
    one = [int(part) for part in match.groups()]
    start, end = (3600 * h + 60 * m + s + ms / 1000 for h, m, s, ms in (one[:4], one[4:]))
    return Caption(start, end, "\n".join(lines[found + 1 :]).strip())
