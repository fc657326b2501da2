"""The local engine's labs that nobody looks after: each is ended, charged or reported, and none outlives its shim."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub import prepare
from hub.compute.lease import HOUR_US, MINUTE_US
from hub.reclaim.rule import OVERDUE_US
from hub.spawner import box, local_engine, shim
from hub.spawner.local_engine import LocalEngine
from hub.spawner.witness import Witness


class Host:
    """A platform with a real ledger, and real shims whose labs sleep."""

    def __init__(self, bench: Any, folder: Path) -> None:
        self.ledger, self.bench = bench.ledger, bench
        self.leases = folder / "leases"
        self.leases.mkdir()
        sessions = SimpleNamespace(labs=self.ledger.open_leases)
        config = SimpleNamespace(engine="local")
        self.platform: Any = SimpleNamespace(leases=self.leases, ledger=self.ledger, sessions=sessions, config=config)
        self.engine = LocalEngine(self.platform)
        self.started: list[subprocess.Popen[str]] = []

    def lab(self, lease_id: UUID, argv: tuple[str, ...] = ("sleep", "300")) -> Witness:
        """Start a lab; returns once its shim has written down the start."""
        witness = Witness(self.leases / str(lease_id))
        witness.folder.mkdir()
        env = {"PATH": os.environ["PATH"], box.LEASE_VARIABLE: str(lease_id)}
        shim_argv = [sys.executable, "-I", shim.__file__, str(witness.folder)]
        process = subprocess.Popen(shim_argv, stdin=subprocess.PIPE, text=True, start_new_session=True)
        self.started.append(process)
        assert process.stdin is not None
        process.stdin.write(json.dumps({"argv": argv, "env": env, "cwd": "/"}))
        process.stdin.close()
        until(witness.started_us)
        return witness

    def lease(self, age_us: int, **given: Any) -> Any:
        return self.ledger.open(self.bench.request(requested_us=now_us() - age_us, **given))


def now_us() -> int:
    return time.time_ns() // 1000


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def running(lease_id: UUID) -> list[str]:
    """Processes that were started for a lease."""
    mark = f"{box.LEASE_VARIABLE}={lease_id}".encode()
    return [
        one.name for one in Path("/proc").iterdir() if one.name.isdigit() and mark in box._environment(int(one.name))
    ]


@pytest.fixture
def host(bench: Any, tmp_path: Path) -> Iterator[Host]:
    bench.grant(100)
    made = Host(bench, tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()


def test_a_running_lab_that_the_ledger_does_not_know_is_ended_and_reported(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = uuid4()
    witness = host.lab(stranger)
    with caplog.at_level(logging.WARNING):
        host.engine.reconcile()
        until(witness.ending)
        assert prepare.observe_unbilled(host.platform) == 1
    assert f"Ending the lab of lease {stranger}, for which nobody is charged" in caplog.text
    (found,) = host.ledger.differences()
    assert (found.observation.lease, found.reason) == (stranger, "the ledger never opened this lease")
    assert host.ledger.account("li", "micro-drama").spent_uy == 0


def test_a_lab_whose_hub_died_in_mid_start_is_charged_from_its_shims_start(host: Host) -> None:
    lease = host.lease(local_engine.LAUNCH_US)
    witness = host.lab(lease.id)
    assert host.engine.reconcile() == 1
    standing = host.ledger.lease(lease.id)
    assert (standing.state, standing.started_us) == ("running", witness.started_us())
    assert witness.alive()


def test_a_lab_that_nobody_ends_in_time_is_ended_by_the_steward(host: Host) -> None:
    lease = host.lease(HOUR_US, longest_us=10 * MINUTE_US)
    witness = host.lab(lease.id)
    host.ledger.record_started(lease.id, now_us() - 10 * MINUTE_US - OVERDUE_US - 1, "local-shim")
    host.engine.reconcile()
    until(lambda: not witness.alive())
    host.engine.reconcile()
    (session,) = host.ledger.sessions("li", "micro-drama")
    assert (session.lease.state, session.seconds) == ("ended", 600)


def test_a_lease_that_the_engine_does_not_know_is_void_and_holds_nothing(host: Host) -> None:
    young, old = host.lease(0), host.lease(local_engine.LAUNCH_US)
    assert host.engine.reconcile() == 1
    assert [host.ledger.lease(each.id).state for each in (young, old)] == ["opened", "void"]


@pytest.mark.parametrize("victim", ["shim", "lab"])
def test_nothing_of_a_lab_outlives_its_shim_or_its_box(host: Host, victim: str) -> None:
    """Killed while it is being set up, a box has not tied what runs inside to its own life yet."""
    lease = host.lease(0)
    folder = Path(host.leases.parent)
    walls = box.argv(box.Walls(home=folder, models=folder / "none", uid=None), ["sleep", "300"])
    witness = host.lab(lease.id, tuple(walls))
    facts = json.loads((witness.folder / "started.json").read_text())
    os.kill(facts["shim_pid" if victim == "shim" else "pid"], signal.SIGKILL)
    host.started[0].wait()
    host.engine.reconcile()
    assert running(lease.id) == []
    (session,) = host.ledger.sessions("li", "micro-drama")
    assert (session.lease.state, session.estimated) == ("ended", victim == "shim")
