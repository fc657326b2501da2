"""A start that needs a GPU: waits its turn in the pool, then asks Docker for exactly the slice it was given."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from docker.types import DeviceRequest

from hub.compute.gpu.slice import GpuError, GpuRequest, Hold, Place, QueueLeft
from hub.door.refusal import StartRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.compute.gpu.store import Pool
    from hub.compute.lease import Lease
    from hub.compute.ledger import Ledger

ASK_EVERY_SECONDS = 2.0
CAPABILITIES = "compute,utility,video"


def request_for(ledger: Ledger, lease: Lease, gpu_class: str) -> GpuRequest:
    """What the pool is asked for: the lease's own words, and the learner's GPU time in its course so far."""
    used = ledger.metered(lease.learner, lease.course).gpu_seconds * 1_000_000
    return GpuRequest(
        lease=lease.id, learner=lease.learner, site=lease.site, cohort=lease.cohort, gpu_class=gpu_class,
        longest_us=lease.longest_us, requested_us=lease.requested_us, used_us=used,
    )  # fmt: skip


async def take_turn(pool: Pool | None, request: GpuRequest, minutes: int, tell: Callable[[Place], None]) -> Hold:
    """Wait until the pool gives a slice; ``tell`` hears where the request stands each time it is asked.

    Raises:
        StartRefused: there is no such GPU here, the person cancelled, or the wait was too long.
    """
    deadline = time.monotonic() + 60 * minutes
    while pool is not None:
        try:
            answer = await asyncio.to_thread(pool.ask, request, time.time_ns() // 1000)
        except QueueLeft as error:
            why = ("您已取消等候 GPU。", "You stopped waiting for a GPU.")
            raise StartRefused(why, label="gpu-cancelled", status_code=409) from error
        except GpuError as error:
            raise _none_here() from error
        if isinstance(answer, Hold):
            return answer
        tell(answer)
        if time.monotonic() > deadline:
            why = (f"等候 GPU 已超过 {minutes} 分钟。", f"No GPU became free within {minutes} minutes.")
            remedy = ("请稍后再试。", "Try again later.")
            raise StartRefused(why, label="gpu-queue", remedy=remedy, status_code=503)
        await asyncio.sleep(ASK_EVERY_SECONDS)
    raise _none_here()


def device_options(hold: Hold) -> dict[str, Any]:
    """What Docker is asked for: this one slice by its UUID, never a count."""
    return {"device_requests": [DeviceRequest(driver="nvidia", device_ids=[hold.slice], capabilities=[["gpu"]])]}


def device_environment(hold: Hold) -> dict[str, str]:
    """What the container's runtime and CUDA read."""
    return {"NVIDIA_VISIBLE_DEVICES": hold.slice, "NVIDIA_DRIVER_CAPABILITIES": CAPABILITIES}


def _none_here() -> StartRefused:
    why = ("这里没有此实验所需的 GPU。", "There is no GPU of the kind this lab needs here.")
    remedy = ("请告知管理员。", "Tell your administrator.")
    return StartRefused(why, label="gpu-none", remedy=remedy, status_code=503)
