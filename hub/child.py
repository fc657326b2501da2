"""One process of the instance: started, known to answer, started again when it falls, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from pathlib import Path

READY_SECONDS = 120.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0


class StartFailed(Exception):  # noqa: N818 -- it names what happened
    """A part did not come up; the message says which, and where its log lies."""


@dataclass
class Child:
    """One process of ours: how it is started, how we know that it answers, and the process itself."""

    name: str
    argv: list[str]
    env: dict[str, str]
    log: Path
    ready_url: str = ""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = field(default=0.0)
    ended_at: float = field(default=0.0)
    pause: float = field(default=FIRST_PAUSE_SECONDS)

    def start(self) -> None:
        """Start the process in a session of its own, so that a terminal's Ctrl-C reaches only us."""
        self.started_at = time.monotonic()
        stream: IO[bytes] = self.log.open("ab")
        with stream:
            self.process = subprocess.Popen(
                self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )

    def wait_ready(self) -> None:
        """Return once the process answers.

        Raises:
            StartFailed: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while self.ready_url and not answers(self.ready_url):
            if self.process is None or self.process.poll() is not None:
                raise StartFailed(f"{self.name} ended at its start; its last words are in {self.log}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} did not answer within {READY_SECONDS:.0f} s; see {self.log}")
            time.sleep(0.1)

    def ask_to_stop(self) -> None:
        """Ask the process to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_stopped(self, deadline: float) -> None:
        """Return when the process is gone; past ``deadline`` (monotonic seconds) it is killed with all it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def fallen(self) -> bool:
        """Whether the process was started and has ended."""
        return self.process is not None and self.process.poll() is not None

    def start_again(self) -> bool:
        """Start a fallen process again once its pause is over; the pause doubles while it keeps falling."""
        now = time.monotonic()
        if not self.ended_at:
            self.ended_at = now
            is_steady = now - self.started_at > STEADY_SECONDS
            self.pause = FIRST_PAUSE_SECONDS if is_steady else min(2 * self.pause, LONGEST_PAUSE_SECONDS)
        if now - self.ended_at < self.pause:
            return False
        self.ended_at = 0.0
        self.start()
        return True


def answers(url: str) -> bool:
    """Whether anything answers at ``url``, whatever it says."""
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return True
