from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from labs.measure import MeasureError, brightness, flicker, motion, probe, read_frames
from labs.takes.film import write_film

if TYPE_CHECKING:
    from pathlib import Path


def moving_box(count: int) -> np.ndarray:
    """A white box that travels 4 pixels a frame over black: ``uint8[count, 160, 90, 3]``."""
    frames = np.zeros((count, 160, 90, 3), np.uint8)
    for place in range(count):
        frames[place, 40:80, 4 * place : 4 * place + 30] = 255
    return frames


def test_a_film_is_measured_as_it_was_written(tmp_path: Path) -> None:
    frames, film = moving_box(9), tmp_path / "box.mp4"
    write_film(frames, film, fps=12)
    found = probe(film)
    assert (found.width, found.height, found.frames, found.fps, found.codec) == (90, 160, 9, 12.0, "h264")
    assert found.has_video
    assert not found.has_audio
    assert found.seconds == pytest.approx(0.75)
    assert found.bytes == film.stat().st_size
    assert np.abs(read_frames(film).astype(int) - frames).mean() < 4


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (9, 160, 90, 3)).astype(np.uint8)
    written = set()
    for _ in range(60):
        write_film(noise, tmp_path / "noise.mp4", fps=8)
        written.add((tmp_path / "noise.mp4").read_bytes())
    assert len(written) == 1


def test_looks_are_told_apart() -> None:
    still = np.repeat(moving_box(1), 6, axis=0)
    assert motion(still) == 0
    # 40 rows of 4 new and 4 left columns change from black to white or back, out of 160 x 90.
    assert motion(moving_box(6)) == pytest.approx(40 * 8 / (160 * 90), rel=1e-3)
    fade = np.stack([np.full((16, 16, 3), 20 * place, np.uint8) for place in range(6)])
    flash = fade.copy()
    flash[3] = 255
    assert flicker(fade) == pytest.approx(0, abs=1e-6)
    assert flicker(flash) > 0.3
    assert brightness(fade)[0] == 0
    assert brightness(np.full((1, 4, 4, 3), 255, np.uint8))[0] == pytest.approx(1)


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    text, sound = tmp_path / "text.mp4", tmp_path / "sound.mp4"
    text.write_text("no film")
    for file in (text, tmp_path / "missing.mp4"):
        with pytest.raises(MeasureError, match=file.name):
            probe(file)
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        quiet.sample_rate = 48_000
        container.mux(stream.encode(quiet))
        container.mux(stream.encode())
    found = probe(sound)
    assert found.has_audio
    assert not found.has_video
    assert found.seconds == 0
    with pytest.raises(MeasureError, match=r"sound\.mp4"):
        read_frames(sound)
