"""What a clip shows in film language, measured from its frames: move, size, subject, colour, light. No model is needed.

Measured against previs clips of known truth by ``python -m labs.measure.accuracy``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from labs.measure.camera import CameraPath, camera_path
from labs.measure.colours import colour_mask, colour_of, light_of, neutral
from labs.measure.figure import find_figure
from labs.render.lights import LIGHT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labs.render.wish import Wish

MEASURED = ("move", "size", "subject", "colour", "light")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found; None where nothing can be named. ``fit``: how well the figure's outline lies."""

    move: str
    light: str
    subject: str | None
    size: str | None
    colour: str | None
    fit: float
    path: CameraPath

    def obeys(self, wish: Wish) -> dict[str, bool]:
        """For each measured axis whether the clip shows what was asked for."""
        seen = asdict(self)
        return {axis: seen[axis] == getattr(wish, axis) for axis in MEASURED}


def look_at(frames: NDArray[np.uint8]) -> Seen:
    """Measure ``uint8[T, H, W, 3]`` (RGB); size and subject are read at the middle of the clip."""
    light = light_of(frames)
    plain = neutral(frames, LIGHT[light])
    mask = colour_mask(plain)
    path = camera_path(frames)
    figure = find_figure(mask[len(frames) // 2])
    return Seen(
        move=path.move,
        light=light,
        subject=figure.name if figure else None,
        size=figure.size if figure else None,
        colour=colour_of(plain, mask),
        fit=figure.fit if figure else 0.0,
        path=path,
    )
