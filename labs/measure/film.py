"""Reads a film file with PyAV: the streams it says it has, and the frames it truly holds."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from labs.language import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAMES = 10_000
"""Frames read at most: a hostile file may say it is short and never end."""


class MeasureError(LabError):
    """A film file is missing, is no film, or has no picture."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a film file holds. Sizes in pixels, ``fps`` in frames a second, ``frames`` counted by decoding them all."""

    bytes: int
    has_video: bool
    has_audio: bool
    codec: str
    width: int
    height: int
    fps: float
    frames: int

    @property
    def seconds(self) -> float:
        """Playing time of the picture: frames divided by rate; 0.0 without a picture."""
        return self.frames / self.fps if self.fps else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data, the playing time included."""
        return asdict(self) | {"seconds": self.seconds}


def probe(path: str | Path) -> Probe:
    """Open a film and count what is in it.

    Raises:
        MeasureError: there is no such file, or it cannot be read as a film. A film without a picture is no error.
    """
    file = Path(path)
    with _opened(file) as container:
        size = file.stat().st_size
        has_audio = bool(container.streams.audio)
        if not container.streams.video:
            return Probe(size, has_video=False, has_audio=has_audio, codec="", width=0, height=0, fps=0.0, frames=0)
        video = container.streams.video[0]
        frames = sum(1 for _ in _limited(container))
        return Probe(
            bytes=size,
            has_video=frames > 0,
            has_audio=has_audio,
            codec=video.codec_context.name,
            width=video.codec_context.width,
            height=video.codec_context.height,
            fps=float(video.average_rate or 0),
            frames=frames,
        )


def read_frames(path: str | Path) -> np.ndarray:
    """The picture as ``uint8[frames, height, width, 3]``, RGB.

    Raises:
        MeasureError: there is no such file, it cannot be read, or it has no picture.
    """
    file = Path(path)
    with opened_film(file) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in _limited(container)])


def _limited(container: Any) -> Iterator[Any]:
    for count, frame in enumerate(container.decode(video=0)):
        if count >= MAX_FRAMES:
            raise MeasureError(f"画面超过 {MAX_FRAMES} 帧", f"got more than {MAX_FRAMES} frames")
        yield frame


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    if not file.is_file():
        raise MeasureError(f"没有这个文件：{file}", f"no such file: {file}")
    try:
        with av.open(str(file)) as container:
            yield container
    except (av.error.FFmpegError, ValueError) as error:
        raise MeasureError(
            f"{file}：不能当作视频读取（{error}）", f"{file}: cannot be read as a film ({error})"
        ) from error


@contextmanager
def opened_film(file: Path) -> Iterator[Any]:
    """The file as a PyAV container with at least one video stream.

    Raises:
        MeasureError: there is no such file, it cannot be read, or it has no picture.
    """
    with _opened(file) as container:
        if not container.streams.video:
            raise MeasureError(f"{file}：文件里没有视频流", f"{file}: the file has no video stream")
        yield container
