"""The labs that grading is measured on, as notebooks made here: one of a course's usual size, one that computes for
about five seconds; and what thirty learners make of them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

COURSE = "bench"
FRAMES = "frames"
SECONDS = "five-seconds"
START = "five-seconds-with-start"

COURSE_TOML = """
id = "bench"
programme = "bench"
version = "1"
skills = []
title = { zh = "评测", en = "Bench" }
summary = { zh = "评测", en = "Bench" }
completion = { min_score = 60 }
allowance = { yuan = "1" }
"""
LAB_TOML = """
[[labs]]
id = "%s"
title = { zh = "评测", en = "Bench" }
summary = { zh = "评测", en = "Bench" }
minutes = 30
weight = 1
due_after_days = 7
attempts = 100
time_limit_seconds = 300
"""

SETUP = """import numpy as np
import torch

rng = np.random.default_rng(7)
clip = rng.random((24, 48, 80, 3)).astype("float32")
clip[12:] = clip[12:] * 0.25
"""
LUMINANCE = """def luminance(frames):
    \"\"\"Rec. 709 luma of frames shaped (n, height, width, 3).\"\"\"
    ### BEGIN SOLUTION
    return frames @ np.array([0.2126, 0.7152, 0.0722], dtype=frames.dtype)
    ### END SOLUTION
"""
LUMINANCE_TEST = """grey = luminance(clip)
assert grey.shape == (24, 48, 80)
assert abs(float(luminance(np.ones((1, 2, 2, 3))).mean()) - 1) < 1e-6
### BEGIN HIDDEN TESTS
pure = np.zeros((1, 1, 1, 3))
pure[..., 1] = 1
assert abs(float(luminance(pure)[0, 0, 0]) - 0.7152) < 1e-6, "green weighs most"
### END HIDDEN TESTS
"""
CUTS = """def cuts(frames, threshold=0.15):
    \"\"\"Numbers of the frames that begin a new shot.\"\"\"
    ### BEGIN SOLUTION
    mean = luminance(frames).mean(axis=(1, 2))
    return [int(n) + 1 for n in np.flatnonzero(np.abs(np.diff(mean)) > threshold)]
    ### END SOLUTION
