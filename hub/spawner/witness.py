"""Reads what the local engine's shim wrote down: is the lab alive, when did it begin, when did it end."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOST = "lost"
"""Why a lab ended whose shim died without a word."""


@dataclass(frozen=True)
class Ending:
    """When and how a lab ended. ``uncertainty_us`` is above zero when nobody saw the end."""

    at_us: int
    exit_status: int
    reason: str
    uncertainty_us: int


class Witness:
    """The record folder of one lease: ``run/leases/<lease id>/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def alive(self) -> bool:
        """Whether the shim of this lease still runs (it holds the lock for as long as it lives)."""
        try:
            lock = os.open(self.folder / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def started_us(self) -> int | None:
        """When the lab began, microseconds UTC; None when it has not."""
        facts = self._read("started.json")
        return None if facts is None else int(facts["at_us"])

    def ending(self) -> Ending | None:
        """How the lab ended; None while it runs or when it never started.

        When the shim died without a word (kill -9, power cut) the end lies between the last heartbeat and now; the
        last heartbeat is taken and the interval to the next one is the stated uncertainty.
        """
        if self.alive():
            return None
        facts = self._read("ended.json")
        if facts is not None:
            return Ending(int(facts["at_us"]), int(facts["exit_status"]), str(facts["reason"]), 0)
        started = self.started_us()
        if started is None:
            return None
        return Ending(max(started, self._last_heartbeat_us()), -1, LOST, HEARTBEAT_US)

    def stop(self) -> None:
        """Ask the lab to end; it is killed after the shim's grace."""
        facts = self._read("started.json")
        if facts is not None and self.alive():
            os.kill(int(facts["shim_pid"]), signal.SIGTERM)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines the lab printed, for the operator."""
        try:
            return "\n".join((self.folder / "lab.log").read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def _last_heartbeat_us(self) -> int:
        try:
            return (self.folder / "heartbeat").stat().st_mtime_ns // 1000
        except FileNotFoundError:
            return 0

    def _read(self, name: str) -> dict[str, int | str] | None:
        try:
            facts: dict[str, int | str] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return facts


HEARTBEAT_US = 5_000_000
"""The shim's heartbeat (``shim.HEARTBEAT_SECONDS``): the most that an unseen end can be wrong by."""
