"""Draws a batch of clips, on the CPU or a GPU; clips of one set or one figure are drawn together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from labs.render.lights import COLOUR, LIGHT
from labs.render.places import PLACE, TINTS
from labs.render.plan import SET_ZOOM, Plan, plan
from labs.render.subjects import DARK, FOOT, PALE, SUBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from labs.render.wish import Wish


@torch.no_grad()
def render(
    wishes: Sequence[Wish],
    seeds: Sequence[int],
    *,
    frames: int,
    width: int,
    height: int,
    unit: int | None = None,
    device: str = "cpu",
    standing: bool = False,
) -> Tensor:
    """The clips as ``uint8[N, frames, height, width, 3]`` (RGB) on ``device``.

    ``unit`` is how many pixels make a frame width: less than ``width`` where a margin will be cut off. ``standing``: on
    standing sets, as :func:`labs.render.plan.plan` says.
    """
    plans = [plan(wish, seed, frames, standing=standing) for wish, seed in zip(wishes, seeds, strict=True)]
    unit = unit or width
    u, v = _frame(width, height, unit, device)
    look_x, look_y, zoom = (_column(plans, name, device) for name in ("look_x", "look_y", "log_zoom"))
    picture = _sets(plans, u / (zoom * SET_ZOOM).exp() + look_x, v / (zoom * SET_ZOOM).exp() + look_y)
    picture = _add_subjects(picture, plans, (u / zoom.exp() + look_x, v / zoom.exp() + look_y, zoom.exp() * unit))
    picture = picture * _lights(plans, width, height, device)
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2).contiguous()


def _frame(width: int, height: int, unit: int, device: str) -> tuple[Tensor, Tensor]:
    """Where each pixel is, in frame widths from the middle: ``float32[1, 1, height, width]`` each."""
    u = (torch.arange(width, device=device, dtype=torch.float32) + 0.5 - width / 2) / unit
    v = (torch.arange(height, device=device, dtype=torch.float32) + 0.5 - height / 2) / unit
    return u.view(1, 1, 1, width), v.view(1, 1, height, 1)


def _column(plans: Sequence[Plan], name: str, device: str) -> Tensor:
    """One number, or one path, of every plan as ``float32[N, T or 1, 1, 1]``."""
    values = np.stack([np.atleast_1d(np.asarray(getattr(one, name), np.float32)) for one in plans])
    return torch.from_numpy(values).to(device).view(len(plans), -1, 1, 1)


def _sets(plans: Sequence[Plan], x: Tensor, y: Tensor) -> Tensor:
    """The empty sets: ``float32[N, T, 3, H, W]``."""
    x, y = torch.broadcast_tensors(x, y)
    picture = x.new_empty((*x.shape[:2], 3, *x.shape[2:]))
    salt = _column(plans, "salt", str(x.device)).to(torch.int64)
    shift = _column(plans, "set_shift", str(x.device))
    for name, draw in PLACE.items():
        mine = [number for number, one in enumerate(plans) if one.wish.place == name]
        if mine:
            bright = draw(x[mine], y[mine], salt[mine], shift[mine])
            picture[mine] = bright.unsqueeze(2) * x.new_tensor(TINTS[name]).view(1, 1, 3, 1, 1)
    return picture


def _add_subjects(picture: Tensor, plans: Sequence[Plan], view: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Put each clip's figure and its shadow into the set; ``view`` is x, y and pixels a frame width at the subject."""
    x, y, pixels = view
    device = str(picture.device)
    half = _column(plans, "fill", device) / 2
    local_x = (x - _column(plans, "stand_x", device)) / half * _column(plans, "facing", device)
    local_y = (y - _column(plans, "stand_y", device)) / half
    local_x, local_y = torch.broadcast_tensors(local_x, local_y)
    sharp = (pixels * half).expand(-1, picture.shape[1], -1, -1)
    ink = picture.new_tensor([COLOUR[one.wish.colour] for one in plans]).view(-1, 1, 3, 1, 1)
    for name, draw in SUBJECT.items():
        mine = [number for number, one in enumerate(plans) if one.wish.subject == name]
        if not mine:
            continue
        figure_x, figure_y = local_x[mine], local_y[mine]
        shadow = torch.exp(-3 * ((figure_x / 1.1).square() + ((figure_y - FOOT[name]) / 0.16).square()))
        seen = picture[mine] * (1 - 0.55 * shadow.unsqueeze(2))
        # Lit from above: a figure is a little darker towards its foot, its hue stays.
        shade = (0.95 - 0.10 * figure_y).clamp(0.75, 1.08).unsqueeze(2)
        inks = {"colour": ink[mine] * shade, "pale": picture.new_tensor(PALE).view(1, 1, 3, 1, 1)}
        inks["dark"] = picture.new_tensor(DARK).view(1, 1, 3, 1, 1)
        for cover, kind in draw(figure_x, figure_y, sharp[mine]):
            seen = torch.lerp(seen, inks[kind].expand_as(seen), cover.unsqueeze(2))
        picture[mine] = seen
    return picture


def _lights(plans: Sequence[Plan], width: int, height: int, device: str) -> Tensor:
    """Gains ``float32[N, 1, 3, H, W]`` of each clip's light."""
    across = torch.linspace(0, 1, width, device=device).view(1, 1, 1, 1, width)
    u, v = _frame(width, height, width, device)
    corner = ((u * 2).square() + (v * 2 * width / height).square()).unsqueeze(2) / 2
    lights = [LIGHT[one.wish.light] for one in plans]
    left = torch.tensor([light.left for light in lights], device=device).view(-1, 1, 3, 1, 1)
    right = torch.tensor([light.right for light in lights], device=device).view(-1, 1, 3, 1, 1)
    vignette = torch.tensor([light.vignette for light in lights], device=device).view(-1, 1, 1, 1, 1)
    return torch.lerp(left, right, across) * (1 - vignette * corner)
