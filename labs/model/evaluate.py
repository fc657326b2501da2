"""Measures how well a model obeys: held-out prompts, films drawn as a learner draws them, read back and measured.

    python -m labs.model.evaluate [--model FOLDER] [--prompts 200] [--seed 0] [--sheet FILE.png] [--json]

The release gate: every measured axis obeyed in nine of ten clips, a clip within three CPU-seconds, the same seed the
same file. Exit status 0 when it holds, 1 when it does not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labs.language import LabError
from labs.measure.film import read_frames
from labs.measure.film_language import MEASURED, look_at
from labs.model.folder import ModelFolder, open_model
from labs.render.sheet import contact_sheet
from labs.render.wish import every_wish
from labs.takes import generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from labs.render.wish import Wish
    from labs.takes import Take

OBEYED = 0.90
CPU_SECONDS = 3.0
REPEATED = 2
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured. ``obeyed``: for each axis the part of clips that show what was asked for."""

    model: str
    sha256: str
    prompts: int
    seed: int
    obeyed: dict[str, float]
    chance: dict[str, float]
    """What a model would get that draws some other prompt of the same kind each time."""
    cpu_seconds: float
    """Processor time of a clip: sampling, decoding and writing, all threads together."""
    repeats: bool
    """Whether the same seed gave the same file."""

    @property
    def passed(self) -> bool:
        """Whether the release gate holds."""
        return min(self.obeyed.values()) >= OBEYED and self.cpu_seconds <= CPU_SECONDS and self.repeats

    def as_dict(self) -> dict[str, Any]:
        """Plain data, the verdict included."""
        return asdict(self) | {"passed": self.passed}

    def __str__(self) -> str:
        lines = [f"{self.model} ({self.sha256[:12]}), {self.prompts} held-out prompts, seed {self.seed}"]
        for axis, part in self.obeyed.items():
            verdict = "ok" if part >= OBEYED else "below the gate"
            lines.append(f"  {axis:8} {part:6.1%}  (gate {OBEYED:.0%}, chance {self.chance[axis]:.0%})  {verdict}")
        lines.append(f"  {self.cpu_seconds:.2f} CPU-seconds a clip (gate {CPU_SECONDS:g})")
        lines.append(f"  the same seed gives {'the same film' if self.repeats else 'ANOTHER film'}")
        return "\n".join([*lines, "gate: passed" if self.passed else "gate: NOT passed"])


def evaluate(
    model: str | Path | None = None,
    *,
    prompts: int = 200,
    seed: int = 0,
    sheet: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Draw and measure ``prompts`` held-out prompts with the model in a folder, by default the house model.

    Raises:
        ModelError: the folder is missing, incomplete or altered.
    """
    folder = open_model(model)
    wishes = held_out_wishes(prompts, seed)
    right, spent = dict.fromkeys(MEASURED, 0), 0.0
    shown: list[NDArray[np.uint8]] = []
    with tempfile.TemporaryDirectory() as work:
        _draw(folder, wishes[0], seed, Path(work))  # the first clip pays for loading the model
        for number, wish in enumerate(wishes):
            began = time.process_time()
            take = _draw(folder, wish, seed + number, Path(work))
            spent += time.process_time() - began
            for axis, obeyed in look_at(read_frames(take.path)).obeys(wish).items():
                right[axis] += obeyed
            if len(shown) < SHOWN:
                shown.append(take.frames)
            if say and (number + 1) % 20 == 0:
                say(f"{number + 1} of {prompts}")
        repeats = all(_repeats(folder, wish, seed, Path(work)) for wish in wishes[:REPEATED])
    if sheet:
        contact_sheet(shown, [wish.caption for wish in wishes[: len(shown)]]).save(sheet)
    return Evaluation(
        model=folder.manifest.name,
        sha256=folder.sha256,
        prompts=prompts,
        seed=seed,
        obeyed={axis: count / prompts for axis, count in right.items()},
        chance=_chance(wishes),
        cpu_seconds=spent / prompts,
        repeats=repeats,
    )


def held_out_wishes(count: int, seed: int) -> tuple[Wish, ...]:
    """Combinations that training never saw, drawn without putting back."""
    pool = every_wish(held_out=True)
    chosen = np.random.default_rng([seed, 5]).permutation(len(pool))[:count]
    return tuple(pool[int(number)] for number in chosen)


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 0 when the gate holds, 1 when it does not, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m labs.model.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, help="a model folder (default: the house model)")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the first clips")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    most = len(every_wish(held_out=True))
    if not 1 <= asked.prompts <= most:
        parser.error(f"--prompts: got {asked.prompts}, expected 1 to {most}")
    try:
        found = evaluate(asked.model, prompts=asked.prompts, seed=asked.seed, sheet=asked.sheet, say=_told)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to a person
        return 2
    print(json.dumps(found.as_dict()) if asked.json else found)  # noqa: T201
    return 0 if found.passed else 1


def _draw(folder: ModelFolder, wish: Wish, seed: int, work: Path) -> Take:
    return generate(wish.caption, seed, work / "clip.mp4", model=folder.path)


def _repeats(folder: ModelFolder, wish: Wish, seed: int, work: Path) -> bool:
    digests = {_draw(folder, wish, seed, work).record.output.sha256 for _ in range(2)}
    return len(digests) == 1


def _chance(wishes: tuple[Wish, ...]) -> dict[str, float]:
    told = {axis: [getattr(wish, axis) for wish in wishes] for axis in MEASURED}
    return {axis: sum((words.count(word) / len(words)) ** 2 for word in set(words)) for axis, words in told.items()}


def _told(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - a long command's progress


if __name__ == "__main__":
    raise SystemExit(main())
