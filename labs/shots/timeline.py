"""A shot list as an OpenTimelineIO timeline: one video track, one clip a shot, a marker where each scene begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import opentimelineio as otio

from labs.shots.shot import Shot, ShotError

if TYPE_CHECKING:
    from collections.abc import Sequence

METADATA_KEY = "reelwright"
VERTICAL = (1080, 1920)
"""Width and height in pixels of a vertical 9:16 episode."""


def build_timeline(
    shots: Sequence[Shot], title: str, *, rate: int = 24, size: tuple[int, int] = VERTICAL
) -> otio.schema.Timeline:
    """Lay the shots end to end at ``rate`` frames a second; ``size`` is (width, height) in pixels.

    Cuts are placed on the frame nearest to the exact running time, so rounding never adds up over an episode.
    """
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    elapsed, first_frame = 0.0, 0
    for place, shot in enumerate(shots):
        elapsed += shot.seconds
        last_frame = max(round(elapsed * rate), first_frame + 1)
        clip = _clip(shot, last_frame - first_frame, rate)
        if place == 0 or shots[place - 1].scene != shot.scene:
            clip.markers.append(_scene_marker(shot.scene, rate))
        track.append(clip)
        first_frame = last_frame
    timeline = otio.schema.Timeline(name=title)
    timeline.metadata[METADATA_KEY] = {"width": size[0], "height": size[1], "rate": rate}
    timeline.tracks.append(track)
    return timeline


def write_timeline(timeline: otio.schema.Timeline, path: str | Path) -> Path:
    """Write ``timeline`` as ``.otio`` JSON and return where it lies."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    otio.adapters.write_to_file(timeline, str(file), adapter_name="otio_json")
    return file


def read_timeline(path: str | Path) -> otio.schema.Timeline:
    """Read an ``.otio`` file.

    Raises:
        ShotError: it is missing, is no timeline, or is broken.
    """
    try:
        found = otio.adapters.read_from_file(str(path), adapter_name="otio_json")
    except (OSError, otio.exceptions.OTIOError, ValueError) as error:
        raise _unreadable(path, _first_line(error)) from error
    if not isinstance(found, otio.schema.Timeline):
        raise _unreadable(path, type(found).__name__)
    return found


def _unreadable(path: str | Path, got: str) -> ShotError:
    return ShotError(
        f"{path}：读不出时间线（得到：{got}，应为 OpenTimelineIO 的 Timeline）；"
        "请用 write_timeline 重新写出，或从剪辑软件重新导出",
        f"{path}: no readable timeline (got {got}, expected an OpenTimelineIO Timeline); "
        "write it again with write_timeline, or export it again from the editing program",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _clip(shot: Shot, frames: int, rate: int) -> otio.schema.Clip:
    length = otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(frames, rate))
    values: dict[str, Any] = shot.as_dict()
    return otio.schema.Clip(
        name=f"shot {shot.number:03d}",
        media_reference=otio.schema.MissingReference(available_range=length),
        source_range=length,
        metadata={METADATA_KEY: values},
    )


def _scene_marker(scene: int, rate: int) -> otio.schema.Marker:
    start = otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(0, rate))
    return otio.schema.Marker(name=f"scene {scene}", marked_range=start)
