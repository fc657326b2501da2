"""Shots: what each clip of an episode is to show, and the timeline an editor opens (OpenTimelineIO)."""

from labs.shots.shot import MOVES, SIZES, Move, Shot, ShotError, Size, shots_from
from labs.shots.timeline import build_timeline, read_timeline, write_timeline

__all__ = [
    "MOVES",
    "SIZES",
    "Move",
    "Shot",
    "ShotError",
    "Size",
    "build_timeline",
    "read_timeline",
    "shots_from",
    "write_timeline",
]
