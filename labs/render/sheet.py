"""A contact sheet of previs clips with their captions, to be looked at by a person.

python -m labs.render.sheet FILE.png [--clips 12] [--seed 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from labs.render.wish import AXES, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COLUMNS = 5
GAP = 6
LINE = 16


def contact_sheet(clips: Sequence[NDArray[np.uint8]], captions: Sequence[str], *, scale: int = 1) -> Image.Image:
    """One row a clip, frames evenly spaced from first to last, its caption under it, two clips side by side."""
    frames, height, width = clips[0].shape[:3]
    shown = [round(place * (frames - 1) / (COLUMNS - 1)) for place in range(COLUMNS)]
    row_width, row_height = COLUMNS * (width * scale + 2), height * scale + LINE + GAP
    rows = (len(clips) + 1) // 2
    sheet = Image.new("RGB", (2 * row_width + GAP, rows * row_height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (clip, caption) in enumerate(zip(clips, captions, strict=True)):
        left, top = (number % 2) * (row_width + GAP), (number // 2) * row_height
        for place, frame in enumerate(clip[shown]):
            tile = Image.fromarray(frame).resize((width * scale, height * scale))
            sheet.paste(tile, (left + place * (width * scale + 2), top))
        pen.text((left + 2, top + height * scale + 2), caption, fill="black")
    return sheet


def sample_wishes(count: int, seed: int) -> tuple[Wish, ...]:
    """Wishes that walk through every word of every axis before one comes back."""
    rng = np.random.default_rng(seed)
    columns = {
        axis: [str(word) for _ in range(-(-count // len(words))) for word in rng.permutation(words)][:count]
        for axis, words in AXES.items()
    }
    return tuple(Wish(**{axis: columns[axis][number] for axis in AXES}) for number in range(count))


def main(arguments: list[str] | None = None) -> int:
    """Draw a sheet and write it."""
    parser = argparse.ArgumentParser(prog="python -m labs.render.sheet", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    from labs.render.clip import render  # noqa: PLC0415 - late: torch takes seconds

    wishes = sample_wishes(asked.clips, asked.seed)
    drawn = render(wishes, range(asked.seed, asked.seed + asked.clips), frames=17, width=90, height=160).numpy()
    contact_sheet(list(drawn), [f"previs · {wish.caption}" for wish in wishes]).save(asked.file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
