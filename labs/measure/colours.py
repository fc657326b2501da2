"""In which light a clip plays, and the one strong colour in it, with the light taken out."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np

from labs.render.lights import COLOUR, LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labs.render.lights import Light

CORNER = 0.16
"""Side of the corners that are looked at for the light, as a part of the frame's sides: figures hardly reach them."""
OVERWRITTEN = 1.5
"""Brightness, with the light taken out, that no figure reaches."""


def light_of(frames: NDArray[np.uint8]) -> str:
    """The light under which the corners of ``uint8[T, H, W, 3]`` come out least coloured."""
    return min(LIGHT, key=lambda name: _corner_colour(neutral(frames, LIGHT[name])))


def neutral(frames: NDArray[np.uint8], light: Light) -> NDArray[np.float32]:
    """The frames as they would be in plain day, ``float32[T, H, W, 3]``; bright parts may pass 1."""
    across = np.linspace(0, 1, frames.shape[2], dtype=np.float32)[:, None]
    left, right = np.array(light.left, np.float32), np.array(light.right, np.float32)
    gains = (left + (right - left) * across).astype(np.float32)
    return (frames.astype(np.float32) / np.float32(255) / gains).astype(np.float32)


def colour_mask(plain: NDArray[np.float32]) -> NDArray[np.float32]:
    """How surely each pixel is strongly coloured, 0..1 as ``float32[T, H, W]``."""
    highest, lowest = plain.max(axis=-1), plain.min(axis=-1)
    saturation = (highest - lowest) / (highest + 0.02)
    mask: NDArray[np.float32] = np.clip((saturation - 0.32) / 0.25, 0, 1) * np.clip((highest - 0.2) / 0.15, 0, 1)
    # What is brighter than the light allows was written over the picture: a label, a caption, a mark.
    return np.where(highest > OVERWRITTEN, np.float32(0), mask)


def colour_of(plain: NDArray[np.float32], mask: NDArray[np.float32]) -> str | None:
    """The name of the colour under ``mask``; None when hardly anything is coloured."""
    if float(mask.mean()) < 1e-3:  # noqa: PLR2004 - a wide shot's smallest figure covers ten times as much
        return None
    mean = (plain * mask[..., None]).sum(axis=(0, 1, 2)) / mask.sum()
    hue = _hue(tuple(mean))
    return min(COLOUR, key=lambda name: _turn(hue, _hue(COLOUR[name])))


def _corner_colour(plain: NDArray[np.float32]) -> float:
    height, width = plain.shape[1:3]
    tall, broad = max(int(height * CORNER), 1), max(int(width * CORNER), 1)
    rows = np.r_[0:tall, height - tall : height]
    columns = np.r_[0:broad, width - broad : width]
    corners = plain[:, rows][:, :, columns].reshape(-1, 3)
    highest = corners.max(axis=1)
    saturation = (highest - corners.min(axis=1)) / (highest + 0.05)
    # Dark pixels hold hardly any colour after compression: they count by their brightness, up to a point.
    weight = np.minimum(highest, 0.5)
    return float((np.minimum(saturation, 0.6) * weight).sum() / (weight.sum() + 1e-6))


def _hue(rgb: tuple[float, ...]) -> float:
    return colorsys.rgb_to_hsv(*(min(max(float(part), 0.0), 1.0) for part in rgb))[0]


def _turn(one: float, other: float) -> float:
    apart = abs(one - other) % 1
    return min(apart, 1 - apart)
