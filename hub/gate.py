"""This instance's release gate: grades a lab's reference and its blank as its own workers would."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from grader.gate import Finding, GateReport, check_release
from grader.grade import grade
from grader.sandbox.box import SandboxUnavailable
from hub.serve import rules_of, sandbox_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.release import Gate
    from grader.verdict import GradingJob, LabVersion, Verdict
    from hub.platform import Platform


def release_gate(platform: Platform, graded: Callable[[], None] = lambda: None) -> Gate:
    """What is asked before a lab of ``platform`` is released; the sandbox is opened when it is first asked.

    ``graded`` is called after the reference and after the blank, from the thread that graded it.
    """
    # Warm parents would be loaded for two runs and stay in memory.
    opened = cache(lambda: sandbox_of(platform.config, warm=False))

    def check(version: LabVersion) -> GateReport:
        try:
            sandbox = opened()
        except SandboxUnavailable as error:
            finding = Finding("no-sandbox", f"这台服务器不能安全地评分：{error}", str(error))
            return GateReport(version.version, (finding,))
        rules = rules_of(platform, version.course, version.lab)

        def grade_one(job: GradingJob) -> Verdict:
            verdict = grade(job, sandbox)
            graded()
            return verdict

        return check_release(version, grade_one, rules)

    return check
