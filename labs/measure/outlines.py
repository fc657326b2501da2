"""Writes the outlines that :mod:`labs.measure.figure` looks for, from the figures that previs draws.

python -m labs.measure.outlines
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labs.measure.figure import OUTLINES, REACH

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS = 96


def drawn_outlines() -> dict[str, NDArray[np.uint8]]:
    """Where each figure is coloured once all its layers lie on each other: ``uint8[96, 96]``, 255 inside."""
    import torch  # noqa: PLC0415 - late: the measures themselves need no torch

    from labs.render.subjects import SUBJECT  # noqa: PLC0415

    place = torch.linspace(-REACH, REACH, PIXELS)
    sharp = torch.tensor(PIXELS / (2 * REACH))
    found = {}
    for name, draw in SUBJECT.items():
        inked = torch.zeros(PIXELS, PIXELS)
        for cover, kind in draw(place.view(1, -1).expand(PIXELS, -1), place.view(-1, 1).expand(-1, PIXELS), sharp):
            inked = torch.lerp(inked, torch.full_like(inked, float(kind == "colour")), cover)
        found[name] = (inked * 255).round().to(torch.uint8).numpy()
    return found


def main() -> int:
    """Write the file beside this module."""
    np.savez_compressed(Path(__file__).with_name(OUTLINES), allow_pickle=False, **drawn_outlines())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
