"""Training clips, on standing sets: some to compute the autoencoder from, a bank of encoded ones for the transformer.

A clip's number and the settings' seed decide everything about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labs.render.clip import render
from labs.render.wish import every_wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from labs.model.settings import Settings
    from labs.render.wish import Wish

CHUNK, AT_ONCE = 256, 16


class Examples:
    """Clips by number, from the combinations that are not held out."""

    def __init__(self, settings: Settings, device: str) -> None:
        self.settings, self.device = settings, device
        self._wishes = every_wish(held_out=False)

    def shown(self, number: int) -> tuple[Wish, int]:
        """What clip ``number`` is drawn from: its wish and its seed."""
        rng = np.random.default_rng([self.settings.seed, number])
        return self._wishes[int(rng.integers(len(self._wishes)))], int(rng.integers(2**40))

    def wish(self, number: int) -> Wish:
        """What clip ``number`` shows."""
        return self.shown(number)[0]

    def chances(self, count: int) -> NDArray[np.float64]:
        """How likely each of the first ``count`` clips is to be practised next: ``float64[count]``, their sum 1."""
        weights = np.array([self.settings.oftener.get(self.wish(number).size, 1.0) for number in range(count)])
        return weights / weights.sum()

    def clips(self, numbers: Iterable[int]) -> torch.Tensor:
        """The clips as ``float32[N, 3, T, H, W]`` in -1..1, as the autoencoder takes them."""
        wishes, seeds = zip(*(self.shown(number) for number in numbers), strict=True)
        size = {"frames": self.settings.frames, "width": self.settings.width, "height": self.settings.height}
        drawn = render(wishes, seeds, unit=self.settings.unit, device=self.device, standing=True, **size)
        return drawn.permute(0, 4, 1, 2, 3).float() / 127.5 - 1


@torch.no_grad()
def fill_bank(folder: Path, examples: Examples, vae: Any, say: Callable[[str], None]) -> torch.Tensor:
    """Encode the bank's clips, chunk by chunk, skipping chunks already there: ``float16[N, C, t, h, w]`` on the CPU."""
    folder.mkdir(exist_ok=True)
    total = examples.settings.bank
    chunks = []
    for start in range(0, total, CHUNK):
        file = folder / f"{start:07}.pt"
        if not file.exists():
            numbers = range(start, min(start + CHUNK, total))
            latents = [
                vae.encode(examples.clips(numbers[at : at + AT_ONCE])).latent_dist.mode()
                for at in range(0, len(numbers), AT_ONCE)
            ]
            torch.save(torch.cat(latents).half().cpu(), file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
            say(f"bank: {numbers[-1] + 1} of {total} clips")
        chunks.append(torch.load(file, weights_only=True))
    return torch.cat(chunks)
