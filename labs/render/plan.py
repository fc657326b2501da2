"""VALUE: the numbers of one clip, drawn from its wish and seed: camera's path, figure's place, set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labs.render.wish import Wish

FILL = {"wide": 0.22, "full": 0.38, "medium": 0.66, "close": 1.14}
"""Shot size → side of the square of the subject's area, in frame widths, at the middle of the clip."""
FILL_SPREAD = 0.10
TRAVEL = (0.34, 0.46)
"""How far a pan or tilt goes over the whole clip, in frame widths."""
ZOOM = (0.40, 0.56)
"""How far a push or pull goes over the whole clip: the logarithm of the magnification."""
SET_ZOOM = 0.75
"""The set stands further off than the subject and grows by less."""
STANDING_SALT, STANDING_EASE = 7, 0.25
"""What a standing set is drawn from, and how gently the camera starts and stops before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One clip. Paths are ``float32[T]``; lengths in frame widths, the camera's place before its zoom."""

    wish: Wish
    look_x: NDArray[np.float32]
    look_y: NDArray[np.float32]
    log_zoom: NDArray[np.float32]
    fill: float
    stand_x: float
    stand_y: float
    salt: int
    set_shift: float
    facing: int


def plan(wish: Wish, seed: int, frames: int, *, standing: bool = False) -> Plan:
    """The same wish, seed and frame count give the same plan.

    ``standing``: on the one standing set of each place, with a steady hand: what a small model can learn in an hour.
    """
    rng = np.random.default_rng([20_261_122, seed])
    if standing:
        return _on_standing_set(wish, rng, frames)
    part = _eased(np.linspace(-1, 1, frames), float(rng.uniform(0, 0.5)))
    travel, zoom = rng.uniform(*TRAVEL) / 2, rng.uniform(*ZOOM) / 2
    return Plan(
        wish=wish,
        **_camera(wish, part, travel, zoom),
        fill=FILL[wish.size] * float(np.exp(rng.uniform(-FILL_SPREAD, FILL_SPREAD))),
        stand_x=float(rng.uniform(-0.06, 0.06)),
        stand_y=float(rng.uniform(-0.05, 0.09)),
        salt=int(rng.integers(1, 30_000)),
        set_shift=float(rng.uniform(-0.12, 0.12)),
        facing=int(rng.choice((-1, 1))),
    )


def _on_standing_set(wish: Wish, rng: np.random.Generator, frames: int) -> Plan:
    """Seeds differ in where the figure stands and a little in framing; camera's pace and set are always the same.

    A set that moved by half a window from seed to seed would be an even grey in everything a model expects of it, and
    the camera's move would be lost in that.
    """
    part = _eased(np.linspace(-1, 1, frames), STANDING_EASE)
    return Plan(
        wish=wish,
        **_camera(wish, part, sum(TRAVEL) / 4, sum(ZOOM) / 4),
        fill=FILL[wish.size] * float(np.exp(rng.uniform(-FILL_SPREAD, FILL_SPREAD) / 4)),
        stand_x=float(rng.uniform(-0.03, 0.03)),
        stand_y=float(rng.uniform(0.0, 0.04)),
        salt=STANDING_SALT,
        set_shift=0.0,
        facing=1,
    )


def _camera(
    wish: Wish, part: NDArray[np.float64], travel: float, zoom: float
) -> dict[Literal["look_x", "look_y", "log_zoom"], NDArray[np.float32]]:
    """The camera's paths along ``part`` (-1..1), ``travel`` and ``zoom`` to either side of the middle."""
    still = np.zeros(len(part), np.float32)
    # The camera pans to the right: it looks further right, and the picture slides to the left.
    sideways = {"pan right": 1, "pan left": -1}.get(wish.move, 0)
    upright = {"tilt down": 1, "tilt up": -1}.get(wish.move, 0)
    inward = {"push in": 1, "pull out": -1}.get(wish.move, 0)
    return {
        "look_x": still + (sideways * travel * part).astype(np.float32),
        "look_y": still + (upright * travel * part).astype(np.float32),
        "log_zoom": still + (inward * zoom * part).astype(np.float32),
    }


def _eased(part: NDArray[np.float64], amount: float) -> NDArray[np.float64]:
    """-1..1 onto -1..1, starting and stopping gently by ``amount`` (0: at an even pace)."""
    return (1 - amount) * part + amount * np.sin(part * np.pi / 2)
