"""VALUE: what an operator says about the ``docker`` engine: the ``[docker]`` section of the configuration."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Image = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,255}$")]
"""A name with a tag or a digest, or an image's own id (``sha256:…``): the id cannot be moved to other contents."""

LABEL_LEASE = "reelwright.lease"
LABEL_LEARNER = "reelwright.learner"
LABEL_INSTANCE = "reelwright.instance"
SMALLEST_PREFIX = 29


class ImageNotAllowed(Exception):  # noqa: N818 -- it names the fact
    """A profile names an image that is not on the operator's list."""


class DockerSettings(BaseModel):
    """How containers are made, limited and reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = ""
    """The daemon's address (``unix:///run/docker.sock``); empty for what Docker's own environment says."""
    image: Image = "reelwright/lab:0.1.0"
    """What a profile without an image of its own runs on."""
    images: tuple[Image, ...] = ()
    """Other images that profiles may name; anything else is refused."""
    pull: Literal["never", "missing"] = "never"
    instance: str = Field(default="main", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    """Tells this instance's containers from another's on the same daemon."""
    network: str = Field(default="reelwright-labs", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    bridge: str = Field(default="rw-labs", pattern=r"^[a-z][a-z0-9-]{0,14}$")
    subnet: IPv4Network = IPv4Network("10.213.0.0/20")
    gate_port: int = Field(default=8181, ge=1, le=65535)
    """Where on the bridge the gate listens: the one address that a lab can reach."""
    egress_port: int = Field(default=8182, ge=1, le=65535)
    """Where on the bridge the way out listens, for labs whose profile has an ``egress`` list; shut when none has."""
    firewall: Literal["set", "given"] = "set"
    """``set``: the start sets the host's rules, as root. ``given``: an administrator has (``reelwright
    firewall`` prints them), and the start tries from a container that they hold."""
    models: str = ""
    """The models folder as the daemon's host sees it; empty when it is the hub's own."""
    processes: int = Field(default=256, ge=32)
    tmp_mb: int = Field(default=512, ge=64)
    shm_mb: int = Field(default=256, ge=16)
    launch_seconds: float = Field(default=60.0, gt=0)
    stop_seconds: int = Field(default=10, ge=1)

    @field_validator("subnet")
    @classmethod
    def _has_room(cls, value: IPv4Network) -> IPv4Network:
        if value.prefixlen > SMALLEST_PREFIX or not value.is_private:
            raise ValueError(f"got {value}, expected a private network of /{SMALLEST_PREFIX} or larger")
        return value

    @model_validator(mode="after")
    def _ports_differ(self) -> DockerSettings:
        if self.gate_port == self.egress_port:
            raise ValueError(f"egress_port: got {self.egress_port}, expected another port than gate_port")
        return self

    @property
    def gateway(self) -> str:
        """The host's own address on the labs' bridge."""
        return str(self.subnet.network_address + 1)

    @property
    def gate_url(self) -> str:
        """The gate as a lab reaches it, without a path."""
        return f"http://{self.gateway}:{self.gate_port}"

    def image_for(self, wanted: str) -> str:
        """The image a profile runs on.

        Raises:
            ImageNotAllowed: the profile names one that is not on the list.
        """
        allowed = (self.image, *self.images)
        if wanted and wanted not in allowed:
            raise ImageNotAllowed(
                f"image: got {wanted!r}, expected one of {list(allowed)} (docker.image, docker.images)"
            )
        return wanted or self.image
