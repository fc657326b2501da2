"""Which figure a clip shows and how much of the frame it fills: known outlines are laid over what is coloured.

First every outline in every size, wherever it fits best, on a small picture (correlation by FFT); then the best place
of each is refined at full size. The measure of fit is Dice's: twice the overlap by the sum of both areas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from labs.measure.camera import shrink
from labs.render.plan import FILL

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTLINES = "outlines.npz"
REACH = 1.7
"""Outlines cover -REACH..REACH of a figure's local units in both directions."""
COARSE_WIDTH = 36
FILLS = np.geomspace(0.16, 1.55, 18)
WORST_FIT = 0.3


@dataclass(frozen=True, slots=True)
class Figure:
    """``fill`` is the side of the square of the figure's area in frame widths, ``fit`` 0..1 how well it lies."""

    name: str
    fill: float
    fit: float

    @property
    def size(self) -> str:
        """The shot size whose fill is nearest."""
        return min(FILL, key=lambda name: abs(np.log(self.fill / FILL[name])))


def find_figure(mask: NDArray[np.float32]) -> Figure | None:
    """The figure in ``float32[H, W]`` (0..1, 1 where coloured); None when none of the outlines fits at all."""
    candidates = _coarse(mask)
    best = max((_refined(mask, *candidate) for candidate in candidates), key=lambda figure: figure.fit)
    return best if best.fit >= WORST_FIT else None


@lru_cache(maxsize=1)
def outlines() -> dict[str, NDArray[np.float32]]:
    """Each figure's coloured part, ``float32[96, 96]``; ``cup`` also mirrored, as ``cup mirrored``."""
    with files("labs.measure").joinpath(OUTLINES).open("rb") as stream, np.load(stream) as stored:
        known = {name: stored[name].astype(np.float32) / 255 for name in stored.files}
    return known | {"cup mirrored": known["cup"][:, ::-1]}


@lru_cache(maxsize=4)
def _spectra(height: int, width: int) -> tuple[list[tuple[str, float]], NDArray[np.complex64], NDArray[np.float32]]:
    """Every outline in every size for a small picture: names and fills, spectra, and areas seen at each shift."""
    keys = list(product(outlines(), FILLS))
    padded = np.zeros((len(keys), 2 * height, 2 * width), np.float32)
    for number, (name, fill) in enumerate(keys):
        x = (np.arange(2 * width) - width) / width
        y = (np.arange(2 * height) - height) / width
        padded[number] = _outline(name, fill, x[None, :], y[:, None])
    spectra = np.conj(np.fft.rfft2(padded))
    frame = np.zeros((2 * height, 2 * width), np.float32)
    frame[:height, :width] = 1
    areas = np.fft.irfft2(np.fft.rfft2(frame) * np.conj(np.fft.rfft2(padded**2)), s=frame.shape).astype(np.float32)
    return keys, spectra.astype(np.complex64), areas


def _outline(name: str, fill: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
    """An outline of ``fill`` at places given in frame widths from its middle, read between its pixels."""
    drawn = outlines()[name]
    last = drawn.shape[0] - 1
    column, row = np.broadcast_arrays(*((place / (fill / 2) / REACH + 1) / 2 * last for place in (x, y)))
    inside = (column > 0) & (column < last) & (row > 0) & (row < last)
    column, row = np.clip(column, 0, last - 0.001), np.clip(row, 0, last - 0.001)
    left, top = column.astype(np.intp), row.astype(np.intp)
    along, below = column - left, row - top
    upper = drawn[top, left] * (1 - along) + drawn[top, left + 1] * along
    lower = drawn[top + 1, left] * (1 - along) + drawn[top + 1, left + 1] * along
    read: NDArray[np.float32] = ((upper * (1 - below) + lower * below) * inside).astype(np.float32)
    return read


def _coarse(mask: NDArray[np.float32]) -> list[tuple[str, float, float, float]]:
    """The best size and place of each outline: name, fill, x and y of its middle in frame widths from the centre."""
    small = shrink(mask[None], COARSE_WIDTH)[0]
    height, width = small.shape
    keys, spectra, areas = _spectra(height, width)
    padded = np.zeros((2 * height, 2 * width), np.float32)
    padded[:height, :width] = small
    overlaps = np.fft.irfft2(np.fft.rfft2(padded) * spectra, s=padded.shape)
    fits = 2 * overlaps / (areas + float((small**2).sum()) + 1e-6)
    # An outline's middle lies at (height, width) of its padded picture: shift 0 puts it there.
    best: dict[str, tuple[float, tuple[float, float, float]]] = {}
    flat = fits.reshape(len(keys), -1)
    places = flat.argmax(axis=1)
    for number, (name, fill) in enumerate(keys):
        fit = float(flat[number, places[number]])
        if name not in best or fit > best[name][0]:
            row, column = divmod(int(places[number]), 2 * width)
            down, across = (row + height) % (2 * height), (column + width) % (2 * width)
            middle = ((across - (width - 1) / 2) / width, (down - (height - 1) / 2) / width)
            best[name] = (fit, (float(fill), *middle))
    return [(name, *found) for name, (_, found) in best.items()]


def _refined(mask: NDArray[np.float32], name: str, fill: float, x: float, y: float) -> Figure:
    """Walk to the best nearby size and place at full size, with steps that halve."""
    height, width = mask.shape
    across = ((np.arange(width) - (width - 1) / 2) / width)[None, :]
    down = ((np.arange(height) - (height - 1) / 2) / width)[:, None]
    area = float((mask**2).sum())

    def fit(point: tuple[float, float, float]) -> float:
        drawn = _outline(name, float(np.exp(point[0])), across - point[1], down - point[2])
        return float(2 * (drawn * mask).sum() / ((drawn**2).sum() + area + 1e-6))

    here = (float(np.log(fill)), x, y)
    best = fit(here)
    for step in (0.03, 0.015, 0.008):
        for grow, aside, lower in ((2.5, 0, 0), (-2.5, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)):
            there = (here[0] + step * grow, here[1] + step * aside, here[2] + step * lower)
            if (found := fit(there)) > best:
                here, best = there, found
    return Figure(name.removesuffix(" mirrored"), float(np.exp(here[0])), best)
