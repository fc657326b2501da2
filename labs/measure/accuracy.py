"""How often the measures are right, on previs clips whose truth is known, written as films and read back.

python -m labs.measure.accuracy [--clips 200] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from labs.measure.film import read_frames
from labs.measure.film_language import MEASURED, look_at
from labs.render.sheet import sample_wishes
from labs.takes.film import write_film

WIDTH, HEIGHT, FRAMES = 90, 160, 17
BATCH = 10


def accuracies(clips: int, seed: int = 0) -> dict[str, float]:
    """For each measured axis the part of ``clips`` read rightly, and ``cpu_seconds`` a clip of measuring."""
    from labs.render.clip import render  # noqa: PLC0415 - late: torch takes seconds

    wishes = sample_wishes(clips, seed)
    right, spent = dict.fromkeys(MEASURED, 0), 0.0
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "clip.mp4"
        for start in range(0, clips, BATCH):
            some = wishes[start : start + BATCH]
            seeds = range(seed + start, seed + start + len(some))
            for wish, frames in zip(some, render(some, seeds, frames=FRAMES, width=WIDTH, height=HEIGHT), strict=True):
                write_film(frames.numpy(), film, fps=8)
                began = time.process_time()
                for axis, obeyed in look_at(read_frames(film)).obeys(wish).items():
                    right[axis] += obeyed
                spent += time.process_time() - began
    return {axis: count / clips for axis, count in right.items()} | {"cpu_seconds": spent / clips}


def main(arguments: list[str] | None = None) -> int:
    """Print the accuracies."""
    parser = argparse.ArgumentParser(prog="python -m labs.measure.accuracy", description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(arguments)
    found = accuracies(asked.clips, asked.seed)
    lines = [json.dumps(found)] if asked.json else [f"{name:12} {value:.3f}" for name, value in found.items()]
    print("\n".join(lines))  # noqa: T201 - a command speaks to a person
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
