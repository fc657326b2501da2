from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from labs.measure import probe
from labs.model import ModelError, open_model
from labs.model.make import main, make_model
from labs.provenance import ProvenanceError, read_record, verify
from labs.takes import TakeError, generate, unknown_words

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _house(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models_dir))
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")


def test_a_take_leaves_a_film_and_a_record_that_agree(tmp_path: Path) -> None:
    take = generate("close shot, push in, a red umbrella", 7, tmp_path / "takes" / "first.mp4", frames=9)
    assert take.frames.shape == (9, 160, 90, 3)
    assert take.frames.dtype == np.uint8
    assert probe(take.path).frames == 9
    record = verify(take.path)
    assert record == take.record == read_record(tmp_path / "takes" / "first.json")
    assert record.model.sha256 == open_model().sha256
    assert not record.model.trained
    assert record.unknown_words == ()
    assert "<video" in take._repr_html_()
    assert take.contact_sheet(3).shape == (160, 270, 3)


def test_the_seed_and_the_prompt_decide(tmp_path: Path) -> None:
    first = generate("a red ball", 1, tmp_path / "a.mp4", frames=9).record.output.sha256
    assert generate("a red ball", 1, tmp_path / "b.mp4", frames=9).record.output.sha256 == first
    assert generate("a red ball", 2, tmp_path / "c.mp4", frames=9).record.output.sha256 != first
    assert generate("a blue ball", 1, tmp_path / "d.mp4", frames=9).record.output.sha256 != first
    # Chinese terms ask for the same picture as their English words.
    assert generate("红球", 1, tmp_path / "e.mp4", frames=9).record.output.sha256 == (
        generate("red ball", 1, tmp_path / "f.mp4", frames=9).record.output.sha256
    )


def test_a_prompt_outside_the_vocabulary_works_and_says_which_words_did_nothing(tmp_path: Path) -> None:
    take = generate("cinematic close shot, a red umbrella", 1, tmp_path / "take.mp4", frames=9, steps=2)
    assert take.record.unknown_words == ("cinematic",)
    assert "the model does not know: cinematic" in take._repr_html_()
    plain = generate("close shot, a red umbrella", 1, tmp_path / "plain.mp4", frames=9, steps=2)
    assert "does not know" not in plain._repr_html_()


def test_words_the_model_does_not_know_are_named_as_written() -> None:
    assert unknown_words("Cinematic close shot, 神秘的红色雨伞, cinematic") == ("Cinematic", "神秘", "cinematic")
    assert unknown_words("特写，推镜头，手机") == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": "  "}, "prompt: got '  '"),
        ({"prompt": "red " * 40}, "got 40 words, the model reads at most 32"),
        ({"seed": -1}, "seed: got -1"),
        ({"seed": "7"}, "seed: got '7'"),
        ({"frames": 16}, "frames: got 16, expected a multiple of 8 plus one, at most 49"),
        ({"frames": 4001}, "at most 49"),
        ({"steps": 0}, "steps: got 0, expected 1 to 100"),
        ({"path": "first.mov"}, "expected it to end in .mp4"),
    ],
)
def test_what_cannot_be_made_says_why(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    asked = {"prompt": "a red ball", "seed": 1, "path": "x.mp4"} | changes
    with pytest.raises(TakeError, match=words):
        generate(**asked | {"path": tmp_path / asked["path"]})


def test_a_changed_film_no_longer_agrees_with_its_record(tmp_path: Path) -> None:
    film = generate("a red ball", 1, tmp_path / "a.mp4", frames=1).path
    shutil.copy(film, tmp_path / "b.mp4")
    shutil.copy(tmp_path / "a.json", tmp_path / "b.json")
    with pytest.raises(ProvenanceError, match=r"about a\.mp4"):
        verify(tmp_path / "b.mp4")
    film.write_bytes(film.read_bytes() + b"x")
    with pytest.raises(ProvenanceError, match="the file has changed"):
        verify(film)
    record = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(record | {"seed": "seven"}))
    with pytest.raises(ProvenanceError, match="seed"):
        verify(film)


def test_a_missing_or_altered_model_names_the_file(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(models_dir / "house", tmp_path / "house")
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"diffusion_pytorch_model\.safetensors was altered"):
        generate("a red ball", 1, tmp_path / "x.mp4", model=copy)
    weights.unlink()
    with pytest.raises(ModelError, match=r"lacks the file vae/diffusion_pytorch_model\.safetensors"):
        open_model(copy)
    (copy / "manifest.json").write_text('{"kind": "reelwright-model/1", "files": {"../../etc/passwd": {}}}')
    with pytest.raises(ModelError, match="not valid"):
        open_model(copy)
    with pytest.raises(ModelError, match="no model folder"):
        open_model(tmp_path / "nowhere")
    monkeypatch.delenv("REELWRIGHT_MODELS")
    with pytest.raises(ModelError, match="REELWRIGHT_MODELS is not set"):
        open_model()


def test_making_the_model_twice_gives_one_digest_and_touches_nothing(
    tmp_path: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_model(tmp_path / "again")
    assert made.sha256 == open_model(models_dir / "house").sha256
    manifest = made.path / "manifest.json"
    assert hashlib.sha256(manifest.read_bytes()).hexdigest() == made.sha256
    before = manifest.stat().st_mtime_ns
    assert make_model(made.path).sha256 == made.sha256
    assert manifest.stat().st_mtime_ns == before
    assert "untrained" in (made.path / "README.md").read_text().lower()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    assert main([str(tmp_path / "full")]) == 1
    assert "no readable manifest.json" in capsys.readouterr().err
    assert (tmp_path / "full" / "mine.txt").read_text() == "keep"


def test_the_toolkit_opens_without_torch_or_a_server_library() -> None:
    code = (
        "import labs.script, labs.shots, labs.measure, labs.provenance, labs.takes, labs.model, labs.start, sys;"
        "print(sorted({'torch', 'diffusers', 'transformers', 'sqlalchemy', 'flask', 'nbgrader'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
