"""Measures a film from its own file: what it holds, and how it looks and moves. No model is needed."""

from labs.measure.boxed import MeasureError
from labs.measure.camera import CameraPath, camera_path
from labs.measure.cuts import find_cuts
from labs.measure.film import Probe, probe, read_frames
from labs.measure.film_language import Seen, look_at
from labs.measure.look import brightness, flicker, motion
from labs.measure.sound import Loudness, loudness
from labs.measure.steady import consistency, shake, smoothness
from labs.measure.subtitles import Cue, subtitles

__all__ = [
    "CameraPath",
    "Cue",
    "Loudness",
    "MeasureError",
    "Probe",
    "Seen",
    "brightness",
    "camera_path",
    "consistency",
    "find_cuts",
    "flicker",
    "look_at",
    "loudness",
    "motion",
    "probe",
    "read_frames",
    "shake",
    "smoothness",
    "subtitles",
]
