"""VALUE: GPU slices, holds on them, and requests for one. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.compute.lease import MAX_SESSION_US, MAX_TIME_US, MINUTE_US, refuse_bad_int, refuse_bad_name

if TYPE_CHECKING:
    from uuid import UUID

Kind = Literal["whole", "mig"]
UUID_PATTERN = r"^(GPU|MIG)-[0-9A-Za-z-]{4,80}(/\d+/\d+)?$"
"""NVIDIA's names of a GPU and of a MIG slice (of old drivers: ``MIG-GPU-<uuid>/<gi>/<ci>``)."""

_UUID = re.compile(UUID_PATTERN)


class GpuError(Exception):
    """The pool refuses; the message says what was got and what was expected."""


class QueueLeft(GpuError):  # noqa: N818 -- it names the fact
    """The person who waited cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slice:
    """A whole GPU or a MIG slice of one, by the UUID that the driver gives it."""

    uuid: str
    kind: Kind
    gpu_class: str
    memory_mb: int
    parent: str = ""
    """The GPU that a MIG slice is cut from."""

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(self.uuid):
            raise ValueError(f"uuid: got {self.uuid!r}, expected one that begins with GPU- or MIG-")
        refuse_bad_name("gpu_class", self.gpu_class)
        refuse_bad_int("memory_mb", self.memory_mb, least=1, most=1 << 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRequest:
    """A lease that wants a slice of a class; ``used_us`` is the learner's GPU time of late, as the ledger counts it."""

    lease: UUID
    learner: str
    site: str
    cohort: str
    gpu_class: str
    longest_us: int
    requested_us: int
    used_us: int = 0

    def __post_init__(self) -> None:
        for name in ("learner", "site", "gpu_class"):
            refuse_bad_name(name, getattr(self, name))
        refuse_bad_name("cohort", self.cohort, empty_ok=True)
        refuse_bad_int("longest_us", self.longest_us, least=1, most=MAX_SESSION_US)
        refuse_bad_int("requested_us", self.requested_us, most=MAX_TIME_US)
        refuse_bad_int("used_us", self.used_us, most=MAX_TIME_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A slice in the hands of a lease. ``seat`` is 0 unless the class is shared; ``until_us`` is its longest end."""

    slice: str
    seat: int
    lease: UUID
    learner: str
    site: str
    cohort: str
    gpu_class: str
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Seats of a class kept for a cohort during a window in time."""

    id: UUID
    gpu_class: str
    cohort: str
    seats: int
    from_us: int
    until_us: int

    def __post_init__(self) -> None:
        refuse_bad_name("gpu_class", self.gpu_class)
        refuse_bad_name("cohort", self.cohort)
        refuse_bad_int("seats", self.seats, least=1, most=10_000)
        refuse_bad_int("until_us", self.until_us, most=MAX_TIME_US)
        refuse_bad_int("from_us", self.from_us, most=self.until_us - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request stands: ``ahead`` before it; at the latest in ``wait_us``, when that can be said."""

    ahead: int
    wait_us: int | None

    def in_locale(self, locale: str) -> str:
        """The words for the person who waits."""
        minutes = None if self.wait_us is None else -(-self.wait_us // MINUTE_US)
        if locale.startswith("zh"):
            wait = "暂时无法估计等待时间" if minutes is None else f"最多等待约 {minutes} 分钟"
            return f"正在等候 GPU：您前面还有 {self.ahead} 人，{wait}"
        wait = "the wait cannot be told yet" if minutes is None else f"{minutes} min at most"
        return f"Waiting for a GPU: {self.ahead} before you, {wait}"


class SliceConfig(BaseModel):
    """A slice as the configuration names it, on a host whose driver is not asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uuid: str = Field(pattern=UUID_PATTERN)
    gpu_class: str = Field(min_length=1, max_length=60)
    memory_mb: int = Field(ge=1)


class GpuSettings(BaseModel):
    """What an operator says about GPUs: the ``[gpu]`` section of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inventory: Literal["none", "nvml", "config"] = "none"
    slices: tuple[SliceConfig, ...] = ()
    """With ``inventory = "config"``: what there is."""
    classes: dict[str, str] = Field(default_factory=dict)
    """With ``inventory = "nvml"``: from the driver's product or MIG profile name to our class; others keep a name
    made from the driver's."""
    leases_per_slice: dict[str, int] = Field(default_factory=dict)
    """Classes whose slices several leases share; every other class is exclusive."""
    site_floors: dict[str, int] = Field(default_factory=dict)
    """Seats that a site gets before others get more than their own floor."""
    queue_minutes: int = Field(default=60, ge=1, le=1440)

    @model_validator(mode="after")
    def _agrees(self) -> GpuSettings:
        uuids = [piece.uuid for piece in self.slices]
        if len(set(uuids)) != len(uuids):
            raise ValueError(f"slices: got {uuids}, expected each uuid once")
        for name, seats in self.leases_per_slice.items():
            refuse_bad_int(f"leases_per_slice.{name}", seats, least=1, most=64)
        for name, seats in self.site_floors.items():
            refuse_bad_int(f"site_floors.{name}", seats, most=10_000)
        return self

    def seats(self, gpu_class: str) -> int:
        """How many leases may hold one slice of this class at a time."""
        return self.leases_per_slice.get(gpu_class, 1)
