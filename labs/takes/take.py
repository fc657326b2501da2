"""VALUE: one generated clip, with its frames, its file and its provenance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labs.language import LabError, Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labs.provenance import Record

MAX_SEED = 2**63 - 1


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
        from labs.show import play  # noqa: PLC0415 - late: it reads films, which measures do

        unknown = ", ".join(self.record.unknown_words)
        told = f"{self.record.engine}: {self.record.prompt} · seed {self.record.seed}"
        if unknown:
            told += str(Words(f" · 模型不认识：{unknown}", f" · the model does not know: {unknown}"))
        return play(self.path, told, height=max(self.record.parameters.height, 320)).page


def film_path(path: str | Path) -> Path:
    """``path`` as the place of a film, its folder made.

    Raises:
        TakeError: it does not end in ``.mp4``.
    """
    film = Path(path)
    if film.suffix.lower() != ".mp4":
        raise TakeError(
            f"文件名：得到 {film.name!r}，应以 .mp4 结尾", f"path: got {film.name!r}, expected it to end in .mp4"
        )
    film.parent.mkdir(parents=True, exist_ok=True)
    return film


def check_seed(seed: int) -> None:
    """Refuse a seed that no generator takes.

    Raises:
        TakeError: it is no whole number from 0 to 2**63 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise TakeError(
            f"种子：得到 {seed!r}，应为 0 到 {MAX_SEED} 的整数",
            f"seed: got {seed!r}, expected a whole number from 0 to {MAX_SEED}",
        )
