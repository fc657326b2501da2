"""Grade one submission: rebuild it, run it in a box, decide outside the box."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from grader.check.hidden import run_session
from grader.check.notebook import NotebookRefused
from grader.check.reasons import Reason
from grader.check.rebuild import LabBroken, Step, rebuild
from grader.check.report import graded_notebook
from grader.check.score import score_cells
from grader.check.session import CheckerBroken, Record
from grader.verdict import Failure, GradingJob, Verdict

if TYPE_CHECKING:
    from grader.sandbox.box import Sandbox


def grade(job: GradingJob, sandbox: Sandbox) -> Verdict:
    """Run and score ``job``; a run that could not end well says so in the verdict's ``failure``."""
    started = time.monotonic()
    try:
        # 1. Only what the learner may write is taken from the learner.
        steps, record = _rebuild(job)
        # 2. Their cells run in one box, the lab's tests in another; values cross as plain data.
        record = record or run_session(job, steps, sandbox)
    except (LabBroken, CheckerBroken) as error:
        failure = Failure("infrastructure", f"评分系统出错：{error}", f"The grader failed: {error}")
        return Verdict((), b"", failure, time.monotonic() - started)
    # 3. Points come from what the checker saw, everything that is shown from before hidden tests ran.
    scores = score_cells(steps, record)
    failed = Failure("learner", record.ended.zh, record.ended.en) if record.ended else None
    seconds = time.monotonic() - started
    return Verdict(scores, graded_notebook(steps, record, scores), failed, seconds, record.files, record.overwritten)


def _rebuild(job: GradingJob) -> tuple[tuple[Step, ...], Record | None]:
    """The steps; for a submission that is no notebook, those of the blank lab, and a record that says why none ran."""
    try:
        return rebuild(job.lab_version, job.notebook), None
    except NotebookRefused as refused:
        detail = f"{refused.got} / {refused.expected}"
        reason = Reason(f"{refused.zh}（{detail}）", f"{refused.en} ({detail})")
        return rebuild(job.lab_version, job.lab_version.release), Record(ended=reason)
