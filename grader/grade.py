"""Grade one submission: rebuild it, run it in a box, decide outside the box."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.sandbox.box import Sandbox
    from grader.verdict import GradingJob, Verdict


def grade(job: GradingJob, sandbox: Sandbox) -> Verdict:
    """Run and score ``job``; a run that could not end well says so in the verdict's ``failure``."""
    raise NotImplementedError