"""
CUTS_TEST = """assert cuts(clip) == [12]
assert cuts(clip[:12]) == []
### BEGIN HIDDEN TESTS
flash = np.zeros((6, 4, 4, 3), dtype="float32")
flash[2] = 1
assert cuts(flash) == [2, 3], "a flash begins and ends"
assert cuts(flash, threshold=2) == [], "the threshold is a parameter"
### END HIDDEN TESTS
"""
BLUR = """def blur(frames, size=3):
    \"\"\"A box blur of torch frames shaped (n, 3, height, width), same size out.\"\"\"
    ### BEGIN SOLUTION
    channels = frames.shape[1]
    kernel = torch.full((channels, 1, size, size), 1 / size**2, dtype=frames.dtype)
    return torch.nn.functional.conv2d(frames, kernel, padding=size // 2, groups=channels)
    ### END SOLUTION
"""
BLUR_TEST = """tensor = torch.from_numpy(clip).permute(0, 3, 1, 2)
soft = blur(tensor)
assert tuple(soft.shape) == (24, 3, 48, 80)
### BEGIN HIDDEN TESTS
spot = torch.zeros(1, 3, 7, 7)
spot[0, 0, 3, 3] = 9.0
smeared = blur(spot)
assert abs(float(smeared[0, 0, 2, 2]) - 1) < 1e-5, "a spot spreads over nine pixels"
assert float(smeared[0, 1].abs().max()) < 1e-6, "channels do not mix"
### END HIDDEN TESTS
"""
SCHEDULE = """def noise_schedule(steps, low=1e-4, high=0.02):
    \"\"\"What is left of the picture after each of ``steps`` diffusion steps (a torch vector).\"\"\"
    ### BEGIN SOLUTION
    return torch.cumprod(1 - torch.linspace(low, high, steps, dtype=torch.float64), 0)
    ### END SOLUTION
"""
SCHEDULE_TEST = """kept = noise_schedule(50)
assert tuple(kept.shape) == (50,)
assert bool((kept[1:] < kept[:-1]).all()), "less is left after every step"
### BEGIN HIDDEN TESTS
assert abs(float(noise_schedule(1000)[-1]) - 4.04e-5) < 1e-6, "a thousand steps leave almost nothing"
assert abs(float(noise_schedule(1, low=0.5)[0]) - 0.5) < 1e-9, "bounds are parameters"
### END HIDDEN TESTS
"""
WORK = """import numpy as np

def long_work(rounds=%d):
    \"\"\"Some matrix work whose sum is known.\"\"\"
    ### BEGIN SOLUTION
    state = np.full((160, 160), 1 / 160)
    for _ in range(rounds):
        state = state @ state
    return float(state.sum())
    ### END SOLUTION
"""
WORK_RUN = "total = long_work()"
WORK_TEST = """assert abs(total - 160) < 1e-3
### BEGIN HIDDEN TESTS
assert abs(long_work(1) - 160) < 1e-6, "one round keeps the sum"
### END HIDDEN TESTS
"""


def frames_lab() -> bytes:
    """Ten cells: text, a setup, and four tasks in numpy and torch with visible and hidden tests."""
    tasks = ((LUMINANCE, LUMINANCE_TEST), (CUTS, CUTS_TEST), (BLUR, BLUR_TEST), (SCHEDULE, SCHEDULE_TEST))
    cells = [new_markdown_cell("# Frames"), _tagged(SETUP, "setup", locked=True)]
    for task, test in tasks:
        name = _name(task)
        cells += [_tagged(task, name, solution=True), _tagged(test, f"{name}-test", grade=True, locked=True, points=3)]
    return _notebook(cells)


IMPORTS = """import torch
from diffusers import AutoencoderKLLTXVideo, LTXPipeline, LTXVideoTransformer3DModel
from transformers import T5EncoderModel
"""
"""What a lab that generates films loads before its first frame."""


def seconds_lab(rounds: int, imports: str = "") -> bytes:
    """Four or five cells, one of which multiplies matrices ``rounds`` times."""
    loads = [_tagged(imports, "imports", locked=True)] if imports else []
    return _notebook(
        [
            new_markdown_cell("# Long work"),
            *loads,
            _tagged(WORK % rounds, "work", solution=True),
            new_code_cell(WORK_RUN),
            _tagged(WORK_TEST, "work-test", grade=True, locked=True, points=1),
        ]
    )


WRONG = {
    "luminance": "return frames @ np.array([0.2126, 0.7152, 0.0722], dtype=frames.dtype)",
    "cuts": "return [int(n) + 1 for n in np.flatnonzero(np.abs(np.diff(mean)) > threshold)]",
    "blur": "padding=size // 2, groups=channels",
    "noise_schedule": "torch.linspace(low, high, steps, dtype=torch.float64)",
}
RIGHT_TO_WRONG = {
    "luminance": "return frames.mean(axis=-1)",
    "cuts": "return [12] if len(frames) > 12 else []",
    "blur": "groups=channels",
    "noise_schedule": "torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)",
}
"""What stands in a right answer, and what every third learner writes in its place: right on the visible tests only,
or wrong on them too."""


def handed_in(source: bytes, release: bytes, learner: int) -> bytes:
    """The notebook of one learner: the answers, one of them wrong for every third, and a remark of their own."""
    answers = {_tag(cell)["grade_id"]: cell["source"] for cell in _cells(source) if _tag(cell).get("solution")}
    notebook = json.loads(release)
    wrong = list(WRONG)[learner // 3 % len(WRONG)] if learner % 3 == 0 else ""
    for cell in notebook["cells"]:
        name = _tag(cell).get("grade_id")
        if name in answers:
            text = re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", "".join(answers[name]), flags=re.MULTILINE)
            if name == wrong:
                text = text.replace(WRONG[name], RIGHT_TO_WRONG[name])
            cell["source"] = f"{text.rstrip()}\n# learner {learner}\n"
    return json.dumps(notebook).encode()


def code_cells(notebook: bytes) -> list[str]:
    """The source of every code cell."""
    return ["".join(cell["source"]) for cell in _cells(notebook) if cell["cell_type"] == "code"]


def _cells(notebook: bytes) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(notebook)["cells"]
    return cells


def _tag(cell: dict[str, Any]) -> dict[str, Any]:
    tag: dict[str, Any] = cell["metadata"].get("nbgrader", {})
    return tag


def _name(task: str) -> str:
    return task.removeprefix("def ").split("(", 1)[0]


def _tagged(source: str, grade_id: str, **marks: Any) -> Any:
    cell = new_code_cell(source.strip())
    base = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    cell.metadata["nbgrader"] = {**base, "grade_id": grade_id, **marks}
    return cell


def _notebook(cells: list[Any]) -> bytes:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(new_notebook(cells=cells, metadata={"kernelspec": kernel})).encode()
