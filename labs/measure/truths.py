"""How right the measures of whole films are, on films whose truth is known because they were made for it.

python -m labs.measure.truths [--rounds 20] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labs.checks import cut_frames
from labs.measure.film import read_frames
from labs.measure.look import flicker
from labs.measure.sound import loudness
from labs.measure.steady import consistency, smoothness
from labs.progress import progress
from labs.render.sheet import sample_wishes
from labs.render.wish import Wish
from labs.takes.film import write_film

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT, FRAMES, FPS = 90, 160, 17, 8
MARGIN = 12
FLICKER_LIMIT = 0.01
SMOOTH_LIMIT = 0.8


def truths(rounds: int, seed: int = 0) -> dict[str, float]:
    """For each measure the part of its cases that came out right; loudness as its largest error in LU."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        for number in progress(range(rounds), "truths", total=rounds):
            for name, right in _one_round(number, rng, film).items():
                found.setdefault(name, []).extend(right)
    worst = max(found.pop("loudness_error"))
    return {name: float(np.mean(right)) for name, right in found.items()} | {"loudness_error_lu": round(worst, 3)}


def _one_round(number: int, rng: np.random.Generator, film: Path) -> dict[str, list[float]]:
    clips = _clips(number, rng)
    wishes = [wish for wish, _ in clips]
    return {
        "cuts": _cuts([frames for _, frames in clips], rng, film),
        "flicker": _flicker(clips[0][1], rng, film),
        "smoothness": _smoothness(wishes[0], number, rng, film),
        "consistency": _consistency(wishes, number, film),
        "labels": _labels(clips[1][1], film),
        "captions": _captions(clips[2][1], number, film),
        "loudness_error": _loudness_error(rng, film),
    }


def _clips(number: int, rng: np.random.Generator) -> list[tuple[Wish, NDArray[np.uint8]]]:
    wishes = sample_wishes(4, int(rng.integers(1 << 30)))
    return [(wish, _drawn(wish, number * 10 + place)) for place, wish in enumerate(wishes)]


def _drawn(wish: Wish, seed: int, *, margin: int = 0) -> NDArray[np.uint8]:
    from labs.render.clip import render  # noqa: PLC0415 - late: torch takes seconds

    wide, tall = WIDTH + 2 * margin, HEIGHT + 2 * margin
    clip = render([wish], [seed], frames=FRAMES, width=wide, height=tall, unit=WIDTH)[0]
    frames: NDArray[np.uint8] = clip.numpy()
    return frames


def _cuts(clips: list[NDArray[np.uint8]], rng: np.random.Generator, film: Path) -> list[float]:
    """Right where the film is cut exactly where it was put together, and nowhere else; and an uncut one nowhere."""
    lengths = [int(rng.integers(5, FRAMES + 1)) for _ in clips]
    write_film(np.concatenate([clip[:count] for clip, count in zip(clips, lengths, strict=True)]), film, fps=FPS)
    together = cut_frames(film) == np.cumsum(lengths)[:-1].tolist()
    write_film(clips[0], film, fps=FPS)
    return [together, cut_frames(film) == []]


def _flicker(frames: NDArray[np.uint8], rng: np.random.Generator, film: Path) -> list[float]:
    """Right where a light that jumps by 6 to 20 % is told from a steady one."""
    write_film(frames, film, fps=FPS)
    steady = flicker(read_frames(film)) < FLICKER_LIMIT * _level(frames)
    jumps = 1 - rng.uniform(0.06, 0.2) * (np.arange(len(frames)) % 2)
    write_film((frames * jumps[:, None, None, None]).astype(np.uint8), film, fps=FPS)
    return [steady, flicker(read_frames(film)) >= FLICKER_LIMIT * _level(frames)]


def _level(frames: NDArray[np.uint8]) -> float:
    """A dark picture's light jumps by less."""
    return float(frames.mean() / 255) * 4


