"""Which device files a box needs for one NVIDIA GPU, named by its UUID, and no other GPU's.

The driver says under ``/proc/driver/nvidia/gpus`` which number a GPU's file has. A MIG slice needs capability files
that only the container runtime sets up: slices are graded in containers.
"""

from __future__ import annotations

from pathlib import Path

from grader.sandbox.box import BoxEnded

GPUS = Path("/proc/driver/nvidia/gpus")
DEVICES = Path("/dev")
SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
"""What every use of CUDA opens besides the GPU's own file."""


def device_nodes(uuid: str) -> list[str]:
    """The device files of the GPU called ``uuid``, as paths; none for an empty one.

    Raises:
        BoxEnded: there is no such GPU here, or it is a slice.
    """
    if not uuid:
        return []
    numbers = dict(_numbers())
    if uuid not in numbers:
        hint = "; slices (MIG) need grader.sandbox = docker" if uuid.startswith("MIG-") else ""
        raise BoxEnded("start", f"GPU {uuid!r} is not here, expected one of {sorted(numbers)}{hint}")
    names = (f"nvidia{numbers[uuid]}", *SHARED)
    return [str(DEVICES / name) for name in names if (DEVICES / name).exists()]


def gpu_environment(uuid: str) -> dict[str, str]:
    """Variables by which CUDA sees that GPU alone."""
    return {"CUDA_VISIBLE_DEVICES": uuid} if uuid else {}


def _numbers() -> list[tuple[str, str]]:
    found = []
    for file in sorted(GPUS.glob("*/information")):
        lines = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
        told = {name.strip(): value.strip() for name, value in lines.items()}
        if {"GPU UUID", "Device Minor"} <= told.keys():
            found.append((told["GPU UUID"], told["Device Minor"]))
    return found
