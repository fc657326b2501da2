from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from labs.measure import probe, read_frames
from labs.provenance import verify
from labs.render import AXES, Wish, WishError, previs, wish_from
from labs.render.sheet import contact_sheet, main, sample_wishes
from labs.render.wish import every_wish, open_axes

if TYPE_CHECKING:
    from pathlib import Path

RED_UMBRELLA = Wish("close", "push in", "umbrella", "red", "night", "street")


def test_a_caption_is_read_back_in_either_language() -> None:
    assert RED_UMBRELLA.caption == "close shot, push in, a red umbrella in the street, night light"
    rng = np.random.default_rng(0)
    assert wish_from(RED_UMBRELLA.caption, rng) == RED_UMBRELLA
    assert wish_from("近景，推镜头，街道里的红色雨伞，夜晚", rng).colour == "red"
    assert all(wish_from(wish.caption, rng) == wish for wish in sample_wishes(60, 3))
    assert open_axes("a red umbrella") == ("size", "move", "light", "place")


def test_a_prompt_that_says_two_things_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    with pytest.raises(WishError, match="colour: the prompt says red and blue"):
        wish_from("a red and blue ball", np.random.default_rng(0))
    with pytest.raises(WishError, match="move: got 'fly'"):
        Wish("close", "fly", "umbrella", "red", "night", "street")


def test_what_is_held_out_is_never_trained_on_even_in_the_mirror() -> None:
    held, kept = set(every_wish(held_out=True)), set(every_wish(held_out=False))
    assert len(held) + len(kept) == np.prod([len(words) for words in AXES.values()])
    assert 0.08 < len(held) / (len(held) + len(kept)) < 0.12
    assert not {wish.mirrored for wish in kept} & held


def test_the_seed_decides_and_a_batch_changes_nothing() -> None:
    from labs.render.clip import render  # noqa: PLC0415 - torch takes seconds

    wishes = sample_wishes(3, 1)
    clips = render(wishes, [5, 6, 7], frames=3, width=48, height=80).numpy()
    assert clips.shape == (3, 3, 80, 48, 3)
    alone = render(wishes[1:2], [6], frames=3, width=48, height=80).numpy()
    assert np.abs(alone[0].astype(int) - clips[1]).max() <= 1
    assert np.abs(render(wishes[1:2], [8], frames=3, width=48, height=80).numpy()[0].astype(int) - clips[1]).max() > 20


def test_a_previs_take_says_what_it_is(tmp_path: Path) -> None:
    take = previs(
        "特写 push in, a red umbrella in the street, night light".replace("特写", "close shot,"), 7, tmp_path / "p.mp4"
    )
    assert probe(take.path).frames == 17
    record = verify(take.path)
    assert (record.engine, record.model.name) == ("previs", "previs-1")
    again = previs(record.prompt, 7, tmp_path / "again.mp4")
    assert again.record.output.sha256 == record.output.sha256
    # The mark stands in the picture: white letters on black in the lower left corner.
    corner = read_frames(take.path)[:, -12:-1, 1:40].astype(int).mean(axis=-1)
    assert corner.max() > 200
    assert np.median(corner) < 40


def test_a_contact_sheet_shows_every_clip(tmp_path: Path) -> None:
    clips = [np.full((17, 16, 9, 3), number * 40, np.uint8) for number in range(3)]
    sheet = np.asarray(contact_sheet(clips, ["one", "two", "three"]))
    assert {0, 40, 80} <= set(sheet[..., 0].ravel().tolist())
    assert main([str(tmp_path / "sheet.png"), "--clips", "2"]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
