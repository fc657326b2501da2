"""Run the steps of one submission: cells in the learner's box, tests in the checker's, this process between them.

Nothing that learners may not see enters their box before everything that is shown of it has been collected. So a test
with hidden lines runs as released first; where its hidden lines begin, the learner's process leaves a copy of itself
behind, and with that the hidden lines run at the end, on the state of that moment (:mod:`grader.check.hidden`).
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from grader.check import reasons
from grader.check.opening import OpenerBox, OpenerBroken
from grader.check.outputs import Output, safe_outputs, stream
from grader.check.preload import modules_to_preload
from grader.check.talk import CHECKER_SECONDS, Talk
from grader.sandbox.box import BoxEnded, BoxPlan, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.check.reasons import Reason
    from grader.check.rebuild import Step
    from grader.verdict import GradingJob, ProducedFile

_CHECKER_MEMORY_MB = 2048


class CheckerBroken(Exception):  # noqa: N818  said of our own part
    """Our own side could not do its work; nothing of this is the learner's doing."""


@dataclass
class Record:
    """What happened, step by step; filled while the session runs."""

    outputs: dict[int, list[Output]] = field(default_factory=dict)
    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)
    """How tests ended, hidden lines included."""
    released: dict[int, dict[str, Any]] = field(default_factory=dict)
    """How tests that have hidden lines ended as learners know them, before the hidden lines ran."""
    unrun: dict[int, Reason] = field(default_factory=dict)
    limits: dict[int, Reason] = field(default_factory=dict)
    """Which limit a cell met that went on to the next one."""
    ended: Reason | None = None
    files: tuple[ProducedFile, ...] = ()
    overwritten: tuple[str, ...] = ()
    """Files released with the lab that were written anew in the learner's box; tests look at those released."""


@dataclass(frozen=True)
class Waiting:
    """A test whose hidden lines are still to run: the number of the learner's copy, 0 for none, and the files of then.

    With ``is_last`` nothing of the learner's has run since, so their process itself is as good as a copy. ``seconds``
    is how long everything as far as this test took.
    """

    copy: int
    files: dict[str, bytes]
    is_last: bool
    seconds: float


class Session:
    """Does the steps in order, and remembers what is still to be run."""

    def __init__(self, job: GradingJob, talk: Talk) -> None:
        self._job, self._talk = job, talk
        self._left = job.limits.output_bytes
        self.record = Record()
        self.waiting: dict[int, Waiting] = {}

    def run(self, steps: tuple[Step, ...]) -> None:
        """Do all ``steps``, without the hidden lines of tests, and collect everything that is to be shown."""
        talk = self._talk
        talk.place_files()
        theirs = [number for number, step in enumerate(steps) if step.boxed or step.check == "test"]
        for number, step in enumerate(steps):
            if step.boxed and talk.ended is None:
                self._run_cell(number, step)
            tell_of(talk, number, step)
            if step.check == "test":
                self._test(number, step, is_last=number == theirs[-1])
        self.record.files = talk.collect().produced()
        self.record.overwritten = talk.overwritten()
        if talk.ended:
            self.record.ended = talk.why_ended
        elif talk.checker_ended:
            self.record.ended = reasons.CHECKER_ENDED

    def _run_cell(self, number: int, step: Step) -> None:
        said = self._talk.ask({"op": "run", "source": step.shown.source})
        said = said if isinstance(said, dict) else {}
        outputs = safe_outputs(said.get("outputs"), self._left, self._talk.redraw)
        self._left -= sum(len(json.dumps(one)) for one in outputs)
        if limit := reasons.LIMITS.get(str(said.get("limit"))):
            self.record.limits[number] = limit
            outputs.append(stream("stderr", f"{limit.zh}\n{limit.en}\n"))
        self.record.outputs[number] = outputs

    def _test(self, number: int, step: Step, *, is_last: bool) -> None:
        talk = self._talk
        if talk.is_whole:
            talk.hand_over()
        if not talk.is_whole:
            self.record.unrun[number] = _why(talk)
            return
        talk.copies, talk.wants_copies = [], not is_last
        files = talk.files_now()
        outcome = examine(talk, "test" if not step.hidden else "released", number, step)
        if talk.copies:
            self.waiting[number] = Waiting(talk.copies[0], files, is_last, talk.spent)
            self.record.released[number] = outcome or {}
        elif outcome is None:
            self.record.unrun[number] = _why(talk)
        else:
            self.record.outcomes[number] = outcome


def tell_of(talk: Talk, number: int, step: Step) -> None:
    """Let the checker know a cell that it only reads, or run one that both sides run.

    Raises:
        BoxEnded: the checker ended; no learner can do that here.
    """
    if step.reference:
        talk.tell({"op": "solution", "source": step.trusted, "released": step.released})
    elif step.check == "shared":
        talk.tell({"op": "shared", "number": number, "source": step.trusted, "hidden": sorted(step.hidden)})


def examine(talk: Talk, op: str, number: int, step: Step) -> dict[str, Any] | None:
    """How a test ended; nothing when it could not be run to its end."""
    request = {"op": op, "number": number, "source": step.trusted, "hidden": sorted(step.hidden)}
    try:
        outcome: dict[str, Any] = talk.tell({**request, "released": step.shown.source})
    except BoxEnded as ended:
        # Only a test can be slow or large because of what a learner returned.
        talk.checker_ended = ended
        return None
    return None if talk.ended is not None and outcome["dead"] else outcome


def _why(talk: Talk) -> Reason:
    return talk.why_ended if talk.ended else reasons.CHECKER_ENDED


@contextmanager
def boxes_for(job: GradingJob, steps: tuple[Step, ...], sandbox: Sandbox) -> Iterator[Talk]:
    """Start the boxes and the talk between them; all boxes end with the ``with`` block.

    Raises:
        CheckerBroken: our own side failed.
    """
    lab, preload = job.lab_version, modules_to_preload(job.lab_version)
    # A copy for each test with hidden lines is a process more.
    copies = sum(bool(step.hidden) for step in steps)
    limits = replace(job.limits, processes=job.limits.processes + copies)
    ours = replace(
        limits,
        wall_seconds=limits.wall_seconds + CHECKER_SECONDS,
        cpu_seconds=limits.cpu_seconds + CHECKER_SECONDS,
        memory_mb=max(limits.memory_mb, _CHECKER_MEMORY_MB),
        disk_mb=max(2 * limits.disk_mb, 64),
    )
    try:
        with ExitStack() as stack:
            view = (lab.read_only, lab.environment, preload)
            learner = stack.enter_context(sandbox.start(BoxPlan("runner", limits, *view, job.gpu)))
            checker = stack.enter_context(sandbox.start(BoxPlan("checker", ours, *view)))
            opener = stack.enter_context(OpenerBox(sandbox, lab))
            learner.make_ready()
            checker.make_ready()
            try:
                yield Talk(job, learner, checker, opener)
            finally:
                # Side by side: giving back what a large program holds takes a while.
                for box in (learner, checker):
                    box.end()
    except (BoxEnded, OpenerBroken, OSError, ValueError, KeyError) as error:
        raise CheckerBroken(f"{type(error).__name__}: {error}") from error
