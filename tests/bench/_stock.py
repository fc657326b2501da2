"""The peer: stock nbgrader, as its command line does it, on the same notebooks in a course folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIRST_WORK = "Converting notebook"


def autograde(
    course_dir: Path, folder: Path, lab: str, notebooks: Mapping[str, bytes]
) -> tuple[float, dict[str, float]]:
    """Grade ``notebooks`` with one ``nbgrader autograde``; seconds after it had started up, and learners' points.

    ``course_dir`` is a course folder that nbgrader released the lab in; it is copied, so nothing graded is in it.
    """
    shutil.copytree(course_dir, folder)
    for learner, notebook in notebooks.items():
        place = folder / "submitted" / learner / lab
        place.mkdir(parents=True)
        (place / f"{lab}.ipynb").write_bytes(notebook)
    seconds = _run(folder, lab)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", course_dir.name) as gradebook:
        points = {learner: float(gradebook.find_submission(lab, learner).score) for learner in notebooks}
    return seconds, points


def _run(folder: Path, lab: str) -> float:
    command = [
        sys.executable, "-m", "nbgrader", "autograde", lab,
        f"--CourseDirectory.root={folder}", "--Autograde.create_student=True", "--log-level=INFO",
    ]  # fmt: skip
    said, first = [], 0.0
    with subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout or ():
            said.append(line)
            # What it needs to load itself is not counted: it is paid once however many are graded.
            if not first and FIRST_WORK in line:
                first = time.monotonic()
    if process.returncode or not first:
        raise RuntimeError(f"nbgrader autograde ended with {process.returncode}: {''.join(said[-5:])}")
    return time.monotonic() - first
