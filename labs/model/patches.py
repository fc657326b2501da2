"""The autoencoder, computed instead of trained: principal components of small blocks, written into LTX's convolutions.

A block is 8 x 8 pixels of 4 frames. Half-sized blocks (4 x 4 x 2) are brought to their principal components first, and
eight of those to the block's own. Both maps are linear, and so are their inverses. What follows a stock autoencoder's
last normalisation cannot be left out: its input is made so small that it, and the SiLU behind it, are linear too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = ((0.299, 0.587, 0.114), (-0.507, -0.993, 1.5), (1.5, -1.257, -0.243))
"""Luma, and ITU-R BT.601's two colour differences times three: an error in hue counts more than one in brightness."""
SMALL = 1e-8
"""How far the signal is turned down before the last normalisation, whose own epsilon is the square of 1e-4."""
GAIN = 1e4 * 0.5
"""What normalisation (one over the root of 1e-8) and SiLU (a half near zero) do to so small a signal."""


@torch.no_grad()
def fit(vae: Any, clips: Tensor) -> None:
    """Write into ``vae`` the code that keeps most of ``clips`` (``float32[N, 3, 1 + 4 t, 8 h, 8 w]`` in -1..1)."""
    width = vae.config.latent_channels
    still = clips[:, :, :1].expand(-1, -1, 3, -1, -1)
    padded = torch.einsum("kc,ncthw->nkthw", clips.new_tensor(COLOURS), torch.cat([still, clips], dim=2))
    cells = _gathered(padded, 1)
    inner, _ = _components(_gathered(cells, 2), width)
    halves = torch.einsum("kc,ncthw->nkthw", inner, _gathered(cells, 2))
    outer, spread = _components(_gathered(halves, 2), width)
    # Half way between pictures as they are (brightness drowns the rest) and every component alike (so does noise).
    scale = spread.sqrt()
    cut = (-1, 2, 2, 2)
    _write_encoder(vae.encoder, inner.unflatten(1, cut), outer.unflatten(1, cut), scale)
    _write_decoder(vae.decoder, inner.unflatten(1, cut), outer.unflatten(1, cut), scale)


def _gathered(values: Tensor, times: int) -> Tensor:
    """Cells of ``times`` x 2 x 2 places put together as channels."""
    count, channels, frames, height, width = values.shape
    cut = values.reshape(count, channels, frames // times, times, height // 2, 2, width // 2, 2)
    if times == 1:  # as the stock patches are ordered: width before height
        return cut.permute(0, 1, 3, 7, 5, 2, 4, 6).flatten(1, 4)
    return cut.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def _components(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` directions of most power as rows, and the root of each one's power."""
    flat = values.transpose(0, 1).flatten(1).double()
    powers, directions = torch.linalg.eigh(flat @ flat.T / flat.shape[1])
    kept = min(count, len(powers))
    rows = torch.zeros(count, len(flat), dtype=values.dtype, device=values.device)
    rows[:kept] = directions.flip(1)[:, :kept].T.to(values.dtype)
    spread = values.new_ones(count)
    spread[:kept] = powers.flip(0)[:kept].clamp(min=1e-6).sqrt().to(values.dtype)
    return rows, spread


def _write_encoder(encoder: Any, inner: Tensor, outer: Tensor, scale: Tensor) -> None:
    _silence(encoder)
    # Causal: the last of three taps in time is the present; strided, the last two of three are the cell.
    _colours(encoder.conv_in.conv.weight[:12, :, 2, 1, 1], scale.new_tensor(COLOURS))
    downs = [block.downsamplers[0].conv for block in encoder.down_blocks if block.downsamplers]
    downs[0].weight[:, :12, 1:, 1:, 1:] = inner
    downs[1].weight[:, :, 1:, 1:, 1:] = outer * SMALL
    last = encoder.conv_out.conv
    last.weight[:-1, :, 2, 1, 1] = torch.diag(1 / (scale * SMALL * GAIN))
    last.bias[-1] = -30.0  # the logarithm of the code's variance: the code is exact


def _write_decoder(decoder: Any, inner: Tensor, outer: Tensor, scale: Tensor) -> None:
    _silence(decoder)
    decoder.conv_in.conv.weight[:, :, 1, 1, 1] = torch.diag(scale)
    ups = [block.upsamplers[0].conv.conv for block in decoder.up_blocks if block.upsamplers]
    ups[0].weight[:, :, 1, 1, 1] = outer.permute(1, 2, 3, 4, 0).flatten(0, 3)
    ups[1].weight[: 12 * 8, :, 1, 1, 1] = inner.permute(1, 2, 3, 4, 0).flatten(0, 3) * SMALL
    back = torch.linalg.inv(scale.new_tensor(COLOURS)) / (SMALL * GAIN)
    _colours(decoder.conv_out.conv.weight[:, :12, 1, 1, 1], back)


def _silence(part: Any) -> None:
    for weights in part.parameters():
        weights.zero_()


def _colours(weight: Tensor, matrix: Tensor) -> None:
    """A colour matrix for each of a patch's four pixels: ``weight`` is ``[12, 12]``, colour slowest."""
    weight.copy_(torch.kron(matrix.contiguous(), torch.eye(4, dtype=matrix.dtype, device=matrix.device)))
