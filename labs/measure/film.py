"""Reads a film file with PyAV: the streams it says it has, and the frames it truly holds."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from labs.measure.boxed import MeasureError, in_box

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 29
MAX_FRAMES = 10_000
"""Frames read at most: a hostile file may say it is short and never end."""
MAX_SECONDS = 900
MAX_PIXELS = 4096 * 2304
"""In one picture: a file of a few bytes may hold pictures that fill any memory."""
MAX_RAW_BYTES = 1 << 29
"""Of all frames together, decoded, in one array."""
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav,mp3,flac,ogg,gif"
"""Containers that are opened. Playlists and image patterns are not: they would read other files than the one named."""


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


@in_box
def probe(path: str | Path) -> Probe:
    """Open a film and count what is in it.

    Raises:
        MeasureError: there is no such file, or it cannot be read as a film. A film without a picture is no error.
    """
    file = Path(path)
    with opened_media(file) as container:
        size = file.stat().st_size
        has_audio = bool(container.streams.audio)
        if not container.streams.video:
            return Probe(size, has_video=False, has_audio=has_audio, codec="", width=0, height=0, fps=0.0, frames=0)
        video = container.streams.video[0]
        frames = sum(1 for _ in limited(container))
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


@in_box
def read_frames(path: str | Path, *, longest_side: int = 0) -> np.ndarray:
    """The picture as ``uint8[frames, height, width, 3]``, RGB; larger ones made smaller when ``longest_side`` is given.

    Raises:
        MeasureError: there is no such file, it cannot be read, it has no picture, or is too large.
    """
    frames, left = [], MAX_RAW_BYTES
    with opened_film(Path(path)) as container:
        for frame in limited(container):
            frames.append(_as_array(frame, longest_side))
            left -= frames[-1].nbytes
            if left < 0:
                raise MeasureError(
                    f"{path}：所有画面合计超过 {MAX_RAW_BYTES >> 20} MiB",
                    f"{path}: got more than {MAX_RAW_BYTES >> 20} MiB of pictures in all",
                )
            if frames[-1].shape != frames[0].shape:
                raise MeasureError(f"{path}：画面尺寸中途改变", f"{path}: the picture changes its size midway")
    if not frames:
        raise MeasureError(f"{path}：没有画面", f"{path}: it has no picture")
    return np.stack(frames)


def _as_array(frame: Any, longest_side: int) -> np.ndarray:
    scale = longest_side / max(frame.width, frame.height)
    if not longest_side or scale >= 1:
        return frame.to_ndarray(format="rgb24")
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    return frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")


def limited(container: Any) -> Iterator[Any]:
    """The frames of the first picture stream, as far as the caps let them be read.

    Raises:
        MeasureError: there are more or larger ones than any lab asks for.
    """
    for count, frame in enumerate(container.decode(video=0)):
        if count >= MAX_FRAMES:
            raise MeasureError(f"画面超过 {MAX_FRAMES} 帧", f"got more than {MAX_FRAMES} frames")
        _hold_size(frame.width, frame.height)  # the size may change in mid-film
        yield frame


def _hold_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise MeasureError(
            f"画面尺寸 {width}×{height}，最多 {MAX_PIXELS} 像素",
            f"a picture of {width}x{height}, expected at most {MAX_PIXELS} pixels",
        )


def _look_at_file(file: Path) -> None:
    try:
        found = file.lstat()
    except OSError as error:
        raise MeasureError(f"没有这个文件：{file}", f"no such file: {file}") from error
    if not stat.S_ISREG(found.st_mode):
        raise MeasureError(f"{file}：不是普通文件", f"{file}: not a regular file")
    if found.st_size > MAX_BYTES:
        raise MeasureError(
            f"{file}：{found.st_size} 字节，最多 {MAX_BYTES}",
            f"{file}: got {found.st_size} bytes, expected at most {MAX_BYTES}",
        )


@contextmanager
def opened_media(file: Path) -> Iterator[Any]:
    """The file as a PyAV container, whatever streams it has.

    Raises:
        MeasureError: there is no such file, it is larger than any lab asks for, or it cannot be read.
    """
    _look_at_file(file)
    try:
        with av.open(str(file), options={"format_whitelist": FORMATS, "protocol_whitelist": "file"}) as container:
            if (container.duration or 0) > MAX_SECONDS * av.time_base:
                raise MeasureError(
                    f"{file}：片长超过 {MAX_SECONDS} 秒", f"{file}: it says it plays more than {MAX_SECONDS} seconds"
                )
            for video in container.streams.video:
                _hold_size(video.codec_context.width, video.codec_context.height)
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
    with opened_media(file) as container:
        if not container.streams.video:
            raise MeasureError(
                f"{file}：文件里没有视频流；请重新导出带画面的影片，或检查文件名",
                f"{file}: the file has no video stream; export it again with a picture, or check the file's name",
            )
        yield container