def _smoothness(wish: Wish, number: int, rng: np.random.Generator, film: Path) -> list[float]:
    """Right where a hand that trembles by up to 4 pixels is told from an even camera making the same move."""
    frames = _drawn(wish, number, margin=MARGIN)
    inside = slice(MARGIN, -MARGIN)
    write_film(np.ascontiguousarray(frames[:, inside, inside]), film, fps=FPS)
    even = smoothness(read_frames(film)) >= SMOOTH_LIMIT
    shifts = MARGIN + rng.integers(-4, 5, (FRAMES, 2))
    trembling = [picture[y : y + HEIGHT, x : x + WIDTH] for picture, (y, x) in zip(frames, shifts, strict=True)]
    write_film(np.stack(trembling), film, fps=FPS)
    return [even, smoothness(read_frames(film)) < SMOOTH_LIMIT]


def _consistency(wishes: list[Wish], number: int, film: Path) -> list[float]:
    """Right where clips of one subject in two lights agree, and clips of two subjects or colours do not."""
    shown = []
    first = wishes[0]
    same = Wish(wishes[1].size, wishes[1].move, first.subject, first.colour, wishes[1].light, wishes[1].place)
    for place, wish in enumerate((first, same, wishes[2])):
        write_film(_drawn(wish, number * 7 + place), film, fps=FPS)
        shown.append(read_frames(film))
    differs = (first.subject, first.colour) != (wishes[2].subject, wishes[2].colour)
    return [consistency(shown[:2]) == 1, (consistency(shown[::2]) == 0) is differs]


def _labels(frames: NDArray[np.uint8], film: Path) -> list[float]:
    """Right where the visible label is found on a labelled film and not on a plain one."""
    from labs.label.mark import shows_label, with_label  # noqa: PLC0415
    from labs.label.rule import RULE  # noqa: PLC0415

    write_film(np.stack([with_label(picture, RULE) for picture in frames]), film, fps=FPS)
    marked = all(shows_label(picture, RULE) for picture in read_frames(film))
    write_film(frames, film, fps=FPS)
    return [marked, not any(shows_label(picture, RULE) for picture in read_frames(film))]


def _captions(frames: NDArray[np.uint8], number: int, film: Path) -> list[float]:
    """Right where a caption is found in the film it was drawn into, and neither another one nor in a plain film."""
    from labs.edit.captions import Caption, captions_seen, with_caption  # noqa: PLC0415

    texts = ("这把伞是谁的？", "别回头！", "Who is there?", "车开走了。", "Give it back.")
    text, other = texts[number % len(texts)], texts[(number + 1) % len(texts)]
    times = (Caption(0, len(frames) / FPS, text), Caption(0, len(frames) / FPS, other))
    write_film(np.stack([with_caption(picture.copy(), text) for picture in frames]), film, fps=FPS)
    drawn = captions_seen(film, times) == (True, False)
    write_film(frames, film, fps=FPS)
    return [drawn, captions_seen(film, times) == (False, False)]


def _loudness_error(rng: np.random.Generator, film: Path) -> list[float]:
    """How far the loudness of a 997 Hz sine in a film is from what BS.1770 defines it to be, in LU."""
    from labs.edit.sound import add_sound, tone  # noqa: PLC0415

    level = float(rng.uniform(-35, -6))
    write_film(np.zeros((4 * FPS, HEIGHT, WIDTH, 3), np.uint8), film, fps=FPS)
    heard = film.with_name("heard.mp4")
    add_sound(film, tone(997, 4.0, level), heard)
    measured = loudness(heard).lufs
    # A full-scale 997 Hz sine in one channel reads -3.01 LUFS.
    return [abs(measured - (level - 3.01))]


def main(arguments: list[str] | None = None) -> int:
    """Print how right they are."""
    parser = argparse.ArgumentParser(prog="python -m labs.measure.truths", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(arguments)
    found = truths(asked.rounds, asked.seed)
    lines = [json.dumps(found)] if asked.json else [f"{name:18} {value:.3f}" for name, value in found.items()]
    print("\n".join(lines))  # noqa: T201 - a command speaks to a person
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
