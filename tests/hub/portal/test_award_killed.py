"""kill -9 at every step from a completed course to its certificate: one claim, one certificate, none lost."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

import certs.issue
import certs.store
import certs.store.certificates
from certs.certificate import State
from certs.tables import certificate as table

if TYPE_CHECKING:
    from collections.abc import Callable

COURSE, LEARNER = "micro-drama", "liming"
STEPS: dict[str, tuple[Any, str, str]] = {
    "nothing asked": (certs.store.certificates, "_insert", "before"),
    "asked, not committed": (certs.store.certificates, "_insert", "after"),
    "asked": (certs.store.Store, "request_all", "after"),
    "signed, not printed": (certs.issue, "_finish", "before"),
    "printed, not kept": (certs.store.Store, "record_signed", "before"),
    "kept": (certs.store.Store, "record_signed", "after"),
}


def deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return call


def killed_round(steward: Any, step: str) -> int:
    """A steward's and issuer's round in a process of its own that dies at ``step``; how the process ended."""
    owner, name, when = STEPS[step]
    pid = os.fork()
    if pid == 0:
        try:
            # SQLite's connections must not cross a fork.
            steward.world.engine.dispose(close=False)
            # The printer's threads do not survive one either; what a form looks like is not the matter here.
            certs.issue.print_forms = lambda _document: {}
            setattr(owner, name, deadly(getattr(owner, name), when))
            steward.round()
        except BaseException as error:  # noqa: BLE001  the parent must hear of it, and pytest must not go on in here
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("step", list(STEPS))
def test_a_completion_is_certified_once_wherever_the_steward_or_the_issuer_is_killed(steward: Any, step: str) -> None:
    steward.completes(COURSE, LEARNER)
    steward.world.engine.dispose()
    assert killed_round(steward, step) == -signal.SIGKILL
    for _ in range(2):
        steward.round()
    with steward.world.engine.connect() as connection:
        rows = connection.execute(select(func.count()).select_from(table).where(table.c.course == COURSE)).scalar_one()
    assert rows == 1
    held = steward.held(LEARNER, COURSE)
    assert held.state is State.ISSUED
    assert held.document is not None
