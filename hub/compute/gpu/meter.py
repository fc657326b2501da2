"""Samples the GPUs that leases hold, on the host, through its driver (NVML); without a driver nothing is sampled."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pynvml  # type: ignore[import-untyped]

from hub.compute.gpu.usage import Reading

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from hub.compute.gpu.slice import Hold
    from hub.compute.gpu.store import Samples

    Reads = Callable[[Iterable[str]], dict[str, Reading]]

EVERY_SECONDS = 5.0
log = logging.getLogger(__name__)


def run(holds: Callable[[], tuple[Hold, ...]], samples: Samples, stop: threading.Event) -> None:
    """Sample what is held every few seconds until ``stop`` is set; trouble is logged once and tried again."""
    troubled = False
    while not stop.wait(EVERY_SECONDS):
        try:
            sample(holds(), samples, time.time_ns() // 1000)
            troubled = False
        except Exception:
            if not troubled:
                log.exception("could not sample GPUs")
            troubled = True


def sample(holds: tuple[Hold, ...], samples: Samples, now_us: int, reads: Reads | None = None) -> int:
    """Keep one reading for every lease that holds a slice; returns how many were read."""
    if not holds:
        return 0
    seen = (reads or readings)({hold.slice for hold in holds})
    kept = [(hold, seen[hold.slice]) for hold in holds if hold.slice in seen]
    for hold, reading in kept:
        samples.keep(hold.lease, hold.slice, now_us, reading)
    return len(kept)


def readings(uuids: Iterable[str]) -> dict[str, Reading]:
    """What the driver says of slices, by UUID; those it does not know are left out, all of them without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return {}
    try:
        found = {uuid: _reading(uuid) for uuid in uuids}
    finally:
        pynvml.nvmlShutdown()
    return {uuid: reading for uuid, reading in found.items() if reading}


def _reading(uuid: str) -> Reading | None:
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        memory_mb = int(pynvml.nvmlDeviceGetMemoryInfo(handle).used) >> 20
    except pynvml.NVMLError:
        return None
    try:
        busy = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except pynvml.NVMLError:  # a MIG slice has no rate of its own
        busy = None
    try:
        processes = len(pynvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except pynvml.NVMLError:
        processes = 0
    return Reading(busy if busy is None else max(0, min(100, busy)), memory_mb, processes)
