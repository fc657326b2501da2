from __future__ import annotations

from typing import TYPE_CHECKING, Any

import opentimelineio as otio
import pytest

from labs.shots import ShotError, build_timeline, read_timeline, shots_from, write_timeline

if TYPE_CHECKING:
    from pathlib import Path


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"number": number, "scene": 1, "size": "close", "move": "pan", "subject": "门", "seconds": 1.01} | changes


def test_a_timeline_survives_its_file_and_never_drifts(tmp_path: Path) -> None:
    shots = shots_from([row(n, scene=1 + n // 51) for n in range(1, 101)])
    timeline = read_timeline(write_timeline(build_timeline(shots, "第七层"), tmp_path / "a" / "episode.otio"))
    clips = list(timeline.find_clips())
    assert len(clips) == 100
    assert timeline.duration() == otio.opentime.RationalTime(2424, 24)
    assert timeline.metadata["reelwright"]["height"] == 1920
    assert [clip.name for clip in clips if len(clip.markers)] == ["shot 001", "shot 051"]
    assert clips[0].metadata["reelwright"]["subject"] == "门"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "empty"),
        ([row(1, size="huge")], "shot 1, size: got 'huge', expected wide"),
        ([row(1, seconds="soon")], "shot 1, number, scene, seconds"),
        ([row(1, seconds=float("nan"))], "shot 1, seconds: got nan"),
        ([row(2)], "shot 2, number: got 2, expected 1"),
        ([row(1, scene=2), row(2, scene=1)], "shot 2, scene: got 1, expected ≥ 2"),
        ([{"number": 1}], r"shot 1: missing \['move'"),
        ([row(1, colour="red")], r"unknown \['colour'\]"),
    ],
)
def test_a_wrong_shot_list_names_the_shot(
    rows: list[dict[str, Any]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    with pytest.raises(ShotError, match=words):
        shots_from(rows)


def test_a_broken_timeline_is_refused(tmp_path: Path) -> None:
    broken, clip = tmp_path / "broken.otio", tmp_path / "clip.otio"
    broken.write_text('{"OTIO_SCHEMA": "Timeline.1", ')
    otio.adapters.write_to_file(otio.schema.Clip("one"), str(clip))
    for file in (broken, clip, tmp_path / "missing.otio"):
        with pytest.raises(ShotError, match=file.name):
            read_timeline(file)
