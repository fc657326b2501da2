"""Previs: a procedural engine that draws short clips from film language. It is no diffusion and never called so.

::

    wish      the six things a clip can be asked for, as a value, a caption and back
    plan      the numbers of one clip, drawn from its seed
    noise, places, subjects, lights, camera    what is in the picture
    clip      draws a batch of clips on the CPU or a GPU
    take      a previs take with its film and record, its picture marked PREVIS
    sheet     a contact sheet: python -m labs.render.sheet FILE
"""

from labs.render.take import previs, sketch
from labs.render.wish import AXES, COLOURS, LIGHTS, MOVES, PLACES, SIZES, SUBJECTS, Wish, WishError, wish_from

__all__ = [
    "AXES",
    "COLOURS",
    "LIGHTS",
    "MOVES",
    "PLACES",
    "SIZES",
    "SUBJECTS",
    "Wish",
    "WishError",
    "previs",
    "sketch",
    "wish_from",
]
