"""Finds out which GPU slices this host has: from the driver (NVML), or as the configuration says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pynvml  # type: ignore[import-untyped]

from hub.compute.gpu.slice import GpuError, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.compute.gpu.slice import GpuSettings

_MIG_PROFILE = re.compile(r"\bMIG (\S+)")


def inventory(settings: GpuSettings) -> tuple[Slice, ...]:
    """What there is, by UUID.

    Raises:
        GpuError: the driver cannot be asked.
    """
    if settings.inventory == "config":
        return tuple(
            Slice(
                uuid=piece.uuid, kind="mig" if piece.uuid.startswith("MIG-") else "whole",
                gpu_class=piece.gpu_class, memory_mb=piece.memory_mb,
            )
            for piece in sorted(settings.slices, key=lambda piece: piece.uuid)
        )  # fmt: skip
    return _driven(settings) if settings.inventory == "nvml" else ()


def _driven(settings: GpuSettings) -> tuple[Slice, ...]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise GpuError(
            f"inventory: the NVIDIA driver does not answer ({error}); install it, or name the slices"
        ) from error
    try:
        found = [piece for n in range(pynvml.nvmlDeviceGetCount()) for piece in _slices_of(n, settings)]
    except pynvml.NVMLError as error:
        raise GpuError(f"inventory: the NVIDIA driver refused to list its devices: {error}") from error
    finally:
        pynvml.nvmlShutdown()
    return tuple(sorted(found))


def _slices_of(index: int, settings: GpuSettings) -> Iterator[Slice]:
    whole = pynvml.nvmlDeviceGetHandleByIndex(index)
    if not _is_cut(whole):
        yield _slice(whole, "whole", "", settings)
        return
    # A GPU in MIG mode is no slice itself: who holds it would hold all of its parts.
    parent = _text(pynvml.nvmlDeviceGetUUID(whole))
    for part in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(whole)):
        try:
            handle = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, part)
        except pynvml.NVMLError_NotFound:
            continue
        yield _slice(handle, "mig", parent, settings)


def _is_cut(whole: Any) -> bool:
    try:
        current, _pending = pynvml.nvmlDeviceGetMigMode(whole)
    except pynvml.NVMLError_NotSupported:
        return False
    return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)


def _slice(handle: Any, kind: Any, parent: str, settings: GpuSettings) -> Slice:
    name = _text(pynvml.nvmlDeviceGetName(handle))
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    profile = _MIG_PROFILE.search(name)
    key = profile.group(1) if kind == "mig" and profile else name
    return Slice(
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)), kind=kind, parent=parent,
        gpu_class=settings.classes.get(key) or class_name(key), memory_mb=int(memory.total) >> 20,
    )  # fmt: skip


def class_name(product: str) -> str:
    """A class for a product that the configuration does not name: ``NVIDIA H100 80GB HBM3`` is ``h100-80gb-hbm3``."""
    plain = re.sub(r"[^a-z0-9.]+", "-", product.lower().removeprefix("nvidia").strip()).strip("-")
    return plain or "gpu"


def _text(said: str | bytes) -> str:
    return said.decode() if isinstance(said, bytes) else said
