"""How the camera moves, by registration: each frame is aligned with the next by a shift and a magnification.

Gauss-Newton on brightness (Lucas and Kanade 1981), all pairs of neighbouring frames at once, with residuals above a
few deviations counted less, so that a figure before the set does not pull the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labs.measure.look import luminance

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 48
"""Width in pixels at which frames are aligned."""
ROUNDS = 10
TRAVEL_SCALE, ZOOM_SCALE = 0.40, 0.42
"""A whole pan in frame widths, a whole push in log magnification: what makes the two comparable."""
ALIKE = 0.5
"""Two frames that correlate by less than this once aligned show different things: no camera move joins them."""
STILL = 0.3
"""Below this part of a whole move, the camera counts as standing still."""


@dataclass(frozen=True, slots=True)
class CameraPath:
    """What the camera did over the clip: where it came to look (frame widths) and the log of its magnification."""

    right: float
    down: float
    zoom: float

    @property
    def move(self) -> str:
        """The name of the move in film language."""
        parts = {
            ("pan left", "pan right"): self.right / TRAVEL_SCALE,
            ("tilt up", "tilt down"): self.down / TRAVEL_SCALE,
            ("pull out", "push in"): self.zoom / ZOOM_SCALE,
        }
        names, amount = max(parts.items(), key=lambda part: abs(part[1]))
        if abs(amount) < STILL:
            return "static"
        return names[1] if amount > 0 else names[0]


def camera_path(frames: NDArray[np.uint8]) -> CameraPath:
    """Register ``frames`` (``uint8[T, H, W, 3]``) one after the other and add the steps up."""
    right, down, zoom = camera_steps(frames).sum(axis=0)
    return CameraPath(float(right), float(down), float(zoom))


def camera_steps(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How the camera moved from frame to frame, ``[T - 1, 3]``: right, down (frame widths), log magnification."""
    if len(frames) < 2:  # noqa: PLR2004 - a move needs two frames
        return np.zeros((0, 3))
    pictures = _prepared(luminance(frames))
    return _register(pictures[:-1], pictures[1:])


def shrink(pictures: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """``float32[T, H, W]`` averaged down to about ``width``; never enlarged."""
    height, old = pictures.shape[1:3]
    if old <= width:
        return pictures
    tall = max(round(height * width / old), 1)
    down, across = _averaging(height, tall), _averaging(old, width)
    shrunk: NDArray[np.float32] = np.einsum("ij,tjk,lk->til", down, pictures, across, optimize=True).astype(np.float32)
    return shrunk


def _averaging(old: int, new: int) -> NDArray[np.float32]:
    """The matrix ``float32[new, old]`` whose rows average the source pixels under each new pixel."""
    edges = np.linspace(0, old, new + 1)
    first, last = edges[:-1, None], edges[1:, None]
    pixel = np.arange(old)[None]
    weights = np.clip(np.minimum(last, pixel + 1) - np.maximum(first, pixel), 0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _prepared(bright: NDArray[np.float32]) -> NDArray[np.float32]:
    """Small, smoothed, of mean 0 and deviation 1: a dark clip counts as much as a bright one."""
    small = shrink(bright, WIDTH)
    for axis in (1, 2):
        padded = np.take(small, np.clip(np.arange(-1, small.shape[axis] + 1), 0, small.shape[axis] - 1), axis=axis)
        before, middle, after = (
            np.take(padded, np.arange(start, start + small.shape[axis]), axis=axis) for start in (0, 1, 2)
        )
        small = ((before + 2 * middle + after) / 4).astype(np.float32)
    level = small - small.mean(axis=(1, 2), keepdims=True)
    prepared: NDArray[np.float32] = level / (level.std(axis=(1, 2), keepdims=True) + 1e-3)
    return prepared


def _register(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """For each pair how the camera moved, ``[pairs, 3]``: right and down in frame widths, log magnification."""
    height, width = before.shape[1:]
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2)[None, None]
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[None, :, None]
    found = np.zeros((len(before), 3))
    for _ in range(ROUNDS):
        grow = np.exp(found[:, 2])[:, None, None]
        moved, inside = _sample(after, x * grow - found[:, 0, None, None], y * grow - found[:, 1, None, None])
        across, down = np.gradient(moved, axis=2), np.gradient(moved, axis=1)
        columns = np.stack([-across, -down, across * x + down * y], axis=-1)
        rest = before - moved
        weight = inside * _trust(rest)
        matrix = np.einsum("thw,thwi,thwj->tij", weight, columns, columns) + 1e-3 * np.eye(3)
        vector = np.einsum("thw,thwi,thw->ti", weight, columns, rest)
        found += np.linalg.solve(matrix, vector[..., None])[..., 0]
    alike = _correlation(before, moved, inside)
    return np.where(alike[:, None] >= ALIKE, found, 0.0) / np.array([width, width, 1.0])


def _correlation(
    one: NDArray[np.float32], other: NDArray[np.float32], inside: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Pearson's correlation of each pair where both are seen, ``float32[pairs]``."""
    area = inside.sum(axis=(1, 2)) + 1e-6
    centred = [part - (part * inside).sum(axis=(1, 2), keepdims=True) / area[:, None, None] for part in (one, other)]
    product = (centred[0] * centred[1] * inside).sum(axis=(1, 2))
    power = np.prod([(part**2 * inside).sum(axis=(1, 2)) for part in centred], axis=0)
    joint: NDArray[np.float32] = product / (np.sqrt(power) + 1e-6)
    return joint


def _trust(rest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Huber's weights with the median as scale."""
    size = np.abs(rest)
    limit = 2.0 * np.median(size, axis=(1, 2), keepdims=True) + 1e-3
    weights: NDArray[np.float32] = np.minimum(1.0, limit / (size + 1e-6)).astype(np.float32)
    return weights


def _sample(
    pictures: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pictures read between their pixels, and 1 where the place asked for is inside."""
    height, width = pictures.shape[1:]
    column, row = np.broadcast_arrays(x + (width - 1) / 2, y + (height - 1) / 2)
    inside = ((column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)).astype(np.float32)
    column, row = np.clip(column, 0, width - 1.001), np.clip(row, 0, height - 1.001)
    left, top = column.astype(np.intp), row.astype(np.intp)
    along, below = (column - left).astype(np.float32), (row - top).astype(np.float32)
    pair = np.arange(len(pictures))[:, None, None]
    upper = pictures[pair, top, left] * (1 - along) + pictures[pair, top, left + 1] * along
    lower = pictures[pair, top + 1, left] * (1 - along) + pictures[pair, top + 1, left + 1] * along
    return upper * (1 - below) + lower * below, inside
