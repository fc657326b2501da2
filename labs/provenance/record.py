"""VALUE: the provenance of one take; parsed strictly, no I/O."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from labs.language import LabError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ProvenanceError(LabError):
    """A provenance record is missing, is no record, or does not agree with its file."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Part):
    """Which weights made the take. ``trained`` is False for a model whose weights are random."""

    name: str
    sha256: Sha256
    trained: bool


class Parameters(_Part):
    """How the sampler was set. Sizes in pixels of the finished film."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frames: int = Field(gt=0)
    fps: int = Field(gt=0)
    steps: int = Field(gt=0)
    guidance: float = Field(ge=0)


class Output(_Part):
    """The file that was made; ``file`` is its name beside the record."""

    file: str = Field(pattern=r"^[^/\\]+$")
    sha256: Sha256
    bytes: int = Field(ge=0)


class Record(_Part):
    """Everything needed to say how a take came about, and to make it again on the same machine."""

    kind: Literal["reelwright-take/1"] = "reelwright-take/1"
    engine: Literal["diffusion"] = "diffusion"
    """What drew the picture; a procedural engine must never call itself diffusion."""
    prompt: str
    unknown_words: tuple[str, ...]
    """Words of the prompt the model does not know: it drew without them."""
    seed: int = Field(ge=0)
    model: Model
    parameters: Parameters
    output: Output
    device: str
    seconds: float = Field(ge=0)
    """Wall time of generation, without loading the model."""
    made_us: int
    """Microseconds since the epoch, UTC, by the clock of the machine that made the take."""
    software: dict[str, str]
