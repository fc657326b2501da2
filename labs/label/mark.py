"""Draws the visible label into a picture, and finds it again."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labs.provenance.record import ProvenanceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labs.label.rule import LabelRule

FONT = ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf")
ALIKE = 0.6
"""The label counts as seen when the picture correlates with it by at least this."""


def with_label(frame: NDArray[np.uint8], rule: LabelRule) -> NDArray[np.uint8]:
    """``uint8[H, W, 3]`` with the label, white on black, in its upper left corner."""
    tile = label_tile(rule, frame.shape[1], frame.shape[0])
    marked = frame.copy()
    marked[: tile.shape[0], : tile.shape[1]] = tile[: frame.shape[0], : frame.shape[1], None]
    return marked


def shows_label(frame: NDArray[np.uint8], rule: LabelRule) -> bool:
    """Whether the label that ``rule`` asks for stands in the corner, whatever the compression did to it."""
    tile = label_tile(rule, frame.shape[1], frame.shape[0])[: frame.shape[0], : frame.shape[1]]
    return correlates(frame[: tile.shape[0], : tile.shape[1]], tile)


def correlates(piece: NDArray[np.uint8], tile: NDArray[np.uint8]) -> bool:
    """Whether a piece of a picture, ``uint8[h, w, 3]``, shows the letters of ``tile`` (``uint8[h, w]``)."""
    drawn, grey = tile.astype(np.float64), piece.astype(np.float64).mean(axis=-1)
    wanted, found = drawn - drawn.mean(), grey - grey.mean()
    power = float(np.sqrt((wanted**2).sum() * (found**2).sum()))
    # A flat piece correlates with nothing; a label drawn faintly is none.
    return bool(power > 0 and found.std() > wanted.std() / 3 and float((wanted * found).sum()) / power >= ALIKE)


@lru_cache(maxsize=16)
def label_tile(rule: LabelRule, width: int, height: int) -> NDArray[np.uint8]:
    """The label for pictures of this size, ``uint8[h, w]``; its Chinese letters are at least as tall as the rule says.

    Raises:
        ProvenanceError: the font is not installed.
    """
    tall = rule.text_height(width, height)
    font = _font_of_height(tall)
    box = font.getbbox(rule.text)
    margin = max(tall // 6, 2)
    tile = Image.new("L", (round(box[2] - box[0]) + 2 * margin, round(box[3] - box[1]) + 2 * margin), 0)
    ImageDraw.Draw(tile).text((margin - box[0], margin - box[1]), rule.text, fill=255, font=font)
    return np.asarray(tile)


def _font_of_height(tall: int) -> ImageFont.FreeTypeFont:
    for size in range(tall, 3 * tall):
        font = ImageFont.truetype(font_file(), size)
        if _ink_height(font) >= tall:
            return font
    raise ProvenanceError(f"字体不能画出 {tall} 像素高的字", f"the font cannot draw letters {tall} pixels tall")


def _ink_height(font: ImageFont.FreeTypeFont) -> int:
    """Rows of a Chinese letter that are clearly drawn: its box counts rows too faint to be seen."""
    letter = Image.new("L", (2 * int(font.size), 2 * int(font.size)), 0)
    ImageDraw.Draw(letter).text((0, 0), "生", fill=255, font=font)
    return int(np.count_nonzero(np.asarray(letter).max(axis=1) > 127))  # noqa: PLR2004 - half of full white


def font_file() -> str:
    """Where the font with Chinese letters lies.

    Raises:
        ProvenanceError: it is not installed.
    """
    package, name = FONT
    try:
        return str(files(package).joinpath(name))
    except ModuleNotFoundError as error:
        raise ProvenanceError(
            f"没有安装字体 {package}；请告诉教师", f"the font {package} is not installed; tell your instructor"
        ) from error
