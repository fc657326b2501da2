"""Run the hidden lines of tests, once everything of the learner's box that is shown has been collected.

Each test goes on with the copy of the learner's process that was made where its hidden lines begin; afterwards the copy
is ended. Where there is no copy any more, because the box has died since, or none could be made, the submission is run
a second time in fresh boxes, as far as the last such test, and nothing of that run but points is kept. It is not when
hidden lines have used up the submission's time: a learner's function that never returns does not hold a worker twice.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from grader.check import reasons
from grader.check.session import Record, Session, boxes_for, examine, tell_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grader.check.rebuild import Step
    from grader.check.session import Waiting
    from grader.check.talk import Talk
    from grader.sandbox.box import Sandbox
    from grader.verdict import GradingJob

_SLOWER = 1.5


def run_session(job: GradingJob, steps: tuple[Step, ...], sandbox: Sandbox) -> Record:
    """Run ``steps`` in boxes of their own and end those.

    Raises:
        CheckerBroken: our own side failed.
    """
    with boxes_for(job, steps, sandbox) as talk:
        session = Session(job, talk)
        session.run(steps)
        # From here on nothing that a box says is shown: points are all that is still to come.
        record, left = session.record, dict(session.waiting)
        was_time_up = talk.is_time_up
        for number, waiting in session.waiting.items():
            # A process that has filled its box leaves no room to go on from an earlier moment.
            if not record.limits and _run_later(talk, record, number, steps[number], waiting):
                del left[number]
    if talk.is_time_up and not was_time_up:
        record.unrun |= dict.fromkeys(left, talk.why_ended)
    elif left:
        _run_again(job, steps, sandbox, record, left)
    return record


def _run_later(talk: Talk, record: Record, number: int, step: Step, waiting: Waiting) -> bool:
    """Finish one test; False when it has to be run in another way."""
    if not talk.is_whole or not (waiting.copy or waiting.is_last):
        return False
    talk.put_back(waiting.files)
    if waiting.copy and not talk.wake_copy(waiting.copy):
        return False
    _note(talk, record, number, examine(talk, "hidden", number, step))
    if waiting.copy:
        talk.leave_copy()
    return True


def _note(talk: Talk, record: Record, number: int, outcome: dict[str, Any] | None) -> None:
    has_ended = talk.ended is not None or talk.copy_ended is not None
    if outcome is None or (has_ended and outcome["dead"]):
        record.unrun[number] = talk.why_ended if has_ended else reasons.CHECKER_ENDED
    else:
        record.outcomes[number] = outcome


def _run_again(
    job: GradingJob, steps: tuple[Step, ...], sandbox: Sandbox, record: Record, left: Mapping[int, Waiting]
) -> None:
    """Run everything as far as the last of the tests in ``left``, and those tests as a whole."""
    again = steps[: max(left) + 1]
    took = max(waiting.seconds for waiting in left.values())
    # What took so long may take somewhat longer; hidden lines have half of the limit besides.
    allowed = min(job.limits.wall_seconds, math.ceil(_SLOWER * took + job.limits.wall_seconds / 2))
    job = replace(job, limits=replace(job.limits, wall_seconds=allowed))
    with boxes_for(job, again, sandbox) as talk:
        talk.place_files()
        for number, step in enumerate(again):
            if step.boxed and talk.ended is None:
                talk.ask({"op": "run", "source": step.shown.source})
            tell_of(talk, number, step)
            if step.check != "test":
                continue
            if talk.is_whole:
                talk.hand_over()
            # Of a test that has its points already, only what the later ones build on is run.
            asked = step if number in left else replace(step, trusted=step.shown.source, hidden=frozenset())
            outcome = examine(talk, "test", number, asked) if talk.is_whole else None
            if number in left:
                _note(talk, record, number, outcome)
