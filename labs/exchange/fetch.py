"""Brings a released lab into the learner's home; a file that is already there is never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.exchange.archive import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from labs.exchange.client import Intake


def lab_folder(home: Path, course: str, lab: str) -> Path:
    """Where a lab lies in the learner's home."""
    return home / course / lab


def is_fetched(folder: Path) -> bool:
    """Whether the lab's folder holds a notebook."""
    return any(folder.glob("*.ipynb"))


def fetch_lab(intake: Intake, course: str, lab: str, folder: Path) -> tuple[str, ...]:
    """Fetch the lab's released files that are missing from ``folder`` and return their names.

    Raises:
        IntakeError: the intake refused or is away.
        ArchiveError: what it sent cannot be unpacked.
    """
    return unpack(intake.release(course, lab).archive, folder)
