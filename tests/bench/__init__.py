"""Benches: what Reelwright's parts reach beside a named peer, measured in one run on one machine.

A module of this package is a bench when it has ``run() -> Iterable[Row]``. It raises
:class:`CannotRunError` where what it needs (a Docker daemon, say) is not there.
"""

from __future__ import annotations

from typing import TypedDict


class Row(TypedDict):
    """One figure: ``ratio`` says how many times better than the peer we are, whichever way the unit counts."""

    name: str
    ours: float
    peer: float
    ratio: float
    unit: str
    peer_name: str
    command: str


class CannotRunError(Exception):
    """What the bench needs is not there; the message says what."""
