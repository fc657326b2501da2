"""Measures a film from its own file: what it holds, and how it looks and moves. No model is needed."""

from labs.measure.camera import CameraPath, camera_path
from labs.measure.film import MeasureError, Probe, probe, read_frames
from labs.measure.film_language import Seen, look_at
from labs.measure.look import brightness, flicker, motion

__all__ = [
    "CameraPath",
    "MeasureError",
    "Probe",
    "Seen",
    "brightness",
    "camera_path",
    "flicker",
    "look_at",
    "motion",
    "probe",
    "read_frames",
]
