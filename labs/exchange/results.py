"""Writes what became of each attempt into the lab's folder: the itemised score, and the feedback once released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.exchange.archive import unpack, write_whole
from labs.language import Words

if TYPE_CHECKING:
    from pathlib import Path

    from labs.exchange.answers import Attempt, Item
    from labs.exchange.client import Intake

RESULT = "result.md"
STATES = {
    "queued": Words("排队中", "queued"),
    "grading": Words("评分中", "being graded"),
    "graded": Words("已评分", "graded"),
    "needs_review": Words("自动部分已评分，等待教师", "automatic part graded, waiting for your instructor"),
    "failed": Words("系统故障，未占用次数", "failed on our side, no attempt used"),
}


def feedback_folder(lab_folder: Path, attempt: Attempt) -> Path:
    """Where the results of ``attempt`` lie."""
    return lab_folder / "feedback" / f"attempt-{attempt.attempt}"


def summary(attempt: Attempt) -> str:
    """One line: which attempt, its state, its points so far."""
    line = f"{Words(f'第 {attempt.attempt} 次', f'attempt {attempt.attempt}')} · {STATES[attempt.state]}"
    if str(attempt.reason):
        line += f" · {attempt.reason}"
    if attempt.score is not None and attempt.max_score is not None:
        line += f" · {attempt.score:g}/{attempt.max_score:g}"
    return line


def result_text(attempt: Attempt) -> str:
    """The itemised score as Markdown: one row a graded cell, with its reason."""
    head = Words("| 项目 | 得分 | 满分 | 说明 |", "| item | points | of | reason |")
    rows = "\n".join(_row(item) for item in attempt.items)
    return f"# {summary(attempt)}\n\nSHA-256 {attempt.sha256}\n\n{head}\n|---|---|---|---|\n{rows}\n"


def is_current(lab_folder: Path, attempt: Attempt) -> bool:
    """Whether the results on disk are the newest, released feedback included."""
    folder = feedback_folder(lab_folder, attempt)
    try:
        same = (folder / RESULT).read_text(encoding="utf-8") == result_text(attempt)
    except OSError:
        return False
    return same and (not attempt.feedback or any(folder.glob("*.html")))


def fetch_results(intake: Intake, course: str, lab: str, folder: Path) -> tuple[Path, ...]:
    """Write every attempt that has a result and return the folders written.

    Raises:
        IntakeError: the intake refused or is away.
        ArchiveError: the feedback it sent cannot be unpacked.
    """
    attempts = [attempt for attempt in intake.attempts(course, lab).submissions if attempt.has_result]
    return tuple(_write(intake, attempt, feedback_folder(folder, attempt)) for attempt in attempts)


def _write(intake: Intake, attempt: Attempt, folder: Path) -> Path:
    archive = intake.feedback(attempt.id) if attempt.feedback else None
    if archive is not None:
        # Feedback may be released anew after an appeal: the old page makes room for the new one.
        for page in folder.glob("*.html"):
            page.unlink()
        unpack(archive, folder)
    write_whole(folder / RESULT, result_text(attempt).encode())
    return folder


def _row(item: Item) -> str:
    points = "…" if item.score is None else f"{item.score:g}"
    cells = (item.title, points, f"{item.max_score:g}", str(item.reason))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
