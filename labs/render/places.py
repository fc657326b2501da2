"""Where a clip plays: muted sets with enough structure to see, and to measure, how the camera moves.

Coordinates are in frame widths, x to the right, y down, (0, 0) where the camera looks at the middle of the clip. Each
place gives a brightness in 0..1 and keeps its tint faint, so that the one strong colour in a clip is its subject's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from labs.render.noise import hashed, noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

GROUND = 0.42
"""Where the wall meets the floor, in frame widths below the middle."""
TINTS = {
    "room": (1.0, 0.975, 0.945),
    "street": (0.965, 0.98, 1.0),
    "forest": (0.955, 1.0, 0.955),
    "sea": (0.95, 0.98, 1.0),
}


def _edge(distance: Tensor, sharp: float = 60.0) -> Tensor:
    """1 inside (negative distance), 0 outside, with a soft step of about ``1 / sharp`` frame widths."""
    return torch.clamp(0.5 - distance * sharp, 0, 1)


def _panel(x: Tensor, y: Tensor, middle: tuple[Tensor | float, float], half: tuple[float, float]) -> Tensor:
    return _edge(torch.maximum((x - middle[0]).abs() - half[0], (y - middle[1]).abs() - half[1]))


def room(x: Tensor, y: Tensor, salt: Tensor, shift: Tensor) -> Tensor:
    """A papered wall with a window and two pictures above a floor of planks."""
    wall = 0.70 + 0.05 * torch.sin((x + shift) * 52) + 0.05 * (noise(x * 3, y * 3, salt) - 0.5)
    for middle, half, bright in (
        ((shift - 0.42, -0.38), (0.17, 0.24), 0.97),
        ((shift + 0.47, -0.42), (0.13, 0.10), 0.4),
    ):
        inside = _panel(x, y, middle, half)
        rim = _panel(x, y, middle, (half[0] + 0.03, half[1] + 0.03))
        wall = wall * (1 - rim) + 0.28 * rim
        wall = wall * (1 - inside) + (bright + 0.1 * (noise(x * 9, y * 9, salt) - 0.5)) * inside
    bar = _panel(x, y, (shift - 0.42, -0.38), (0.012, 0.24)) + _panel(x, y, (shift - 0.42, -0.38), (0.17, 0.012))
    wall = wall * (1 - 0.65 * bar.clamp(0, 1))
    row = torch.floor((y - GROUND) * 9)
    plank = torch.floor((x + shift + hashed(row, row, salt)) * 3)
    floor = 0.36 + 0.16 * hashed(plank, row, salt) - 0.1 * _edge(((y - GROUND) * 9 - row - 0.04).abs() - 0.03, 20)
    skirting = 0.85 * _edge((y - GROUND + 0.02).abs() - 0.02)
    below = _edge(GROUND - y)
    return torch.maximum(wall * (1 - below) + floor * below, skirting)


def street(x: Tensor, y: Tensor, salt: Tensor, shift: Tensor) -> Tensor:
    """House fronts with lit and unlit windows above a road."""
    house = torch.floor((x + shift) * 1.9)
    front = 0.42 + 0.30 * hashed(house, house * 0, salt)
    top = -0.95 + 0.5 * hashed(house, house * 0 + 1, salt)
    column, row = torch.floor((x + shift) * 9.5), torch.floor(y * 7)
    across, down = (x + shift) * 9.5 - column - 0.5, y * 7 - row - 0.5
    window = _edge(torch.maximum(across.abs() - 0.26, down.abs() - 0.30), 9)
    lit = torch.where(hashed(column, row, salt) > 0.55, 0.93, 0.16)  # noqa: PLR2004 - a little under half are lit
    front = front * (1 - window) + lit * window
    sky = 0.88 + 0.06 * noise(x * 3, y * 3, salt)
    above = _edge(y - top)
    wall = front * (1 - above) + sky * above
    kerb = 0.66 + 0.12 * hashed(torch.floor((x + shift) * 5), house * 0, salt)
    road = 0.27 + 0.10 * noise(x * 14, y * 22, salt)
    dashes = _edge((y - GROUND - 0.30).abs() - 0.015) * _edge(
        (torch.frac((x + shift) * 2.5 + 50) - 0.5).abs() - 0.25, 12
    )
    ground = torch.where(y < GROUND + 0.09, kerb, road + 0.55 * dashes)
    below = _edge(GROUND - y)
    return wall * (1 - below) + ground * below


def forest(x: Tensor, y: Tensor, salt: Tensor, shift: Tensor) -> Tensor:
    """Trunks in two depths under leaves, moss below."""
    bright = 0.80 - 0.16 * noise(x * 4, y * 4, salt)
    for scale, dark, lean in ((6.0, 0.50, 0.03), (2.7, 0.22, -0.05)):
        place = (x + shift + lean * y) * scale
        trunk = torch.floor(place)
        middle = 0.3 + 0.4 * hashed(trunk, trunk * 0 + scale, salt)
        inside = _edge((place - trunk - middle).abs() - 0.17, 60 / scale)
        bark = dark + 0.12 * (noise(x * 40, y * 7, salt) - 0.5)
        bright = bright * (1 - inside) + bark * inside
    leaves = noise(x * 6, y * 6, salt) * 0.6 + noise(x * 15, y * 15, salt + 1) * 0.4
    crown = _edge(y + 0.55 + 0.5 * (leaves - 0.5), 20)
    bright = bright * (1 - crown) + (0.20 + 0.35 * leaves) * crown
    moss = 0.30 + 0.30 * noise(x * 10, y * 18, salt)
    below = _edge(GROUND + 0.05 * torch.sin(x * 5) - y)
    return bright * (1 - below) + moss * below


def sea(x: Tensor, y: Tensor, salt: Tensor, shift: Tensor) -> Tensor:
    """Clouds over water with crests, a beach in front, and a lighthouse and a rock to see a pan by."""
    cloud = noise((x + shift) * 2.2, y * 5, salt) * 0.65 + noise((x + shift) * 6, y * 12, salt + 1) * 0.35
    sky = 0.66 + 0.30 * torch.clamp(cloud * 2.4 - 0.8, 0, 1)
    crest = noise((x + shift) * 5, y * 26, salt + 2)
    water = 0.40 + 0.05 * y + 0.42 * torch.clamp(crest * 3 - 1.75, 0, 1)
    horizon = -0.05
    below = _edge(horizon - y)
    bright = sky * (1 - below) + water * below
    tower = _panel(x, y, (shift - 0.52, -0.30), (0.05, 0.26))
    bands = torch.where(torch.frac(y * 6 + 50) < 0.5, 0.95, 0.25)  # noqa: PLR2004 - half and half
    bright = bright * (1 - tower) + bands * tower
    rock = _edge(((x - shift - 0.45) * 0.8).square() + (y - horizon).square() * 2 - 0.03, 40)
    bright = bright * (1 - rock) + (0.16 + 0.14 * noise(x * 18, y * 18, salt)) * rock
    beach = _edge(GROUND + 0.1 + 0.04 * torch.sin((x + shift) * 7) - y)
    sand = 0.74 + 0.16 * (noise(x * 20, y * 20, salt + 3) - 0.5)
    return bright * (1 - beach) + sand * beach


PLACE: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "room": room,
    "street": street,
    "forest": forest,
    "sea": sea,
}
