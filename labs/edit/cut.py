"""A cut: pieces of clips end to end, kept as an OpenTimelineIO timeline and made into one film."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import opentimelineio as otio

from labs.language import LabError
from labs.measure.film import opened_film
from labs.progress import progress
from labs.provenance.store import log_edit
from labs.shots.shot import ShotError
from labs.shots.timeline import METADATA_KEY, read_timeline
from labs.takes.film import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

VERTICAL = (270, 480)
"""Width and height in pixels of a vertical 9:16 film at the size that labs work in."""
FPS = 12
MAX_SECONDS = 600.0


class EditError(LabError):
    """A cut, a sound or captions cannot be used as they are."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a clip: ``film`` is its path, ``start`` where the piece begins in it, both times in seconds."""

    film: str
    seconds: float
    start: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a piece that nothing can be made of."""
        if not 0 < self.seconds <= MAX_SECONDS or self.start < 0:
            raise EditError(
                f"{self.film}：起点 {self.start}、时长 {self.seconds}，应为 start ≥ 0、0 < seconds ≤ {MAX_SECONDS:g}",
                f"{self.film}: got start {self.start}, seconds {self.seconds}, "
                f"expected start ≥ 0 and 0 < seconds ≤ {MAX_SECONDS:g}",
            )


def cut_timeline(
    cuts: Sequence[Cut], title: str, *, rate: int = FPS, size: tuple[int, int] = VERTICAL
) -> otio.schema.Timeline:
    """The cuts end to end on one video track, each clip naming its film; ``size`` is (width, height) in pixels."""
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    for place, cut in enumerate(cuts, start=1):
        track.append(
            otio.schema.Clip(
                name=f"cut {place:03d}",
                media_reference=otio.schema.ExternalReference(target_url=cut.film),
                source_range=otio.opentime.TimeRange(_time(cut.start, rate), _time(cut.seconds, rate)),
            )
        )
    timeline = otio.schema.Timeline(name=title)
    timeline.metadata[METADATA_KEY] = {"width": size[0], "height": size[1], "rate": rate}
    timeline.tracks.append(track)
    return timeline


def read_cuts(timeline: str | Path | otio.schema.Timeline) -> tuple[Cut, ...]:
    """The cuts of a timeline or ``.otio`` file, in order.

    Raises:
        ShotError: the file is no timeline.
        EditError: it has not exactly one video track, or a clip names no film.
    """
    read = read_timeline(timeline) if isinstance(timeline, str | Path) else timeline
    tracks = read.video_tracks()
    if len(tracks) != 1 or not len(tracks[0]):
        raise EditError(
            f"时间线：得到 {len(tracks)} 条视频轨，应为一条，且至少有一个镜头",
            f"timeline: got {len(tracks)} video tracks, expected one with at least one clip",
        )
    return tuple(_cut(item) for item in tracks[0])


def assemble(timeline: str | Path | otio.schema.Timeline, target: str | Path) -> Path:
    """Make the film that ``timeline`` describes, without sound, at its own size and rate, and note it in the chain.

    Pictures are scaled until they fill the frame, the rest is cut off evenly. A clip that is too short is an error:
    a frozen picture at its end would pass for a decision.

    Raises:
        EditError: the timeline cannot be made into a film; the message names the cut.
        MeasureError: a film it names is missing or cannot be read.
    """
    read = read_timeline(timeline) if isinstance(timeline, str | Path) else timeline
    cuts, made = read_cuts(read), film_target(target)
    said = read.metadata.get(METADATA_KEY, {})
    size = (int(said.get("width", VERTICAL[0])), int(said.get("height", VERTICAL[1])))
    rate = int(said.get("rate", FPS))
    write_frames(_pictures(cuts, size, rate), made, size=size, fps=rate)
    told = ", ".join(f"{cut.film} {cut.start:g}+{cut.seconds:g}s" for cut in cuts)
    log_edit(sorted({cut.film for cut in cuts}), made, f"cut: {told}"[:2000])
    return made


def film_target(path: str | Path) -> Path:
    """``path`` as the place of a finished film, its folder made.

    Raises:
        EditError: it does not end in ``.mp4``.
    """
    film = Path(path)
    if film.suffix.lower() != ".mp4":
        raise EditError(f"文件名：得到 {film.name!r}，应以 .mp4 结尾", f"path: got {film.name!r}, expected .mp4")
    film.parent.mkdir(parents=True, exist_ok=True)
    return film


def write_frames(pictures: Iterator[NDArray[np.uint8]], target: Path, *, size: tuple[int, int], fps: float) -> None:
    """Encode pictures (``uint8[height, width, 3]``, RGB) one by one and put the whole file in place at once."""
    unfinished = target.with_name(f".{target.name}.part")
    with av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=OPTIONS)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    unfinished.replace(target)


def _pictures(cuts: Sequence[Cut], size: tuple[int, int], rate: int) -> Iterator[NDArray[np.uint8]]:
    elapsed, first = 0.0, 0
    for cut in progress(cuts, "cut"):
        elapsed += cut.seconds
        last = max(round(elapsed * rate), first + 1)
        yield from _piece(cut, last - first, size, rate)
        first = last


def _piece(cut: Cut, count: int, size: tuple[int, int], rate: int) -> Iterator[NDArray[np.uint8]]:
    """``count`` pictures of ``cut``: at each moment the clip's picture that is shown then."""
    given = 0
    with opened_film(Path(cut.film)) as container:
        video = container.streams.video[0]
        fps = float(video.average_rate)
        for number, frame in enumerate(container.decode(video)):
            picture = None
            while given < count and int((cut.start + given / rate) * fps + 1e-6) <= number:
                picture = _filled(frame, size) if picture is None else picture
                yield picture
                given += 1
            if given == count:
                return
    raise EditError(
        f"{cut.film}：从 {cut.start:g} 秒起只有 {given / rate:.2f} 秒，剪辑要 {cut.seconds:g} 秒",
        f"{cut.film}: only {given / rate:.2f} s from {cut.start:g} s on, the cut asks for {cut.seconds:g} s",
    )


def _filled(frame: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    scale = max(width / frame.width, height / frame.height)
    tall, broad = max(round(frame.height * scale), height), max(round(frame.width * scale), width)
    picture: NDArray[np.uint8] = frame.reformat(width=broad, height=tall, format="rgb24").to_ndarray()
    top, left = (tall - height) // 2, (broad - width) // 2
    return picture[top : top + height, left : left + width].copy()


def _cut(item: Any) -> Cut:
    reference = getattr(item, "media_reference", None)
    if not isinstance(reference, otio.schema.ExternalReference):
        raise EditError(
            f"时间线里的 {item.name!r} 没有指明影片文件", f"the timeline's {item.name!r} names no film file"
        )
    piece = item.trimmed_range()
    return Cut(str(reference.target_url), piece.duration.to_seconds(), piece.start_time.to_seconds())


def _time(seconds: float, rate: int) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(seconds * rate, rate)


__all__ = ["FPS", "VERTICAL", "Cut", "EditError", "ShotError", "assemble", "cut_timeline", "film_target", "read_cuts"]
