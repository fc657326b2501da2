"""Brings a lab in the making into its instructor's home and sends it back; nothing in the home is overwritten unsaid.

It lies in ``<home>/authoring/COURSE/LAB``; which revision it began from is kept under ``<home>/.reelwright/drafts``.
When the course holds a newer one, it takes the place of files that were not touched, else it is put beside them.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.authoring.revision import revision_of
from labs.exchange.answers import IntakeError
from labs.exchange.archive import pack, unpack, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from labs.exchange.client import Intake

SHOWN_CHARS = 8
OUTPUTS = frozenset({"takes"})
"""Where running the reference writes: with the lab, they would stand in for what learners are to make."""


@dataclass(frozen=True)
class Sent:
    """What the course took: where its page is, and what was left out of it."""

    page: str
    left_out: tuple[str, ...]


def open_draft(intake: Intake, course: str, lab: str, home: Path) -> Path:
    """Fetch the lab and return its notebook.

    Raises:
        IntakeError: the intake refused or is away.
        ArchiveError: what it sent cannot be unpacked.
        OSError: a file cannot be written.
    """
    folder, kept = draft_folder(home, course, lab), _kept(home, course, lab)
    draft = intake.draft(course, lab)
    if folder.is_dir() and draft.version != _base(kept):
        if _revision(folder) == _base(kept):
            shutil.rmtree(folder)
        else:
            folder = folder.with_name(f"{lab}--{draft.version[:SHOWN_CHARS]}")
    is_new = not folder.is_dir()
    unpack(draft.archive, folder)
    if is_new and folder.name == lab:
        write_whole(kept, draft.version.encode())
    return folder / f"{lab}.ipynb"


def open_as_learner(intake: Intake, course: str, lab: str, home: Path) -> Path:
    """Fetch what learners would get into a folder of its own, and return its notebook; raises as :func:`open_draft`."""
    preview = intake.draft(course, lab, as_learner=True)
    folder = home / "preview" / course / f"{lab}--{preview.version[:SHOWN_CHARS]}"
    unpack(preview.archive, folder)
    return folder / f"{lab}.ipynb"


def send_draft(intake: Intake, course: str, lab: str, home: Path, *, replace: bool) -> Sent:
    """Send the lab's folder to the course.

    Raises:
        IntakeError: the intake refused (409 when somebody else sent another one, unless ``replace``) or is away.
        ArchiveError: the folder cannot be packed.
    """
    folder, kept = draft_folder(home, course, lab), _kept(home, course, lab)
    if not folder.is_dir():
        raise IntakeError(
            f"{folder} 不在了，请从实验页面重新打开笔记本",
            f"{folder} is gone; open the notebook from the lab's page",
            status=404,
        )
    packed = pack(folder, without=OUTPUTS)
    taken = intake.send_draft(course, lab, packed.archive, base="any" if replace else _base(kept) or "any")
    write_whole(kept, taken.revision.encode())
    return Sent(taken.page, packed.left_out)


def draft_folder(home: Path, course: str, lab: str) -> Path:
    """Where a lab in the making lies."""
    return home / "authoring" / course / lab


def _kept(home: Path, course: str, lab: str) -> Path:
    return home / ".reelwright" / "drafts" / f"{course}--{lab}"


def _base(kept: Path) -> str:
    try:
        return kept.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _revision(folder: Path) -> str:
    """Of what is there to be sent; empty when anything is there that would not be, and so could be lost."""
    there = pack(folder, without=OUTPUTS)
    if there.left_out:
        return ""
    with zipfile.ZipFile(io.BytesIO(there.archive)) as packed:
        return revision_of({name: packed.read(name) for name in packed.namelist()})
