from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import opentimelineio as otio
import pytest

from labs.checks import cut_frames
from labs.edit import (
    Caption,
    Cut,
    EditError,
    add_sound,
    assemble,
    burn_captions,
    caption_problems,
    cut_timeline,
    mix,
    read_cuts,
    read_sound,
    read_srt,
    room_tone,
    to_loudness,
    tone,
    write_srt,
)
from labs.edit.captions import captions_seen
from labs.edit.sound import sound_loudness
from labs.measure import MeasureError, loudness, probe, read_frames
from labs.provenance import check_chain
from labs.shots import ShotError, read_timeline, write_timeline
from labs.takes.film import write_film

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clips of 2 seconds at 8 frames a second, one dark and one bright, in the folder worked in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    for name, level in (("dark", 20), ("bright", 200)):
        frames = np.full((16, 160, 90, 3), level, np.uint8)
        frames[:, 40:80, 20:60] = 120
        write_film(frames, tmp_path / f"{name}.mp4", fps=8)
    return tmp_path


def test_a_timeline_becomes_the_film_it_describes(clips: Path) -> None:
    cuts = (Cut("dark.mp4", 1.0, 0.5), Cut("bright.mp4", 1.25), Cut("dark.mp4", 0.75))
    write_timeline(cut_timeline(cuts, "three"), "cut.otio")
    assert read_cuts("cut.otio") == cuts
    assemble("cut.otio", "cut.mp4")
    film = probe("cut.mp4")
    assert (film.width, film.height, film.fps, film.frames) == (270, 480, 12, 36)
    assert cut_frames("cut.mp4") == [12, 27]
    (edit,) = check_chain(clips).entries
    assert edit.output.file == "cut.mp4"
    assert "bright.mp4 0+1.25s" in edit.what  # type: ignore[union-attr]


def test_what_cannot_be_cut_is_refused_by_name(clips: Path) -> None:
    with pytest.raises(EditError, match=r"dark\.mp4: only 1\.00 s from 1 s on, the cut asks for 3 s"):
        assemble(cut_timeline([Cut("dark.mp4", 3, 1)], "long"), "cut.mp4")
    assert not (clips / "cut.mp4").exists()
    with pytest.raises(MeasureError, match="no such file"):
        assemble(cut_timeline([Cut("gone.mp4", 1)], "gone"), "cut.mp4")
    with pytest.raises(EditError, match="expected start"):
        Cut("dark.mp4", 0)
    with pytest.raises(EditError, match="expected one with at least one clip"):
        read_cuts(otio.schema.Timeline(name="empty"))
    (clips / "broken.otio").write_text("{ not a timeline", encoding="utf-8")
    with pytest.raises(ShotError, match="no readable timeline"):
        read_timeline("broken.otio")
    heard = add_sound("dark.mp4", tone(440, 2.0), "heard.mp4")
    with pytest.raises(EditError, match=r"expected \.mp4"):
        add_sound(heard, tone(440, 1.0), "heard.wav")


def test_sound_is_brought_to_a_loudness_and_measured_back(clips: Path) -> None:
    sound = to_loudness(mix([(0, room_tone(4.0)), (1.0, tone(440, 0.5, -12))], 4.0), -16)
    assert sound.shape == (192_000,)
    add_sound("dark.mp4", sound[:96_000], "heard.mp4")
    measured = sound_loudness(sound)
    assert measured == pytest.approx(-16, abs=0.3)
    whole = sound_loudness(sound[:96_000])
    assert loudness("heard.mp4").lufs == pytest.approx(whole, abs=0.4)
    assert len(read_sound("heard.mp4")) == pytest.approx(96_000, abs=2048)
    assert probe("heard.mp4").frames == 16
    # The picture's own packets are passed on: nothing of it changes.
    assert np.array_equal(read_frames("heard.mp4"), read_frames("dark.mp4"))


def test_silence_and_misplaced_sounds_are_refused(clips: Path) -> None:
    with pytest.raises(EditError, match="silent"):
        to_loudness(np.zeros(48_000, np.float32), -16)
    with pytest.raises(EditError, match="expected 0 to 1"):
        mix([(2.0, tone(440, 0.1))], 1.0)
    with pytest.raises(EditError, match="more than 0"):
        room_tone(0)
    with pytest.raises(MeasureError, match="no sound"):
        read_sound("dark.mp4")


def test_captions_are_written_drawn_and_found_again(clips: Path) -> None:
    captions = (Caption(0.1, 1.0, "这把伞是谁的？"), Caption(1.1, 1.9, "Mine."))
    assert caption_problems(captions, 2.0) == ()
    assert read_srt(write_srt(captions, "final.srt")) == captions
    assemble(cut_timeline([Cut("bright.mp4", 2.0)], "one"), "cut.mp4")
    burn_captions("cut.mp4", captions, "captioned.mp4")
    assert captions_seen("captioned.mp4", captions) == (True, True)
    assert captions_seen("cut.mp4", captions) == (False, False)
    assert captions_seen("captioned.mp4", captions[::-1]) == (True, True)
    assert captions_seen("captioned.mp4", [Caption(0.1, 1.0, "别回头！")]) == (False,)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        (Caption(0, 0.5, "短"), "lasts 0.50 s"),
        (Caption(0, 1, "一二三四五六七八九十"), "10.0 letters a second"),
        (Caption(0, 3, "一二三四五六七八九十一二三四五六"), "more than 14 letters"),
        (Caption(9.5, 11, "晚了"), "ends after the film"),
        (Caption(0, 2, "  "), "says nothing"),
    ],
)
def test_captions_nobody_can_read_are_told(caption: Caption, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    told = [str(problem) for problem in caption_problems([caption], 10)]
    assert any(words in one for one in told), told


def test_captions_that_overlap_or_have_no_times_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    (problem,) = caption_problems([Caption(0, 2, "一"), Caption(1.5, 3, "二")], 10)
    assert "overlaps" in str(problem)
    broken = tmp_path / "broken.srt"
    broken.write_text("1\nfrom one to two\nwords\n", encoding="utf-8")
    with pytest.raises(EditError, match="block 1 has no times"):
        read_srt(broken)
    with pytest.raises(EditError, match="no readable captions"):
        read_srt(tmp_path / "gone.srt")
