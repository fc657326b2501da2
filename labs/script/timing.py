"""How long a scene plays: an estimate from its words, before anything is shot.

The speeds are rules of thumb for short vertical drama, kept as named numbers so that a lab can argue with them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labs.script.screenplay import Scene, Screenplay

HAN_PER_SECOND = 4.5
"""Chinese characters a second: quick, clear drama speech, about 270 a minute."""
WORDS_PER_SECOND = 2.5
"""English words a second: about 150 a minute."""
SECONDS_PER_ACTION = 2.0
"""Screen time of one action paragraph."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z0-9]+(?:['’-][A-Za-z0-9]+)*")


def spoken_seconds(text: str) -> float:
    """Seconds it takes to say ``text``: Han characters and Latin words each at their own speed, marks at none."""
    return len(_HAN.findall(text)) / HAN_PER_SECOND + len(_WORD.findall(text)) / WORDS_PER_SECOND


def scene_seconds(scene: Scene) -> float:
    """Seconds of one scene: its speeches plus a fixed time for each action paragraph."""
    actions = sum(1 for line in scene.lines if line.kind == "action")
    return spoken_seconds(scene.dialogue) + SECONDS_PER_ACTION * actions


def episode_seconds(screenplay: Screenplay) -> float:
    """Seconds of the whole episode."""
    return sum(scene_seconds(scene) for scene in screenplay.scenes)
