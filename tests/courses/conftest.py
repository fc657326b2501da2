"""Labs released as a start does, and the real grader with its boxes."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.release import release_lab
from grader.sandbox.box import open_sandbox
from labs.model.make import install_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from grader.sandbox.box import Sandbox
    from grader.verdict import LabVersion

COURSES = Path(__file__).parents[2] / "courses"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    made = open_sandbox()
    yield made
    close: Any = getattr(made, "close", None)
    if close is not None:
        close()


@pytest.fixture(scope="session")
def released() -> Iterator[Callable[[str, str], LabVersion]]:
    """A lab's version, released once a run into a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="reelwright-courses-") as folder, pytest.MonkeyPatch.context() as patch:
        # nbgrader runs `alembic` from PATH.
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        models = Path(folder) / "models"
        install_model(models / "house")

        @cache
        def release(course: str, lab: str) -> LabVersion:
            return release_lab(
                COURSES / course,
                Path(folder) / course,
                lab,
                read_only=[(str(models), str(models))],
                environment={"REELWRIGHT_MODELS": str(models)},
            )

        yield release
