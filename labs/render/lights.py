"""The light of a clip: a gain for red, green and blue that may change across the frame. Shared with the measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Light:
    """Gains at the frame's left and right edge, and how much darker the corners are than the middle."""

    left: tuple[float, float, float]
    right: tuple[float, float, float]
    vignette: float = 0.0

    def gain(self, channel: int, across: float) -> float:
        """The gain of a colour channel at ``across`` (0 left, 1 right), without the vignette."""
        return self.left[channel] + (self.right[channel] - self.left[channel]) * across


LIGHT = {
    "day": Light((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "night": Light((0.22, 0.29, 0.50), (0.22, 0.29, 0.50), vignette=0.25),
    "dusk": Light((0.98, 0.64, 0.38), (0.98, 0.64, 0.38)),
    "neon": Light((0.92, 0.36, 0.80), (0.42, 0.55, 1.0)),
}
COLOUR = {
    "red": (0.86, 0.09, 0.12),
    "orange": (0.96, 0.47, 0.05),
    "yellow": (0.96, 0.86, 0.10),
    "green": (0.12, 0.64, 0.20),
    "blue": (0.10, 0.30, 0.90),
    "purple": (0.56, 0.15, 0.76),
}
