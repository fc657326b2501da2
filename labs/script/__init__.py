"""Screenplays in Fountain: from text to scenes, and from scenes to an episode's structure."""

from labs.script.fountain import parse, read
from labs.script.screenplay import Line, Scene, Screenplay, ScriptError
from labs.script.timing import episode_seconds, scene_seconds, spoken_seconds

__all__ = [
    "Line",
    "Scene",
    "Screenplay",
    "ScriptError",
    "episode_seconds",
    "parse",
    "read",
    "scene_seconds",
    "spoken_seconds",
]
