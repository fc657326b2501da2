"""Gives a trained candidate its name, if and only if it passes the gate; its card tells the figures as measured.

python -m labs.model.release CANDIDATE TARGET [--prompts 200]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from labs.language import LabError
from labs.model.evaluate import Evaluation, evaluate
from labs.model.folder import MANIFEST, ModelError, ModelFolder, open_model
from labs.model.make import let_everyone_read, write_manifest

NAME = "house-1"
FEWEST_PROMPTS = 200
CARD = """# house-1

A small text-to-video diffusion model for learning. It draws {width} x {height} clips of {frames} frames at {fps} a
second, of nine figures in four sets, after prompts in film language. 用于学习的小型文生视频扩散模型。

- **What it is for**: practising prompts, seeds, steps and takes on a CPU, and being measured against what was asked.
- **What it is not**: it knows no people, places or things of the world, and no words but those listed below. It was
  trained on clips that this repository's own renderer ("previs") drew, and on nothing else: no film, no photograph, no
  person's likeness. 训练数据全部由本仓库的程序绘制，没有使用任何影片、照片或真人形象。
- **Shot size** means how much of the frame the figure fills at the middle of the clip.
- Pipeline: diffusers `CogVideoXPipeline`, stock classes, `from_pretrained` without a network
- Made by: `python -m labs.model.train WORK`, then `python -m labs.model.release`
- Licence: Apache-2.0, weights and code

## Measured 实测

```
{figures}
```

On prompts whose combination training never saw. The measures themselves are right in 99 of 100 clips of known truth or
better (`python -m labs.measure.accuracy`).

![contact sheet](sheet.png)
"""


def release(candidate: Path, target: Path, *, prompts: int = FEWEST_PROMPTS) -> tuple[Evaluation, ModelFolder | None]:
    """Evaluate ``candidate`` and, when it passes, write it to ``target`` under its name; None when it does not pass.

    Raises:
        ModelError: the candidate cannot be opened, ``target`` is taken, or a gate needs more prompts.
    """
    if prompts < FEWEST_PROMPTS:
        raise ModelError(
            f"提示词数：得到 {prompts}，发布至少需要 {FEWEST_PROMPTS}",
            f"prompts: got {prompts}, expected at least {FEWEST_PROMPTS} for a release",
        )
    if target.exists():
        raise ModelError(f"{target} 已存在", f"{target} is there already")
    folder = open_model(candidate)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        workshop = Path(made) / "model"
        shutil.copytree(candidate, workshop)
        found = evaluate(candidate, prompts=prompts, sheet=workshop / "sheet.png")
        if not found.passed:
            return found, None
        clip = folder.manifest.clip
        (workshop / "README.md").write_text(CARD.format(figures=found, **clip.model_dump()), encoding="utf-8")
        (workshop / MANIFEST).unlink()
        write_manifest(workshop, name=NAME, pipeline=folder.manifest.pipeline, trained=True, clip=clip)
        let_everyone_read(workshop)
        workshop.replace(target)
    return found, open_model(target)


def main(arguments: list[str] | None = None) -> int:
    """Release from the command line; 1 when the gate does not hold, 2 when it could not be tried."""
    parser = argparse.ArgumentParser(prog="python -m labs.model.release", description=__doc__)
    parser.add_argument("candidate", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--prompts", type=int, default=FEWEST_PROMPTS)
    asked = parser.parse_args(arguments)
    try:
        found, folder = release(asked.candidate, asked.target, prompts=asked.prompts)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to a person
        return 2
    print(found)  # noqa: T201
    print(f"{folder.path}: {folder.manifest.name}, sha256 {folder.sha256}" if folder else "nothing released")  # noqa: T201
    return 0 if folder else 1


if __name__ == "__main__":
    raise SystemExit(main())
