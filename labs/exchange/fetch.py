"""Brings a released lab into the learner's home; a file that is already there is never touched.

Which release a lab was fetched from is kept under ``<home>/.reelwright/releases``, outside the folder that is handed
in. When a newer one is out, fetching puts it into a folder of its own beside the learner's work.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labs.exchange.archive import unpack, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from labs.exchange.client import Intake


def lab_folder(home: Path, course: str, lab: str) -> Path:
    """Where a lab lies in the learner's home."""
    return home / course / lab


def is_fetched(folder: Path) -> bool:
    """Whether the lab's folder holds a notebook."""
    return any(folder.glob("*.ipynb"))


def has_newer_release(home: Path, course: str, lab: str, version: str) -> bool:
    """Whether ``version`` is another release than the one last brought into ``home``; False when none is known."""
    known = _known_version(home, course, lab)
    return known is not None and known != version


def newer_folder(folder: Path, version: str) -> Path:
    """Where a newer release of the lab in ``folder`` goes: beside it, named after its version."""
    return folder.with_name(f"{folder.name}--release-{re.sub(r'[^A-Za-z0-9]', '', version)[:8]}")


def fetch_lab(intake: Intake, course: str, lab: str, *, home: Path, folder: Path) -> tuple[Path, ...]:
    """Fetch the released files that are missing and return those written; a newer release goes beside ``folder``.

    Raises:
        IntakeError: the intake refused or is away.
        ArchiveError: what it sent cannot be unpacked.
        OSError: a file cannot be written.
    """
    release = intake.release(course, lab)
    beside = is_fetched(folder) and has_newer_release(home, course, lab, release.version)
    target = newer_folder(folder, release.version) if beside else folder
    is_first = not is_fetched(folder)
    written = tuple(target / name for name in unpack(release.archive, target))
    # Files that were there before the record was kept may be of any release: then none is claimed.
    if beside or is_first:
        write_whole(_version_file(home, course, lab), release.version.encode())
    return written


def _version_file(home: Path, course: str, lab: str) -> Path:
    return home / ".reelwright" / "releases" / f"{course}--{lab}"


def _known_version(home: Path, course: str, lab: str) -> str | None:
    try:
        return _version_file(home, course, lab).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
