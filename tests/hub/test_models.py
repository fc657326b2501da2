"""A large model's folder is adopted: every file gets its digest, and what labs could not load is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hub.cli import cli
from labs.model import ModelError, open_model
from labs.model.make import make_model
from labs.takes import generate

if TYPE_CHECKING:
    from pathlib import Path

USUAL = [
    *("--size", "96x160", "--frames", "9", "--frame-step", "8", "--max-frames", "17"),
    *("--fps", "8", "--steps", "2", "--guidance", "3"),
]


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """A diffusers folder as it comes, without a manifest of ours."""
    folder = tmp_path / "large"
    make_model(folder)
    (folder / "manifest.json").unlink()
    return folder


def test_an_adopted_folder_draws_and_is_held_to_its_digests(downloaded: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["model", "adopt", str(downloaded), *USUAL])
    assert done.exit_code == 0, done.output
    made = open_model(downloaded)
    assert f"large: LTXPipeline, {len(made.manifest.files)} files, sha256 {made.sha256}" in done.output
    take = generate("a red ball", 1, tmp_path / "take.mp4", model=downloaded)
    assert take.frames.shape == (9, 160, 96, 3)
    assert take.record.model.sha256 == made.sha256
    weights = next(downloaded.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=weights.name):
        generate("a red ball", 1, tmp_path / "other.mp4", model=downloaded)
    again = CliRunner().invoke(cli, ["model", "adopt", str(downloaded), *USUAL])
    assert again.exit_code == 1
    assert "remove it to adopt the folder anew" in again.output


def test_pickles_and_folders_of_another_kind_are_refused(downloaded: Path, tmp_path: Path) -> None:
    (downloaded / "extra.bin").write_bytes(b"x")
    refused = CliRunner().invoke(cli, ["model", "adopt", str(downloaded), *USUAL])
    assert "pickles run code" in refused.output
    (tmp_path / "empty").mkdir()
    empty = CliRunner().invoke(cli, ["model", "adopt", str(tmp_path / "empty"), *USUAL])
    assert "expected a diffusers folder" in empty.output
    (downloaded / "extra.bin").unlink()
    odd = CliRunner().invoke(cli, ["model", "adopt", str(downloaded), *USUAL[:1], "97by3", *USUAL[2:]])
    assert "--size: got '97by3'" in odd.output
    uneven = CliRunner().invoke(cli, ["model", "adopt", str(downloaded), *USUAL[:1], "97x160", *USUAL[2:]])
    assert "multiple of 16, got 97" in uneven.output
    assert not (downloaded / "manifest.json").exists()
