"""How busy a lease's GPU is: sampled through the real binding, kept by the minute, its digest in the chain."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

import hub.compute.gpu.tables
import hub.compute.tables
from hub import steward
from hub.compute.gpu import meter
from hub.compute.gpu.slice import Hold
from hub.compute.gpu.store import Samples
from hub.compute.gpu.usage import GpuUse, Minute, Reading, digest_of_minutes
from hub.compute.lease import HOUR_US, MINUTE_US, LeaseRequest, LeaseStateError
from hub.compute.ledger import Ledger, now_us
from hub.compute.policy import load_policy
from hub.config import POLICY
from hub.db import open_engine

HERE = Path(__file__).parent
WHOLE = "GPU-11111111-2222-3333-4444-555555555555"
MIG = "MIG-aaaaaaaa-0000-5000-8000-000000000001"
ASK = f"""
import json
from hub.compute.gpu.meter import readings
print(json.dumps(readings(["{WHOLE}", "{MIG}", "GPU-none"])))
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Any]:
    engine = open_engine(f"sqlite:///{tmp_path / 'gpu.db'}")
    for module in (hub.compute.tables, hub.compute.gpu.tables):
        module.metadata.create_all(engine)
    policy = load_policy(POLICY / "tariffs.toml", POLICY / "subsidies.toml")
    yield SimpleNamespace(engine=engine, ledger=Ledger(engine, policy))
    engine.dispose()


def lease_on(platform: Any, begun_us: int) -> Any:
    platform.ledger.grant("li", "micro-drama", 10**9, "enrolled", 1)
    asked = LeaseRequest(
        id=uuid4(), learner="li", course="micro-drama", lab="first-take", cohort="", site="main", profile="gpu",
        longest_us=HOUR_US, requested_us=begun_us,
    )  # fmt: skip
    platform.ledger.open(asked)
    return platform.ledger.record_started(asked.id, begun_us, "engine")


def hold(lease: Any, piece: str = WHOLE) -> Hold:
    return Hold(
        slice=piece, seat=0, lease=lease.id, learner="li", site="main", cohort="", gpu_class="h100", until_us=1
    )  # fmt: skip


def header() -> Path:
    try:
        found = [file for file in files("nvidia-nvml-dev") or [] if file.name == "nvml.h"]
    except PackageNotFoundError:
        pytest.skip("NVIDIA's header is not installed (pip: nvidia-nvml-dev)")
    return Path(str(found[0].locate()))


def test_the_driver_is_read_and_a_mig_slice_tells_memory_and_processes_only(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler (gcc) to build the stand-in driver with")
    argv = ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-DNVML_NO_UNVERSIONED_FUNC_DEFS", f"-I{header().parent}"]
    subprocess.run([*argv, "-o", tmp_path / "libnvidia-ml.so.1", HERE / "fake_nvml.c"], check=True)
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": str(HERE.parents[2])}
    done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == {WHOLE: [87, 12_288, 1], MIG: [None, 3_072, 1]}, done.stderr


def test_the_last_minutes_are_asked_and_nothing_sampled_is_not_idleness(platform: Any) -> None:
    samples, lease = Samples(platform.engine), lease_on(platform, now_us())
    at = 30_000_000 * MINUTE_US
    for minute, busy in enumerate([90, 90, 0, 10]):
        meter.sample((hold(lease),), samples, at + minute * MINUTE_US, lambda _: {WHOLE: Reading(busy, 100 + busy, 1)})  # noqa: B023
    assert samples.recent(lease.id, 1, at + 3 * MINUTE_US) == GpuUse(
        samples=2, busy_percent=5.0, memory_mb=110, processes=1
    )
    assert samples.recent(lease.id, 5, at + 3 * MINUTE_US).busy_percent == 47.5
    assert samples.recent(lease.id, 5, at + HOUR_US) is None
    assert samples.recent(uuid4(), 5, at) is None
    meter.sample((hold(lease, MIG),), samples, at, lambda _: {})
    assert len(samples.minutes(lease.id)) == 4


def test_work_is_known_by_rate_and_on_a_mig_slice_by_its_processes(platform: Any) -> None:
    samples, lease = Samples(platform.engine), lease_on(platform, now_us())
    assert samples.last_used_us(lease.id) == 0
    for minute, seen in enumerate([Reading(2, 500, 1), Reading(90, 500, 1), Reading(0, 500, 1)]):
        samples.keep(lease.id, WHOLE, minute * MINUTE_US, seen)
    assert samples.last_used_us(lease.id) == 2 * MINUTE_US
    samples.keep(lease.id, WHOLE, 7 * MINUTE_US, Reading(None, 500, 1))
    samples.keep(lease.id, WHOLE, 9 * MINUTE_US, Reading(None, 500, 0))
    assert samples.last_used_us(lease.id) == 8 * MINUTE_US


def test_the_digest_of_a_session_s_samples_goes_into_the_chain_once(platform: Any) -> None:
    begun = now_us() - HOUR_US
    samples, lease = Samples(platform.engine), lease_on(platform, begun)
    for minute in range(3):
        samples.keep(lease.id, WHOLE, begun + minute * MINUTE_US, Reading(50, 900, 2))
    samples.keep(lease.id, WHOLE, begun, Reading(None, 1000, 2))
    assert steward.roll_up_gpu_use(platform) == 0  # it still runs
    platform.ledger.record_ended(lease.id, begun + 3 * MINUTE_US, "engine", "stopped")
    assert [steward.roll_up_gpu_use(platform), steward.roll_up_gpu_use(platform)] == [1, 0]
    minutes = samples.minutes(lease.id)
    assert minutes[0] == Minute(begun // MINUTE_US, 2, 1, 50, 1000, 2)
    with platform.engine.begin() as connection:
        row = connection.exec_driver_sql("select samples, rated, busy_sum, sha256 from hub_gpu_evidence").one()
        assert tuple(row) == (4, 3, 150, digest_of_minutes(minutes))
    assert platform.ledger.verify().held
    with platform.engine.begin() as connection:
        connection.exec_driver_sql("update hub_gpu_evidence set busy_sum = 300")
    assert "GPU evidence" in platform.ledger.verify().first_bad.reason
    platform.ledger.rebuild()
    assert platform.ledger.verify().held


def test_evidence_of_a_session_that_runs_is_refused(platform: Any) -> None:
    lease = lease_on(platform, now_us())
    used = steward.rolled_up(lease.id, "nvml", WHOLE, (Minute(1, 1, 1, 50, 1, 1),))
    with pytest.raises(LeaseStateError, match="running"):
        platform.ledger.keep_gpu_evidence(used)


@pytest.mark.parametrize("minute", [Minute(1, 1, 1, 101, 1, 1), Minute(1, 1, 2, 5, 1, 1), Minute(1, -1, 0, 0, 1, 1)])
def test_use_that_cannot_be_is_refused(minute: Minute) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        steward.rolled_up(uuid4(), "nvml", WHOLE, (minute,))
