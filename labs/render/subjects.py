"""What a clip shows: flat figures of a few shapes. Each is a stack of layers, coloured, pale or dark.

Local coordinates: x to the right, y down; a figure's box has half sides ``a`` and ``b`` with ``a * b`` about 1, so
that one scale means about one area whatever the shape. ``sharp`` is pixels a local unit: edges are one pixel soft.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Ink = Literal["colour", "pale", "dark"]
Layers = list[tuple["Tensor", Ink]]
PALE = (0.84, 0.82, 0.80)
DARK = (0.13, 0.13, 0.14)


def _cover(distance: Tensor, sharp: Tensor) -> Tensor:
    return torch.clamp(0.5 - distance * sharp, 0, 1)


def _disc(x: Tensor, y: Tensor, at: tuple[float, float], radius: float) -> Tensor:
    return torch.sqrt((x - at[0]).square() + (y - at[1]).square() + 1e-9) - radius


def _block(x: Tensor, y: Tensor, at: tuple[float, float], half: tuple[float, float], *, soft: float = 0.0) -> Tensor:
    """Distance to a rectangle with corners rounded by ``soft``."""
    across, down = (x - at[0]).abs() - half[0] + soft, (y - at[1]).abs() - half[1] + soft
    outside = torch.sqrt(across.clamp(min=0).square() + down.clamp(min=0).square() + 1e-9)
    return outside + torch.maximum(across, down).clamp(max=0) - soft


def _tapered(x: Tensor, y: Tensor, rows: tuple[float, float], halves: tuple[float, float]) -> Tensor:
    """Distance, near enough, to a trapezium between two rows with half widths at its top and its foot."""
    part = (y - rows[0]) / (rows[1] - rows[0])
    side = x.abs() - (halves[0] + (halves[1] - halves[0]) * part)
    return torch.maximum(side, torch.maximum(rows[0] - y, y - rows[1]))


def woman(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """Long dark hair, a flaring dress."""
    hair = torch.minimum(_disc(x, y, (0, -1.05), 0.44), _block(x, y, (0, -0.75), (0.42, 0.45), soft=0.2))
    legs = torch.minimum(_block(x, y, (-0.2, 1.2), (0.1, 0.38)), _block(x, y, (0.2, 1.2), (0.1, 0.38)))
    arms = torch.minimum(
        _block(x + 0.35 * y, y, (-0.47, -0.02), (0.09, 0.42)), _block(x - 0.35 * y, y, (0.47, -0.02), (0.09, 0.42))
    )
    dress = torch.minimum(_tapered(x, y, (-0.62, 0.1), (0.38, 0.3)), _tapered(x, y, (0.1, 1.0), (0.3, 0.82)))
    return [
        (_cover(hair, sharp), "dark"),
        (_cover(torch.minimum(legs, arms), sharp), "pale"),
        (_cover(dress, sharp), "colour"),
        (_cover(_disc(x, y, (0, -1.0), 0.3), sharp), "pale"),
    ]


def man(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """Short hair, a broad jacket, dark trousers."""
    trousers = torch.minimum(_block(x, y, (-0.24, 1.02), (0.19, 0.56)), _block(x, y, (0.24, 1.02), (0.19, 0.56)))
    jacket = torch.minimum(
        _block(x, y, (0, -0.08), (0.55, 0.6), soft=0.18),
        torch.minimum(
            _block(x, y, (-0.68, -0.1), (0.13, 0.55), soft=0.1), _block(x, y, (0.68, -0.1), (0.13, 0.55), soft=0.1)
        ),
    )
    shirt = _tapered(x, y, (-0.7, -0.2), (0.2, 0.0))
    return [
        (_cover(trousers, sharp), "dark"),
        (_cover(jacket, sharp), "colour"),
        (_cover(shirt, sharp), "pale"),
        (_cover(_disc(x, y, (0, -1.14), 0.36), sharp), "dark"),
        (_cover(_disc(x, y, (0, -1.03), 0.31), sharp), "pale"),
    ]


def umbrella(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """A dome with a scalloped hem on a hooked stick."""
    dome = torch.maximum(_disc(x, y, (0, 0.1), 1.1), y - 0.12)
    for middle in (-0.733, 0.0, 0.733):
        dome = torch.maximum(dome, -_disc(x, y, (middle, 0.22), 0.37))
    hook = torch.maximum(_disc(x, y, (0.17, 0.82), 0.17).abs() - 0.06, 0.82 - y)
    stick = torch.minimum(_block(x, y, (0, 0.0), (0.05, 0.85)), hook)
    rib = torch.maximum(_tapered(x, y, (-0.98, 0.0), (0.02, 0.37)).abs() - 0.025, y - 0.0)
    return [(_cover(stick, sharp), "dark"), (_cover(dome, sharp), "colour"), (_cover(rib, sharp), "dark")]


def car(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """A saloon from the side."""
    body = torch.minimum(_block(x, y, (0, 0.12), (1.42, 0.34), soft=0.18), _tapered(x, y, (-0.66, -0.15), (0.55, 0.95)))
    panes = torch.maximum(_tapered(x, y, (-0.54, -0.2), (0.46, 0.76)), 0.06 - x.abs())
    wheels = torch.minimum(_disc(x, y, (-0.82, 0.44), 0.28), _disc(x, y, (0.82, 0.44), 0.28))
    hubs = torch.minimum(_disc(x, y, (-0.82, 0.44), 0.11), _disc(x, y, (0.82, 0.44), 0.11))
    return [
        (_cover(body, sharp), "colour"),
        (_cover(panes, sharp), "pale"),
        (_cover(wheels, sharp), "dark"),
        (_cover(hubs, sharp), "pale"),
    ]


def cup(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """A mug with a handle on its right."""
    handle = _disc(x, y, (0.66, 0.02), 0.45).abs() - 0.12
    body = _tapered(x, y, (-0.85, 0.9), (0.78, 0.6))
    mouth = _block(x, y, (0, -0.78), (0.68, 0.08), soft=0.08)
    return [(_cover(torch.minimum(body, handle), sharp), "colour"), (_cover(mouth, sharp), "dark")]


def ring(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """A band with a pale stone."""
    band = _disc(x, y, (0, 0.25), 0.85).abs() - 0.16
    stone = torch.maximum(_tapered(x, y, (-1.15, -0.9), (0.25, 0.42)), y + 0.9)
    point = _tapered(x, y, (-0.9, -0.5), (0.42, 0.0))
    return [(_cover(band, sharp), "colour"), (_cover(torch.minimum(stone, point), sharp), "pale")]


def door(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """A tall door in a dark frame, with two panels and a knob."""
    frame = _block(x, y, (0, 0), (0.76, 1.36))
    leaf = _block(x, y, (0, 0.04), (0.66, 1.3))
    panels = torch.minimum(_block(x, y, (0, -0.55), (0.4, 0.45)), _block(x, y, (0, 0.65), (0.4, 0.42))).abs() - 0.035
    return [
        (_cover(frame, sharp), "dark"),
        (_cover(leaf, sharp), "colour"),
        (_cover(panels, sharp), "dark"),
        (_cover(_disc(x, y, (0.52, 0.1), 0.09), sharp), "pale"),
    ]


def letter(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """An envelope with its flap and a seal."""
    paper = _block(x, y, (0, 0), (1.28, 0.82), soft=0.05)
    flap = torch.maximum((y + 0.72 - 0.95 * (1 - x.abs() / 1.28)).abs() - 0.045, x.abs() - 1.22)
    return [
        (_cover(paper, sharp), "colour"),
        (_cover(flap, sharp), "dark"),
        (_cover(_disc(x, y, (0, 0.22), 0.17), sharp), "pale"),
    ]


def ball(x: Tensor, y: Tensor, sharp: Tensor) -> Layers:
    """A ball with a pale band and a highlight."""
    outline = _disc(x, y, (0, 0), 1.0)
    band = torch.maximum((y - 0.25 + 0.25 * x.square()).abs() - 0.1, outline)
    shine = _disc(x, y, (-0.4, -0.45), 0.16)
    return [(_cover(outline, sharp), "colour"), (_cover(torch.minimum(band, shine), sharp), "pale")]


SUBJECT: dict[str, Callable[[Tensor, Tensor, Tensor], Layers]] = {
    "woman": woman,
    "man": man,
    "umbrella": umbrella,
    "car": car,
    "cup": cup,
    "ring": ring,
    "door": door,
    "letter": letter,
    "ball": ball,
}
FOOT = {
    "woman": 1.55,
    "man": 1.55,
    "umbrella": 1.0,
    "car": 0.7,
    "cup": 0.9,
    "ring": 1.25,
    "door": 1.36,
    "letter": 0.82,
    "ball": 1.0,
}
"""How far below its middle a figure touches the ground, in local units: where its shadow lies."""
