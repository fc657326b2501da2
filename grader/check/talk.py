"""The talk between the boxes of one submission, with this process in the middle.

What the learner's box says is carried, unread, to the checker, or parsed into small values here. What the checker says
decides.
"""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import time
from typing import TYPE_CHECKING, Any

from grader.check import reasons
from grader.check.handover import CHUNK, Handover
from grader.sandbox.box import Box, BoxEnded
from grader.sandbox.pipe import ASK, COPY, OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grader.check.opening import OpenerBox
    from grader.check.reasons import Reason
    from grader.verdict import GradingJob

CHECKER_SECONDS = 60
_MAX_ASKS = 1_000_000
_MAX_BRACKETS = 50_000
_BACK = b'{"back"'


class Talk:
    """One learner's box and one checker's box, side by side, and an opener's for files that are to be looked into."""

    def __init__(self, job: GradingJob, learner: Box, checker: Box, opener: OpenerBox) -> None:
        self._job, self._learner, self._checker, self._opener = job, learner, checker, opener
        self._deadline = time.monotonic() + job.limits.wall_seconds
        self._handover = Handover(job.lab_version.files, job.limits.disk_mb)
        self._placed: dict[str, str] = {}
        self.ended: BoxEnded | None = None
        """Why the learner's box gives no more answers."""
        self.checker_ended: BoxEnded | None = None
        self.copy_ended: BoxEnded | None = None
        """Why the copy of the learner's process that was spoken with last gives no more answers."""
        self.copies: list[int] = []
        """The copy that was made for the test that runs: its number, or 0 where none could be made."""
        self.wants_copies = False

    @property
    def is_whole(self) -> bool:
        """Whether both boxes answer."""
        return self.ended is None and self.checker_ended is None

    @property
    def spent(self) -> float:
        """Seconds since the talk began."""
        return time.monotonic() - self._deadline + self._job.limits.wall_seconds

    @property
    def is_time_up(self) -> bool:
        """Whether the learner's box was ended for the time it took."""
        return self.ended is not None and self.ended.cause == "time"

    @property
    def why_ended(self) -> Reason:
        """The learner's reason for an end of their box, or of the copy that was spoken with."""
        ended = self.copy_ended or self.ended
        return reasons.ENDED.get(ended.cause if ended else "died", reasons.ENDED["died"])

    def place_files(self) -> None:
        """Put the lab's files into both boxes, and the learner's own into theirs."""
        lab, own = self._job.lab_version.files, self._job.files
        for path, content in {**own, **lab}.items():
            self._write(self.ask, path, content)
        for path, content in lab.items():
            self._write(self.tell, path, content, lab=True)
            self._write(self.tell, path, content, lab=False)
        self._placed = self._handover.released(self.ask) if lab else {}

    @staticmethod
    def _write(send: Any, path: str, content: bytes, **more: Any) -> None:
        for offset in range(0, max(1, len(content)), CHUNK):
            part = base64.b64encode(content[offset : offset + CHUNK]).decode()
            send({"op": "write", "path": path, "content": part, "more": offset > 0, **more})

    def redraw(self, picture: str) -> str | None:
        """A picture drawn anew by the opener, or nothing."""
        return self._opener.redraw(picture, self._deadline + CHECKER_SECONDS)

    def hand_over(self) -> None:
        """Show the checker the files that the learner's cells have written by now."""
        fresh, gone = self._handover.update(self.ask)
        for path in gone:
            self.tell({"op": "remove", "path": path})
        for path, content in fresh.items():
            self._write(self.tell, path, content, lab=False)

    def collect(self) -> Handover:
        """All files as they are now."""
        if self.ended is None:
            self._handover.update(self.ask)
        return self._handover

    def overwritten(self) -> tuple[str, ...]:
        """The lab's files that the learner's cells have written anew by now."""
        now = self._handover.released(self.ask) if self._placed and self.ended is None else self._placed
        return tuple(path for path, mark in sorted(self._placed.items()) if now.get(path) != mark)

    def files_now(self) -> dict[str, bytes]:
        """What was handed over, by path."""
        return self._handover.contents()

    def put_back(self, files: Mapping[str, bytes]) -> None:
        """Make the files in both boxes those of an earlier moment."""
        changed, gone = self._handover.put_back(files)
        for path in gone:
            self.ask({"op": "remove", "path": path})
            self.tell({"op": "remove", "path": path})
        for path, content in changed.items():
            self._write(self.ask, path, content)
            self._write(self.tell, path, content, lab=False)

    def ask(self, request: dict[str, Any]) -> Any:
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
        if self.ended is not None or self.copy_ended is not None:
            return None
        try:
            self._learner.send(line, self._deadline)
            answer = self._learner.receive(self._deadline)
        except BoxEnded as ended:
            self.ended = ended
            self._learner.kill()
            return None
        if answer.startswith(_BACK):
            self.copy_ended = self._how(answer)
            return None
        return answer

    def wake_copy(self, number: int) -> bool:
        """Speak with a copy of the learner's process from now on; False when it is not there any more."""
        is_there = self.ask({"op": "wake", "number": number}) == number
        if not is_there:
            self.copy_ended = None
        return is_there

    def leave_copy(self) -> None:
        """End the copy that is spoken with, if it has not ended yet; the original answers again."""
        if self.copy_ended is None:
            self.ask({"op": "leave"})
        self.copy_ended = None

    def tell(self, request: dict[str, Any]) -> Any:
        """What the checker answers to ``request``; its questions in between go to the learner's box."""
        if self.checker_ended is not None:
            return None
        deadline = self._deadline + CHECKER_SECONDS
        self._checker.send(json.dumps(request).encode(), deadline)
        for _ in range(_MAX_ASKS):
            said = self._checker.receive(deadline)
            kind, carried = said[:1], said[1:]
            if kind == ASK:
                answer = self._exchange(carried)
                self._checker.send(b"R" + answer if answer is not None else b"D", deadline)
            elif kind == OPEN:
                self._checker.send(self._opener.exchange(carried, deadline), deadline)
            elif kind == COPY:
                self._copy()
                self._checker.send(b"R", deadline)
            else:
                return json.loads(said)["ok"]
        raise BoxEnded("time", f"more than {_MAX_ASKS} questions")

    def _copy(self) -> None:
        number = self.ask({"op": "copy"}) if self.wants_copies else 0
        self.copies.append(number if type(number) is int else 0)

    def _how(self, line: bytes) -> BoxEnded:
        """Why a copy of the learner's process ended, from what its original says."""
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            code = json.loads(line)["back"]
            if code == -signal.SIGXCPU:
                return BoxEnded("cpu")
            if code == -signal.SIGKILL:
                return self._learner.explained(BoxEnded("died"))
        return BoxEnded("died")
