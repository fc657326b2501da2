"""GPU labs in real containers, with a stand-in for NVIDIA's hook that writes down what was asked for."""

import json
import threading
import time
from typing import Any

import pytest

from hub.compute.gpu.slice import GpuSettings, Slice
from hub.compute.gpu.store import Pool

pytestmark = [pytest.mark.docker, pytest.mark.slow]

GPU = "GPU-aaaaaaaa-0000-4000-8000-000000000001"
UNKNOWN = "GPU-cccccccc-0000-4000-8000-000000000003"
LAB = "first-take"


def now_us() -> int:
    return time.time_ns() // 1000


def piece(uuid: str) -> Slice:
    return Slice(uuid=uuid, kind="whole", gpu_class="test", memory_mb=1000)


@pytest.fixture
def pool(hub: Any) -> Pool:
    pool = Pool(hub.platform.engine, GpuSettings())
    pool.sync([piece(GPU)], now_us())
    return pool


def asked(hub: Any) -> dict[str, str]:
    lines = (hub.daemon.folder / "asked.jsonl").read_text().splitlines()
    return {said["lease"]: said["devices"] for said in map(json.loads, lines)}


def test_a_gpu_lab_gets_exactly_its_slice_and_the_next_learner_waits_for_it(hub: Any, pool: Pool) -> None:
    first = hub.start_lab("cleo", LAB)
    assert asked(hub)[str(first.lease)] == GPU
    assert [(hold.slice, hold.lease) for hold in pool.holds()] == [(GPU, first.lease)]
    answers: list[Any] = []
    second = threading.Thread(target=lambda: answers.append(hub.ask_for_lab("dan", LAB)))
    second.start()
    deadline = time.monotonic() + 30
    while not (queue := pool.queue("test", now_us())):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ((waiting, place),) = queue
    assert (waiting.learner, place.ahead) == ("dan", 0)
    assert place.wait_us is not None
    hub.stop_lab("cleo")
    second.join(90)
    deadline = time.monotonic() + 60
    while not hub.is_ready("dan"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    lab = hub.lab("dan")
    assert asked(hub)[str(lab.lease)] == GPU
    hub.stop_lab("dan")
    assert pool.holds() == ()


def test_a_cpu_lab_asks_for_no_gpu_at_all(hub: Any) -> None:
    lab = hub.start_lab("ada")
    assert str(lab.lease) not in asked(hub)
    assert "NVIDIA_VISIBLE_DEVICES=void" in lab.facts()["Config"]["Env"]
    hub.stop_lab("ada")


def test_a_slice_that_the_driver_does_not_know_is_refused_in_words_and_given_back(hub: Any, pool: Pool) -> None:
    pool.sync([piece(UNKNOWN)], now_us())
    said = hub.refusal("ben", LAB)
    assert "The server could not hand over the GPU" in said
    assert "nvidia" not in said
    assert pool.holds() == ()
    assert not [lease for lease in hub.platform.ledger.open_leases() if lease.learner == "ben"]


def test_who_cancels_while_waiting_is_told_so_and_pays_nothing(hub: Any, pool: Pool) -> None:
    first = hub.start_lab("cleo", LAB)
    answers: list[Any] = []
    second = threading.Thread(target=lambda: answers.append(hub.ask_for_lab("ben", LAB)))
    second.start()
    deadline = time.monotonic() + 30
    while not (queue := pool.queue("test", now_us())):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert pool.cancel(queue[0][0].lease)
    second.join(60)
    assert hub.platform.ledger.lease(queue[0][0].lease).state == "void"
    assert [hold.lease for hold in pool.holds()] == [first.lease]
    hub.stop_lab("cleo")
