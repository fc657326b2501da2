"""Bench: checks and releases drafts behind the pages, one after another, each in a process of its own.

Grading a reference and a blank takes a core or two for up to a minute; one at a time leaves the rest to learners.
"""

from __future__ import annotations

import logging
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hub.authoring.draft import Outcome
from hub.authoring.preview import learners_version, step
from hub.course import Text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub.authoring.draft import What
    from hub.authoring.shelf import Shelf

LONGEST_SECONDS = 3600
"""A gate's two runs at the longest time limit a lab may have."""
log = logging.getLogger(__name__)


class Bench:
    """The work on drafts that a portal has asked for."""

    def __init__(self, shelf: Shelf, env: Mapping[str, str], log_file: Path) -> None:
        self.shelf = shelf
        self._env, self._log_file = dict(env), log_file
        self._asked: set[tuple[str, str]] = set()
        self._one = ThreadPoolExecutor(1, thread_name_prefix="authoring")

    def ask(self, course: str, lab: str, what: What, by: str) -> bool:
        """Have the draft checked or released; False when something is being done with it already."""
        if (course, lab) in self._asked:
            return False
        self._asked.add((course, lab))
        waiting = Outcome(
            what=what, state="waiting", content=self.shelf.content(course, lab), asked_by=by, began_us=_now_us()
        )
        if what == "check":  # a release still reads what the last check said
            self.shelf.note(course, lab, waiting)
        self._one.submit(self._do, course, lab, waiting)
        return True

    def outcome(self, course: str, lab: str) -> Outcome | None:
        """The last outcome, or how far the work is; work that died with an earlier portal failed."""
        outcome = self.shelf.outcome(course, lab)
        if (course, lab) in self._asked:
            return outcome if outcome is not None and not outcome.is_over else _waiting(outcome)
        if outcome is not None and not outcome.is_over:
            return _broken_off(outcome)
        return outcome

    def learners_version(self, course: str, lab: str) -> dict[str, bytes]:
        """The files that learners would get (:func:`hub.authoring.preview.learners_version`)."""
        return learners_version(self.shelf, course, lab, self._env)

    def close(self) -> None:
        """Wait until nothing is under way."""
        self._one.shutdown()

    def _do(self, course: str, lab: str, asked: Outcome) -> None:
        argv = step(asked.what, course, lab, asked.asked_by)
        try:
            with self._log_file.open("ab") as said:
                done = subprocess.run(
                    argv, env=self._env, stdout=said, stderr=said, check=False, timeout=LONGEST_SECONDS
                )  # fmt: skip
            log.info("%s of %s/%s by %s ended with %d", asked.what, course, lab, asked.asked_by, done.returncode)
        except (OSError, subprocess.TimeoutExpired):
            log.exception("%s of %s/%s", asked.what, course, lab)
        finally:
            last = self.shelf.outcome(course, lab)
            if last is None or not last.is_over:
                self.shelf.note(course, lab, _broken_off(last or asked))
            self._asked.discard((course, lab))


def _waiting(outcome: Outcome | None) -> Outcome | None:
    return outcome.model_copy(update={"what": "release", "state": "waiting", "done": 0}) if outcome else None


def _broken_off(outcome: Outcome) -> Outcome:
    why = Text(
        zh="检查中断了（服务器可能重启过），请再来一次。",
        en="It was broken off, perhaps by a restart of the server. Ask again.",
    )
    return outcome.model_copy(update={"state": "failed", "ended_us": _now_us(), "findings": (why,)})


def _now_us() -> int:
    return time.time_ns() // 1000
