"""VALUE: one generated clip, with its frames, its file and its provenance."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.language import LabError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from labs.provenance import Record

MAX_SHOWN_BYTES = 2_000_000


class TakeError(LabError):
    """A take cannot be made as asked: the prompt, the seed, the frame count or the path is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A clip: ``frames`` is ``uint8[T, H, W, 3]`` in RGB, ``path`` the MP4 that was written from them."""

    frames: NDArray[np.uint8]
    path: Path
    record: Record

    def contact_sheet(self, columns: int = 6) -> NDArray[np.uint8]:
        """Evenly spaced frames side by side, as ``uint8[H, columns * W, 3]``."""
        count = len(self.frames)
        shown = [round(place * (count - 1) / max(columns - 1, 1)) for place in range(columns)]
        sheet: NDArray[np.uint8] = self.frames[shown].transpose(1, 0, 2, 3).reshape(self.frames.shape[1], -1, 3)
        return sheet

    def _repr_html_(self) -> str:
        """The clip playing inside the notebook, or its path when it is too large to embed."""
        content = self.path.read_bytes()
        if len(content) > MAX_SHOWN_BYTES:
            return f"<code>{self.path}</code>"
        data = base64.b64encode(content).decode("ascii")
        height = max(self.record.parameters.height, 320)
        return f'<video controls loop height="{height}" src="data:video/mp4;base64,{data}"></video>'
