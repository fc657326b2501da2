"""The local engine's witness, with real processes: what it saw is on disk, whatever died."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.spawner import shim
from hub.spawner.witness import HEARTBEAT_US, Witness


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def start(folder: Path, argv: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-I", shim.__file__, str(folder)], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"argv": argv, "env": {"PATH": os.environ["PATH"]}, "cwd": "/"}))
    process.stdin.close()
    return process


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def test_a_lab_that_ends_by_itself_is_recorded_with_its_status(witness: Witness) -> None:
    process = start(witness.folder, ["sh", "-c", "exit 7"])
    process.wait(20)
    ending = witness.ending()
    started = witness.started_us()
    assert ending is not None
    assert started is not None
    assert (ending.exit_status, ending.reason, ending.uncertainty_us) == (7, "exited", 0)
    assert ending.at_us >= started


def test_a_running_lab_is_alive_and_has_no_ending(witness: Witness) -> None:
    process = start(witness.folder, ["sleep", "60"])
    until(witness.started_us)
    assert witness.alive()
    assert witness.ending() is None
    witness.stop()
    process.wait(20)
    ending = witness.ending()
    assert ending is not None
    assert ending.reason == "stopped"


def test_a_lab_that_ignores_the_request_is_killed(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(witness.folder, ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    until(witness.started_us)
    witness.stop()
    process.wait(shim.GRACE_SECONDS + 20)
    ending = witness.ending()
    assert ending is not None
    assert ending.reason == "stopped"
    assert ending.exit_status == -signal.SIGKILL


def test_a_killed_shim_leaves_an_estimate_bounded_by_its_heartbeat(witness: Witness) -> None:
    process = start(witness.folder, ["sleep", "1"])
    until(witness.started_us)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    ending = witness.ending()
    started = witness.started_us()
    assert ending is not None
    assert started is not None
    assert (ending.reason, ending.uncertainty_us) == ("lost", HEARTBEAT_US)
    assert started <= ending.at_us <= time.time_ns() // 1000


def test_the_stated_uncertainty_is_the_shims_heartbeat() -> None:
    assert shim.HEARTBEAT_SECONDS * 1_000_000 == HEARTBEAT_US


def test_a_lease_that_never_started_has_no_times(witness: Witness) -> None:
    assert not witness.alive()
    assert witness.started_us() is None
    assert witness.ending() is None


def test_a_second_shim_cannot_take_a_living_lease(witness: Witness) -> None:
    first = start(witness.folder, ["sleep", "60"])
    until(witness.started_us)
    before = (witness.folder / "started.json").read_text()
    second = start(witness.folder, ["sh", "-c", "exit 0"])
    assert second.wait(20) != 0
    assert (witness.folder / "started.json").read_text() == before
    witness.stop()
    first.wait(20)


def test_a_record_written_by_several_at_once_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "ended.json"
    with ThreadPoolExecutor(16) as several:
        list(several.map(lambda n: shim.record(file, {"at_us": n, "reason": "x" * 1000}), range(64)))
    assert json.loads(file.read_text(encoding="utf-8"))["reason"] == "x" * 1000
    assert list(tmp_path.iterdir()) == [file]
