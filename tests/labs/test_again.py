from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from labs.provenance import ProvenanceError, read_record
from labs.render import previs, sketch
from labs.takes import all_same, generate, rerun, rerun_sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models_dir))
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")


def test_a_logged_take_comes_out_again_byte_for_byte(tmp_path: Path) -> None:
    generate("close shot, push in, a red umbrella", 7, "takes/one.mp4", frames=9, steps=2)
    previs("wide shot, pan left, a blue car in the sea, day light", 8, "takes/two.mp4")
    again = rerun_sample(tmp_path, 2)
    assert {one.film.rpartition("/")[2] for one in again} == {"one.mp4", "two.mp4"}
    assert all_same(again)
    assert not all_same(())
    assert len((tmp_path / "provenance.jsonl").read_text().splitlines()) == 2, "a re-run leaves no trace in the chain"


def test_a_record_that_tells_another_story_is_found_out(tmp_path: Path) -> None:
    take = previs("close shot, static, a red ring in the room, day light", 1, "take.mp4")
    file = tmp_path / "take.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | {"seed": 2}))
    assert not rerun("take.mp4").same
    file.write_text(json.dumps(told | {"model": told["model"] | {"sha256": "0" * 64}}))
    other = rerun("take.mp4")
    assert not other.same
    assert "cannot be made again" in str(other.why)
    file.write_text(json.dumps(told | {"prompt": "a red and a blue ring"}))
    assert "the prompt says" in str(rerun("take.mp4").why)
    file.write_text(json.dumps(told))
    assert rerun("take.mp4").same
    assert read_record("take.json") == take.record


def test_the_sample_is_drawn_by_chance_from_what_is_there(tmp_path: Path) -> None:
    for seed in range(4):
        previs("close shot, static, a red ring in the room, day light", seed, f"take-{seed}.mp4", frames=2)
    drawn = {rerun_sample(tmp_path, 1, chosen_by=Random(number))[0].film for number in range(8)}  # noqa: S311
    assert len(drawn) > 1
    with pytest.raises(ProvenanceError):
        rerun_sample(tmp_path / "nowhere")


def test_a_sketch_leaves_nothing_behind(tmp_path: Path) -> None:
    frames = sketch("close shot, static, a red ring in the room, day light", 3, frames=5)
    assert frames.shape == (5, 160, 90, 3)
    assert list(tmp_path.iterdir()) == []
