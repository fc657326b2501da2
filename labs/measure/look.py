"""Cheap measures of a clip's look, from frames ``uint8[T, H, W, 3]`` (RGB)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rec. 709 luma weights of red, green and blue.
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def luminance(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma in 0..1 as ``float32[T, H, W]``."""
    weighted: NDArray[np.float32] = frames.astype(np.float32) @ _LUMA / np.float32(255)
    return weighted


def brightness(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean luma of each frame in 0..1, as ``float32[T]``."""
    means: NDArray[np.float32] = luminance(frames).mean(axis=(1, 2))
    return means


def motion(frames: NDArray[np.uint8]) -> float:
    """Mean absolute change of luma from one frame to the next, in 0..1; 0.0 for a still picture."""
    if len(frames) < 2:  # noqa: PLR2004 - a change needs two frames
        return 0.0
    return float(np.abs(np.diff(luminance(frames), axis=0)).mean())


def flicker(frames: NDArray[np.uint8]) -> float:
    """Mean absolute second difference of each frame's mean luma, in 0..1.

    The second difference: a steady fade or camera move is no flicker, a light that jumps up and back is.
    """
    if len(frames) < 3:  # noqa: PLR2004 - a second difference needs three frames
        return 0.0
    return float(np.abs(np.diff(brightness(frames), n=2)).mean())
