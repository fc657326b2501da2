"""VALUE: how a house model is trained; kept in the work folder, so that a later call goes on with the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labs.language import LabError
from labs.model.house import HOUSE, TINY, Shape

if TYPE_CHECKING:
    from pathlib import Path

FILE = "settings.json"


class TrainingError(LabError):
    """A training cannot be begun or gone on with."""


class Settings(BaseModel):
    """Everything that decides the weights, besides the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 20_261_122
    shape: Shape = HOUSE
    width: int = Field(default=96, multiple_of=32)
    height: int = Field(default=160, multiple_of=32)
    unit: int = 90
    """Pixels of the finished film's width; the rest of the canvas is margin."""
    frames: int = 17
    fps: int = 8
    vae_steps: int = Field(default=6_000, ge=1)
    vae_batch: int = Field(default=4, ge=1)
    vae_window: int = Field(default=64, multiple_of=16)
    """The autoencoder learns on square windows of this side, which is all its reach needs."""
    vae_rate: float = 1.5e-3
    bank: int = Field(default=20_000, ge=2)
    """How many clips the transformer learns from; rendered and encoded once."""
    steps: int = Field(default=20_000, ge=1)
    batch: int = Field(default=16, ge=1)
    muon_rate: float = 0.01
    rate: float = 1e-3
    ema: float = 0.999
    first_frame: float = 0.3
    """How often the first latent frame is given clean, for going on from a picture."""


TRIAL = Settings(
    shape=TINY, width=64, height=96, unit=54, vae_steps=3, vae_batch=2, vae_window=32, bank=4, steps=4, batch=2, ema=0.5
)
"""Seconds long: tries out every stage."""


def settled(work: Path, wanted: Settings) -> Settings:
    """The settings of the work folder; ``wanted`` is written there when it is new.

    Raises:
        TrainingError: the folder's settings cannot be read.
    """
    file = work / FILE
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        file.write_text(wanted.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return wanted
    try:
        return Settings.model_validate_json(file.read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "JSON"
        raise TrainingError(
            f"{file}：设置无效（{where}：{problem['msg']}）", f"{file}: not valid ({where}: {problem['msg']})"
        ) from error
