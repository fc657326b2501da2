"""Training the house model, tried out on a tiny one: every stage, going on after a stop, the gate that holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from labs.model import ModelError, open_model
from labs.model import train as training
from labs.model.captions import caption_for
from labs.model.evaluate import Evaluation, held_out_wishes
from labs.model.evaluate import main as evaluate_main
from labs.model.house import WORDS
from labs.model.make import install_model
from labs.model.release import main as release_main
from labs.model.release import release
from labs.model.settings import FILE, TRIAL, TrainingError, settled
from labs.render.wish import every_wish
from labs.takes import generate, unknown_words

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(tmp_path_factory.mktemp("trial"), device="cpu", trial=True)


def test_a_candidate_is_a_whole_model_folder_that_draws(trial: Path, tmp_path: Path) -> None:
    folder = open_model(trial)
    assert (folder.manifest.name, folder.manifest.trained) == ("house-candidate", True)
    assert "has not passed" in (trial / "README.md").read_text()
    assert generate("close shot, push in, a red ball", 1, tmp_path / "a.mp4", model=trial).frames.shape == (
        17,
        160,
        90,
        3,
    )
    assert unknown_words("close shot, 推镜头, a red hospital, 神秘", trial) == ("hospital", "神秘")


def test_released_weights_are_what_gets_installed(trial: Path, tmp_path: Path) -> None:
    installed = install_model(tmp_path / "house", released=trial)
    assert installed.sha256 == open_model(trial).sha256
    assert install_model(tmp_path / "house", released=trial).sha256 == installed.sha256
    assert not install_model(tmp_path / "other", released=tmp_path / "none released").manifest.trained
    # A newer version that carries weights puts them where the older one had left noise.
    assert install_model(tmp_path / "other", released=trial).sha256 == installed.sha256
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["house", "other"]


def test_training_goes_on_where_it_was_stopped(trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labs.model import stages  # noqa: PLC0415 - torch takes seconds

    def stop_in_the_middle(_file: Path) -> Any:
        def say(words: str) -> None:
            if words.startswith(("autoencoder: computed", "transformer: step 3")):
                raise KeyboardInterrupt

        return say

    monkeypatch.setattr(stages, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(stages, "TOLD_EVERY", 1)
    weights = "transformer/diffusion_pytorch_model.safetensors"
    with monkeypatch.context() as stopped:
        stopped.setattr(training, "_log", stop_in_the_middle)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                training.train(tmp_path / "work", device="cpu", trial=True)
    midway = training.train(tmp_path / "work", device="cpu", so_far=True)
    assert (midway / weights).read_bytes() != (trial / weights).read_bytes()
    finished = training.train(tmp_path / "work", device="cpu")
    assert (finished / weights).read_bytes() == (trial / weights).read_bytes()
    assert open_model(finished).manifest.trained


def test_an_untrained_model_is_measured_and_held_back(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    sheet = tmp_path / "sheet.png"
    assert evaluate_main(["--model", str(trial), "--prompts", "3", "--json", "--sheet", str(sheet)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["prompts"], told["passed"], told["repeats"]) == (3, False, True)
    assert told["obeyed"]["subject"] < 0.9
    assert sheet.is_file()
    with pytest.raises(ModelError, match="expected at least 200"):
        release(trial, tmp_path / "house", prompts=10)
    assert not (tmp_path / "house").exists()
    (tmp_path / "taken").mkdir()
    assert release_main([str(trial), str(tmp_path / "taken")]) == 2
    assert evaluate_main(["--model", str(tmp_path / "nowhere"), "--prompts", "3"]) == 2


def test_the_computed_autoencoder_gives_pictures_back() -> None:
    import torch  # noqa: PLC0415 - seconds to import

    from labs.model import patches  # noqa: PLC0415
    from labs.model.examples import Examples  # noqa: PLC0415
    from labs.model.house import HOUSE, build_vae  # noqa: PLC0415

    clips = Examples(TRIAL, "cpu").clips(range(8))
    vae = build_vae(HOUSE).eval()
    patches.fit(vae, clips)
    with torch.no_grad():
        code = vae.encode(clips).latent_dist.mode()
        back = vae.decode(code).sample
    assert (tuple(code.shape), back.shape) == ((8, HOUSE.latent_channels, 5, 6, 4), clips.shape)
    assert float((back - clips).square().mean().sqrt()) < 0.12
    assert float((clips - clips.mean()).square().mean().sqrt()) > 0.4


def test_the_gate_wants_every_axis_the_time_and_the_seed() -> None:
    good: dict[str, Any] = {
        "model": "m",
        "sha256": "0" * 64,
        "prompts": 200,
        "seed": 0,
        "obeyed": {"move": 0.95, "colour": 0.9},
        "chance": {"move": 0.2, "colour": 0.2},
        "cpu_seconds": 1.0,
        "repeats": True,
    }
    assert Evaluation(**good).passed
    assert "gate: passed" in str(Evaluation(**good))
    for worse in ({"obeyed": {"move": 0.95, "colour": 0.89}}, {"cpu_seconds": 3.1}, {"repeats": False}):
        assert not Evaluation(**good | worse).passed


def test_captions_say_only_what_is_shown_in_words_the_model_has() -> None:
    rng = np.random.default_rng(0)
    unsaid = 0
    for wish in every_wish(held_out=False)[::37]:
        caption = caption_for(wish, rng)
        unsaid += not caption
        words = set(caption.replace(",", "").split())
        assert words <= WORDS
        assert words <= set(wish.caption.replace(",", "").split()) | {"a", "an"}
    assert unsaid > 20
    assert len(set(held_out_wishes(200, 0))) == 200


def test_broken_settings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    assert settled(tmp_path, TRIAL) == TRIAL
    (tmp_path / FILE).write_text('{"bank": 1}')
    with pytest.raises(TrainingError, match="bank"):
        settled(tmp_path, TRIAL)
