"""Trains the house model on clips of this repository's own renderer; goes on where it was stopped.

    python -m labs.model.train WORK [--device cuda] [--threads 1] [--trial | --so-far]

Stage 1 computes the autoencoder, stage 2 fills a bank of encoded clips, stage 3 trains the transformer; then the model
is written to WORK/candidate (with --so-far from the last checkpoint, training nothing), to be measured with
labs.model.evaluate and released with labs.model.release. Settings are taken from WORK/settings.json, which
the first call writes. Ctrl-C and a later call lose at most two minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labs.language import LabError

if TYPE_CHECKING:
    from collections.abc import Callable


def train(
    work: Path, *, device: str | None = None, threads: int = 1, trial: bool = False, so_far: bool = False
) -> Path:
    """Train to the end, or take the last checkpoint when ``so_far``, and return the candidate's folder.

    Raises:
        TrainingError: the work folder's settings cannot be read.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch  # noqa: PLC0415 - late: seconds to import

    from labs.model import house, settings, stages  # noqa: PLC0415
    from labs.model.examples import Examples, fill_bank  # noqa: PLC0415

    torch.set_num_threads(threads)
    chosen = settings.settled(work, settings.TRIAL if trial else settings.Settings())
    say = _log(work / "training.log")
    examples = Examples(chosen, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    vae = stages.fit_vae(work, examples, say)
    if so_far:
        text_encoder, transformer = stages.flow_so_far(work, examples, say)
    else:
        bank = fill_bank(work / "bank", examples, vae, say)
        text_encoder, transformer = stages.train_flow(work, examples, bank, say)
    pipeline = house.build_pipeline(vae.cpu(), text_encoder.cpu(), transformer.cpu())
    about = {"seed": chosen.seed, "settings": chosen.model_dump(mode="json")}
    house.write_candidate(pipeline, work / "candidate", about)
    say(f"written: {work / 'candidate'}")
    return work / "candidate"


def main(arguments: list[str] | None = None) -> int:
    """Train from the command line; 1 when it cannot be done, 130 when it was stopped."""
    parser = argparse.ArgumentParser(prog="python -m labs.model.train", description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--device", help="cpu or cuda (default: cuda when there is one)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trial", action="store_true", help="a tiny model, a few steps: tries out every stage")
    parser.add_argument("--so-far", action="store_true", help="a candidate from the last checkpoint, training nothing")
    asked = parser.parse_args(arguments)
    try:
        train(asked.work, device=asked.device, threads=asked.threads, trial=asked.trial, so_far=asked.so_far)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to a person
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _log(file: Path) -> Callable[[str], None]:
    def say(words: str) -> None:
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}Z {words}"
        print(line, flush=True)  # noqa: T201 - a long command's progress
        with file.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    return say


if __name__ == "__main__":
    raise SystemExit(main())
