"""Run the steps of one submission: cells in the learner's box, tests in the checker's, this process between them.

What the learner's box says is only ever shown (after cleaning) or carried, unread, to the checker. What the checker
says decides.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grader.check import reasons
from grader.check.handover import CHUNK, Handover
from grader.check.opening import OpenerBox, OpenerBroken
from grader.check.outputs import Output, safe_outputs
from grader.check.preload import modules_to_preload
from grader.sandbox.box import Box, BoxEnded, BoxPlan, Sandbox
from grader.verdict import GradingJob, Limits, ProducedFile

if TYPE_CHECKING:
    from grader.check.reasons import Reason
    from grader.check.rebuild import Step

_CHECKER_SECONDS = 60
_CHECKER_MEMORY_MB = 2048
_MAX_ASKS = 1_000_000
_MAX_BRACKETS = 50_000


class CheckerBroken(Exception):  # noqa: N818  said of our own part
    """Our own side could not do its work; nothing of this is the learner's doing."""


@dataclass
class Record:
    """What happened, step by step; filled while the session runs."""

    outputs: dict[int, list[Output]] = field(default_factory=dict)
    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)
    unrun: dict[int, Reason] = field(default_factory=dict)
    ended: Reason | None = None
    files: tuple[ProducedFile, ...] = ()


class Session:
    """One learner's box and one checker's box, side by side, and an opener's for files that are to be looked into."""

    def __init__(self, job: GradingJob, learner: Box, checker: Box, opener: OpenerBox) -> None:
        self._job, self._learner, self._checker, self._opener = job, learner, checker, opener
        self._deadline = time.monotonic() + job.limits.wall_seconds
        self._left = job.limits.output_bytes
        self._handover = Handover(job.lab_version.files, job.limits.disk_mb)
        self._ended: BoxEnded | None = None
        self._checker_ended: BoxEnded | None = None
        self.record = Record()

    def run(self, steps: tuple[Step, ...]) -> Record:
        """Do all ``steps`` in order.

        Raises:
            CheckerBroken: our own side failed.
        """
        self._place_files()
        for number, step in enumerate(steps):
            if step.boxed and self._alive():
                self._run_cell(number, step)
            if step.reference:
                self._tell({"op": "solution", "source": step.trusted, "released": step.released})
            elif step.check == "shared":
                self._examine(number, step)
            elif step.check == "test":
                self._test(number, step)
        self._collect()
        if cause := self._ended:
            self.record.ended = reasons.ENDED.get(cause.cause, reasons.ENDED["died"])
        elif self._checker_ended:
            self.record.ended = reasons.CHECKER_ENDED
        return self.record

    def _alive(self) -> bool:
        return self._ended is None

    def _place_files(self) -> None:
        lab, own = self._job.lab_version.files, self._job.files
        for path, content in {**own, **lab}.items():
            self._write(self._ask, path, content)
        for path, content in lab.items():
            self._write(self._tell, path, content, lab=True)
            self._write(self._tell, path, content, lab=False)

    @staticmethod
    def _write(send: Any, path: str, content: bytes, **more: Any) -> None:
        for offset in range(0, max(1, len(content)), CHUNK):
            part = base64.b64encode(content[offset : offset + CHUNK]).decode()
            send({"op": "write", "path": path, "content": part, "more": offset > 0, **more})

    def _run_cell(self, number: int, step: Step) -> None:
        said = self._ask({"op": "run", "source": step.shown.source})
        outputs = safe_outputs(said.get("outputs") if isinstance(said, dict) else None, self._left, self._redraw)
        self._left -= sum(len(json.dumps(one)) for one in outputs)
        self.record.outputs[number] = outputs

    def _redraw(self, picture: str) -> str | None:
        return self._opener.redraw(picture, self._deadline + _CHECKER_SECONDS)

    def _test(self, number: int, step: Step) -> None:
        if self._alive() and self._checker_ended is None:
            self._hand_over()
        if not self._alive():
            cause = self._ended.cause if self._ended else "died"
            self.record.unrun[number] = reasons.ENDED.get(cause, reasons.ENDED["died"])
        elif self._checker_ended is not None:
            self.record.unrun[number] = reasons.CHECKER_ENDED
        else:
            self._examine(number, step)

    def _examine(self, number: int, step: Step) -> None:
        if self._checker_ended is not None:
            return
        request = {"op": step.check, "number": number, "source": step.trusted, "hidden": sorted(step.hidden)}
        try:
            outcome = self._tell(request)
        except BoxEnded as ended:
            # Only a test can be slow or large because of what a learner returned.
            if step.check != "test":
                raise CheckerBroken(f"the checker ended at a shared cell: {ended}") from ended
            self._checker_ended = ended
            self.record.unrun[number] = reasons.CHECKER_ENDED
            return
        if self._ended is not None and outcome["dead"]:
            self.record.unrun[number] = reasons.ENDED.get(self._ended.cause, reasons.ENDED["died"])
        else:
            self.record.outcomes[number] = outcome

    def _hand_over(self) -> None:
        fresh, gone = self._handover.update(self._ask)
        for path in gone:
            self._tell({"op": "remove", "path": path})
        for path, content in fresh.items():
            self._write(self._tell, path, content, lab=False)

    def _collect(self) -> None:
        if self._alive():
            self._handover.update(self._ask)
        self.record.files = self._handover.produced()

    def _ask(self, request: dict[str, Any]) -> Any:
        """What the learner's box answers, as JSON nobody has looked at; nothing once it has ended."""
        line = self._exchange(json.dumps(request).encode())
        # Small brackets become large objects: a hostile line must not fill this process's memory.
        if line is None or line.count(b"[") + line.count(b"{") > _MAX_BRACKETS:
            return None
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return answer.get("ok") if isinstance(answer, dict) else None

    def _exchange(self, line: bytes) -> bytes | None:
        if self._ended is not None:
            return None
        try:
            self._learner.send(line, self._deadline)
            return self._learner.receive(self._deadline)
        except BoxEnded as ended:
            self._ended = ended
            self._learner.kill()
            return None

    def _tell(self, request: dict[str, Any]) -> Any:
        """What the checker answers to ``request``; its questions in between go to the learner's box."""
        if self._checker_ended is not None:
            return None
        deadline = self._deadline + _CHECKER_SECONDS
        self._checker.send(json.dumps(request).encode(), deadline)
        for _ in range(_MAX_ASKS):
            message = json.loads(self._checker.receive(deadline))
            if "open" in message:
                opened = self._opener.exchange(json.dumps(message["open"]).encode(), deadline)
                self._checker.send(opened, deadline)
                continue
            if "ask" not in message:
                return message["ok"]
            answer = self._exchange(json.dumps(message["ask"]).encode())
            reason = reasons.ENDED.get(self._ended.cause, reasons.ENDED["died"]) if self._ended else None
            self._checker.send(b"R" + answer if answer is not None else b"D" + _text(reason), deadline)
        raise BoxEnded("time", f"more than {_MAX_ASKS} questions")


