"""Smooth value noise on the plane, the same on every device: hashes are integer arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def hashed(x: Tensor, y: Tensor, salt: Tensor) -> Tensor:
    """A number in 0..1 for every lattice point (whole numbers ``x``, ``y``) under ``salt``."""
    mixed = x.to(torch.int64) * 374761393 + y.to(torch.int64) * 668265263 + salt.to(torch.int64) * 974711
    mixed = (mixed ^ (mixed >> 13)) * 1274126177
    return ((mixed ^ (mixed >> 16)) & 0xFFFF).to(torch.float32) / 65535


def noise(x: Tensor, y: Tensor, salt: Tensor) -> Tensor:
    """Value noise of wavelength 1 in 0..1 at ``x``, ``y``."""
    left, top = torch.floor(x), torch.floor(y)
    along, down = x - left, y - top
    along, down = along * along * (3 - 2 * along), down * down * (3 - 2 * down)
    upper = torch.lerp(hashed(left, top, salt), hashed(left + 1, top, salt), along)
    lower = torch.lerp(hashed(left, top + 1, salt), hashed(left + 1, top + 1, salt), along)
    return torch.lerp(upper, lower, down)
