"""Certificates for those who completed the course, signed by the issuer's own process, one of them revoked."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub import award
from hub.demo.cast import REVOKED_FOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hub.course import Course
    from hub.demo.cast import Trainee
    from hub.platform import Platform

GOOD_ONES = 2
"""So many certificates stay good; with more, the last one is revoked."""
WAIT_SECONDS = 120.0
STOP_SECONDS = 20.0
LAST_WORDS = 400


class IssuerFailedError(Exception):
    """The issuer's process did not sign what was asked for; the message says where its log lies."""


def certify(platform: Platform, course: Course, trainees: Iterable[Trainee]) -> tuple[str, ...]:
    """Award what is completed and have it signed; the ids of what was issued, in the order of seats.

    Raises:
        IssuerFailedError: see there.
    """
    award.award_completed(platform)
    store = platform.certificates
    with _issuer(platform) as wait_until:
        wait_until(lambda: not store.pending())
        holders = [award.holder_ref(trainee.name, course.id) for trainee in trainees]
        held = [one for holder in holders for one in store.for_holder(holder) if one.issued_us]
        if len(held) > GOOD_ONES:
            store.revoke(held[-1].id, REVOKED_FOR)
        # The lists that verifiers read must say so too.
        wait_until(lambda: all(_is_current(platform, number) for number in store.list_numbers()))
    return tuple(one.id for one in held)


def _is_current(platform: Platform, number: int) -> bool:
    signed = platform.certificates.list_age(number)
    return signed is not None and signed[1] == len(platform.certificates.revoked_indices(number))


@contextmanager
def _issuer(platform: Platform) -> Iterator[Callable[[Callable[[], bool]], None]]:
    """Run the issuer, which alone opens its key; gives a function that waits until something is so."""
    log = platform.log / "issuer.log"
    command = [sys.executable, "-m", "hub", "serve", "issuer"]
    with log.open("ab") as stream:
        process = subprocess.Popen(command, env=platform.child_env(), stdout=stream, stderr=stream)
    try:
        yield lambda is_done: _wait(process, log, is_done)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes], log: Path, is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_done():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:]
            raise IssuerFailedError(f"the issuer did not sign (log: {log}): {words.strip()}")
        time.sleep(0.1)