def run_session(job: GradingJob, steps: tuple[Step, ...], sandbox: Sandbox) -> Record:
    """Start both boxes, run ``steps``, end both boxes.

    Raises:
        CheckerBroken: our own side failed.
    """
    lab = job.lab_version
    limits, preload = job.limits, modules_to_preload(lab)
    ours = Limits(
        wall_seconds=limits.wall_seconds + _CHECKER_SECONDS,
        cpu_seconds=limits.cpu_seconds + _CHECKER_SECONDS,
        memory_mb=max(limits.memory_mb, _CHECKER_MEMORY_MB),
        processes=limits.processes,
        disk_mb=max(2 * limits.disk_mb, 64),
        output_bytes=limits.output_bytes,
    )
    try:
        with (
            sandbox.start(BoxPlan("runner", limits, lab.read_only, lab.environment, preload, job.gpu)) as learner,
            sandbox.start(BoxPlan("checker", ours, lab.read_only, lab.environment, preload)) as checker,
            OpenerBox(sandbox, lab) as opener,
        ):
            learner.make_ready()
            checker.make_ready()
            return Session(job, learner, checker, opener).run(steps)
    except (BoxEnded, OpenerBroken, OSError, ValueError, KeyError) as error:
        raise CheckerBroken(f"{type(error).__name__}: {error}") from error


def _text(reason: Reason | None) -> bytes:
    return (reason.en if reason else "the box ended").encode()
