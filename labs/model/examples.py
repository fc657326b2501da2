"""Training clips: rendered on the spot for the autoencoder, and a bank of encoded ones for the transformer.

A clip's number and the settings' seed decide everything about it; half of them are flipped, and called what they then
show.
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

    from labs.model.settings import Settings
    from labs.render.wish import Wish

CHUNK = 256


class Examples:
    """Clips by number, from the combinations that are not held out."""

    def __init__(self, settings: Settings, device: str) -> None:
        self.settings, self.device = settings, device
        self._wishes = every_wish(held_out=False)

    def shown(self, number: int) -> tuple[Wish, int, bool]:
        """What clip ``number`` is drawn from: its wish, its seed, and whether it is then flipped."""
        rng = np.random.default_rng([self.settings.seed, number])
        return self._wishes[int(rng.integers(len(self._wishes)))], int(rng.integers(2**40)), bool(rng.integers(2))

    def wish(self, number: int) -> Wish:
        """What clip ``number`` shows in the end."""
        wish, _, flipped = self.shown(number)
        return wish.mirrored if flipped else wish

    def clips(self, numbers: Iterable[int]) -> torch.Tensor:
        """The clips as ``float32[N, 3, T, H, W]`` in -1..1, as the autoencoder takes them."""
        told = [self.shown(number) for number in numbers]
        size = {"frames": self.settings.frames, "width": self.settings.width, "height": self.settings.height}
        drawn = render(
            [wish for wish, _, _ in told],
            [seed for _, seed, _ in told],
            unit=self.settings.unit,
            device=self.device,
            **size,
        )
        flips = torch.tensor([flipped for _, _, flipped in told], device=drawn.device).view(-1, 1, 1, 1, 1)
        drawn = torch.where(flips, drawn.flip(3), drawn)
        return drawn.permute(0, 4, 1, 2, 3).float() / 127.5 - 1


@torch.no_grad()
def fill_bank(folder: Path, examples: Examples, vae: Any, say: Callable[[str], None]) -> torch.Tensor:
    """Encode the bank's clips, chunk by chunk, skipping chunks already there: ``float32[N, C, t, h, w]`` on the CPU."""
    folder.mkdir(exist_ok=True)
    total = examples.settings.bank
    chunks = []
    for start in range(0, total, CHUNK):
        file = folder / f"{start:07}.pt"
        if not file.exists():
            numbers = range(start, min(start + CHUNK, total))
            latents = [
                vae.encode(examples.clips(numbers[at : at + 8])).latent_dist.mode() for at in range(0, len(numbers), 8)
            ]
            torch.save(torch.cat(latents).half().cpu(), file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
            say(f"bank: {numbers[-1] + 1} of {total} clips")
        chunks.append(torch.load(file, weights_only=True).float())
    return torch.cat(chunks)
