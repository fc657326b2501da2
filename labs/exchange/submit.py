"""Hands a lab in and keeps its receipt in the learner's home."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.exchange.archive import ArchiveError, pack, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from labs.exchange.answers import Receipt
    from labs.exchange.client import Intake

RECEIPTS = "receipts"


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was handed in. ``receipt_file`` is None when the receipt could not be written to disk."""

    receipt: Receipt
    receipt_file: Path | None
    left_out: tuple[str, ...]


def submit_lab(intake: Intake, course: str, lab: str, *, folder: Path, home: Path) -> Submitted:
    """Pack ``folder``, hand it in, and write the receipt under ``home/receipts``.

    Raises:
        ArchiveError: the folder lacks the lab's notebook or cannot be packed.
        IntakeError: the intake refused (no attempt is used) or is away.
    """
    _check_notebook(folder, lab)
    packed = pack(folder)
    signed = intake.submit(course, lab, packed.archive)
    receipt = signed.parsed()
    kept = {"receipt": signed.receipt, "signature": signed.signature, "left_out": list(packed.left_out)}
    file = home / RECEIPTS / f"{course}--{lab}--attempt-{receipt.attempt}.json"
    try:
        write_whole(file, json.dumps(kept, ensure_ascii=False, indent=2).encode() + b"\n")
    except OSError:
        # The attempt is taken; a full disk here must not tell the learner otherwise.
        return Submitted(receipt, None, packed.left_out)
    return Submitted(receipt, file, packed.left_out)


def _check_notebook(folder: Path, lab: str) -> None:
    expected = folder / f"{lab}.ipynb"
    if expected.is_file():
        return
    found = ", ".join(sorted(file.name for file in folder.glob("*.ipynb"))) or "-"
    raise ArchiveError(
        f"{folder} 里没有 {expected.name}（找到：{found}）；请把笔记本改回原名，或重新取回作业",
        f"{folder} has no {expected.name} (found: {found}); give the notebook its name back, or fetch the lab again",
    )
