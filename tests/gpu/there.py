"""What GPU this machine has: asked of the driver by the pool's own inventory, and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.compute.gpu.inventory import inventory
from hub.compute.gpu.slice import GpuError, GpuSettings

if TYPE_CHECKING:
    from hub.compute.gpu.slice import Slice


@dataclass(frozen=True)
class There:
    """The slices that the driver names, and what keeps them from being used."""

    devices: tuple[Slice, ...]
    missing: str
    words: str


def look() -> There:
    """Ask the driver, then torch."""
    try:
        devices = inventory(GpuSettings(inventory="nvml"))
    except GpuError as error:
        return There((), "", f"no GPU on this machine, nothing was checked ({error})")
    if not devices:
        return There((), "", "the NVIDIA driver names no GPU, nothing was checked")
    import torch  # noqa: PLC0415 -- seconds to import, and of no use without a device

    named = ", ".join(f"{piece.gpu_class} {piece.memory_mb} MiB ({piece.uuid})" for piece in devices)
    if not torch.cuda.is_available():
        missing = f"torch {torch.__version__} cannot use it; install a CUDA build of torch"
        return There(devices, missing, f"{named}: {missing}")
    return There(devices, "", named)
