"""The peer: stock nbgrader, as its command line does it, on the same notebooks in a course folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook

from tests.bench._cpu import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIRST_WORK = "Converting notebook"


@dataclass(frozen=True)
class Stock:
    """Seconds and CPU seconds of stock nbgrader, both after it had started up, and the learners' points."""

    seconds: float
    cpu: float
    points: dict[str, float]


def autograde(course_dir: Path, folder: Path, lab: str, notebooks: Mapping[str, bytes]) -> Stock:
    """Grade ``notebooks`` with one ``nbgrader autograde``.

    ``course_dir`` is a course folder that nbgrader released the lab in; it is copied, so nothing graded is in it.
    """
    shutil.copytree(course_dir, folder)
    for learner, notebook in notebooks.items():
        place = folder / "submitted" / learner / lab
        place.mkdir(parents=True)
        (place / f"{lab}.ipynb").write_bytes(notebook)
    seconds, cpu = _run(folder, lab)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", course_dir.name) as gradebook:
        points = {learner: float(gradebook.find_submission(lab, learner).score) for learner in notebooks}
    return Stock(seconds, cpu, points)


def _run(folder: Path, lab: str) -> tuple[float, float]:
    command = [
        sys.executable, "-m", "nbgrader", "autograde", lab,
        f"--CourseDirectory.root={folder}", "--Autograde.create_student=True", "--log-level=INFO",
    ]  # fmt: skip
    said, first, before = [], 0.0, 0.0
    with (
        counted() as count,
        subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        count.take_in(process.pid)
        for line in process.stdout or ():
            said.append(line)
            # What it needs to load itself is not counted: it is paid once however many are graded.
            if not first and FIRST_WORK in line:
                first, before = time.monotonic(), count.seconds()
        seconds, cpu = time.monotonic() - first, count.seconds() - before
    if process.returncode or not first:
        raise RuntimeError(f"nbgrader autograde ended with {process.returncode}: {''.join(said[-5:])}")
    return seconds, cpu
