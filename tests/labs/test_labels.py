"""Both AI labels in an exported film, read back from the file itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from labs.label import LabelRule, export_film, read_labels
from labs.label.credentials import AI_MADE, SigningKey, make_signing_key, read_credentials, sign_film
from labs.label.mark import label_tile
from labs.measure import MeasureError, probe, read_frames
from labs.provenance import ProvenanceError, check_chain, log_edit
from labs.takes.film import write_film

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three seconds of moving noise with a tone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    monkeypatch.setenv("JUPYTERHUB_USER", "lin")
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (24, 20, 12, 3)).astype(np.uint8)
    frames = np.kron(coarse, np.ones((1, 8, 8, 1), np.uint8))
    with av.open("cut.mp4", "w") as made:
        picture, sound = made.add_stream("libx264", rate=8), made.add_stream("aac", rate=48_000)
        picture.width, picture.height, picture.pix_fmt = 96, 160, "yuv420p"
        for frame in frames:
            made.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        made.mux(picture.encode())
        tone = np.sin(np.arange(48_000 * 3, dtype=np.float32) / 20)[None]
        heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        heard.sample_rate = 48_000
        made.mux(sound.encode(heard))
        made.mux(sound.encode())
    log_edit([], "cut.mp4", "cut")
    return tmp_path / "cut.mp4"


def test_an_export_carries_both_labels_its_sound_and_its_place_in_the_chain(film: Path) -> None:
    edit = export_film(film, "out/final.mp4")
    labels = read_labels("out/final.mp4")
    assert labels.problems == ()
    assert labels.labelled_frames == 16
    assert labels.aigc is not None
    assert (labels.aigc.Label, labels.aigc.ContentProducer) == ("1", "lin")
    assert labels.aigc.ProduceID == edit.inputs[0].sha256
    found = probe("out/final.mp4")
    assert found.has_audio
    assert (found.frames, found.fps) == (24, 8.0)
    # After the label's two seconds the picture is the cut's again.
    assert np.abs(read_frames("out/final.mp4")[20].astype(int) - read_frames(film)[20]).mean() < 6
    assert check_chain(film.parent).holds


def test_a_film_without_labels_says_what_is_missing(film: Path) -> None:
    assert [str(problem) for problem in read_labels(film).problems] == [
        "expected 16 frames from the start to show “AI生成”, found 0",
        "the file's metadata holds no valid AIGC member",
    ]
    # A plain copy through the usual writer keeps the picture's label and loses the metadata.
    export_film(film, "final.mp4")
    write_film(read_frames("final.mp4"), film.with_name("copy.mp4"), fps=8)
    assert [str(problem)[:8] for problem in read_labels("copy.mp4").problems] == ["the file"]
    # A label that is too small, or too short, is none.
    assert read_labels("final.mp4", rule=LabelRule(part=0.2)).problems
    assert read_labels("final.mp4", rule=LabelRule(seconds=2.5)).problems


def test_the_label_is_as_tall_as_the_rule_says() -> None:
    for width, height in ((90, 160), (1080, 1920)):
        rule = LabelRule(text="生")
        rows = np.flatnonzero(label_tile(rule, width, height).max(axis=1) > 127)
        assert rows[-1] - rows[0] + 1 >= max(0.05 * min(width, height), 14)


def test_what_is_no_film_or_would_overwrite_itself_is_refused(film: Path) -> None:
    with pytest.raises(ProvenanceError, match=r"expected another \.mp4 file"):
        export_film(film, film)
    (film.parent / "text.mp4").write_text("no film")
    with pytest.raises(MeasureError, match="cannot be read as a film"):
        export_film("text.mp4", "final.mp4")
    assert not (film.parent / "final.mp4").exists()
    assert not list(film.parent.glob(".*part"))


def test_content_credentials_are_read_back_and_a_changed_film_is_seen(film: Path) -> None:
    export_film(film, "final.mp4")
    signed = sign_film("final.mp4", "signed.mp4", make_signing_key("林晚"))
    assert (signed.signer, signed.title, signed.source_types) == ("林晚", "final.mp4", (AI_MADE,))
    assert signed.intact
    assert not signed.trusted
    # Signing last keeps both labels.
    assert read_labels("signed.mp4").problems == ()
    assert read_credentials("final.mp4") is None
    content = bytearray((film.parent / "signed.mp4").read_bytes())
    place = content.rindex(b"mdat") + 2000
    content[place] ^= 1
    (film.parent / "changed.mp4").write_bytes(content)
    changed = read_credentials("changed.mp4")
    assert changed is not None
    assert not changed.intact
    with pytest.raises(ProvenanceError, match="cannot be signed"):
        sign_film(film, "x.mp4", SigningKey(b"no certificate", b"no key"))
    with pytest.raises(ProvenanceError, match="cannot read"):
        read_credentials("missing.mp4")


def test_a_site_may_ask_for_a_taller_and_longer_label(tmp_path: Path) -> None:
    rule = {"text": "AI合成", "seconds": 3.0, "part": 0.2, "least_pixels": 14}
    look = """
from labs.label import export_film, read_labels
from labs.render import previs
previs("close shot, static, a red cup", 1, "a.mp4", frames=33)
export_film("a.mp4", "b.mp4")
found = read_labels("b.mp4")
print(found.labelled_frames, not found.problems, found.rule.text_height(90, 160))
"""
    env = {**os.environ, "REELWRIGHT_LABEL_RULE": json.dumps(rule)}
    argv = [sys.executable, "-c", look]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["24", "True", "18"]
    assert read_labels(tmp_path / "b.mp4").problems, "the standard's own label is another one"
