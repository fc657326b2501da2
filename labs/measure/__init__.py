"""Measures a film from its own file: what it holds, and how it looks and moves. No model is needed."""

from labs.measure.film import MeasureError, Probe, probe, read_frames
from labs.measure.look import brightness, flicker, motion

__all__ = ["MeasureError", "Probe", "brightness", "flicker", "motion", "probe", "read_frames"]
