"""Grade one submission: rebuild it, run it in a box, decide outside the box."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from grader.check.notebook import NotebookRefused
from grader.check.rebuild import LabBroken, Step, rebuild
from grader.check.report import graded_notebook
from grader.check.score import score_cells
from grader.check.secrecy import cover
from grader.check.session import CheckerBroken, Record, run_session
from grader.verdict import Failure, GradingJob, Verdict

if TYPE_CHECKING:
    from grader.sandbox.box import Sandbox


def grade(job: GradingJob, sandbox: Sandbox) -> Verdict:
    """Run and score ``job``; a run that could not end well says so in the verdict's ``failure``."""
    started = time.monotonic()
    try:
        # 1. Only what the learner may write is taken from the learner.
        steps = rebuild(job.lab_version, job.notebook)
        # 2. Their cells run in one box, the lab's tests in another; values cross as plain data.
        record = run_session(job, steps, sandbox)
    except NotebookRefused as refused:
        reason = f"{refused.got} / {refused.expected}"
        return _failed(Failure("learner", f"{refused.zh}({reason})", f"{refused.en} ({reason})"), started)
    except (LabBroken, CheckerBroken) as error:
        return _failed(Failure("infrastructure", f"评分系统出错：{error}", f"The grader failed: {error}"), started)
    # 3. Points come from what the checker saw.
    return _verdict(job, steps, record, started)


def _verdict(job: GradingJob, steps: tuple[Step, ...], record: Record, started: float) -> Verdict:
    cover(steps, record, job)
    scores = score_cells(steps, record)
    failure = Failure("learner", record.ended.zh, record.ended.en) if record.ended else None
    notebook = graded_notebook(steps, record, scores)
    return Verdict(scores, notebook, failure, time.monotonic() - started, record.files)


def _failed(failure: Failure, started: float) -> Verdict:
    return Verdict((), b"", failure, time.monotonic() - started)
