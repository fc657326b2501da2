"""VALUE: the provenance of one take, or of one edit by hand; parsed strictly, no I/O."""

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


class _Link(_Part):
    """What every entry of a lab's chain says: whose it is, and which entry came before."""

    learner: str = ""
    """The JupyterHub user name; empty outside a platform."""
    lab: str = ""
    """The name of the lab's folder."""
    previous: Sha256 | None = None
    """The digest of the chain's entry before this one; None for the first."""
    made_us: int = Field(ge=0, lt=2**56)
    """Microseconds since the epoch, UTC, by the clock of the machine it was made on."""


class Record(_Link):
    """Everything needed to say how a take came about, and to make it again on the same machine."""

    kind: Literal["reelwright-take/1"] = "reelwright-take/1"
    engine: Literal["diffusion", "previs"] = "diffusion"
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
    software: dict[str, str]


class Edit(_Link):
    """What a person, or a tool at their hand, made out of other files: a cut, a repair, a labelled export."""

    kind: Literal["reelwright-edit/1"] = "reelwright-edit/1"
    what: str = Field(min_length=1, max_length=2000)
    """What was done, in the person's or the tool's words."""
    inputs: tuple[Output, ...]
    output: Output
