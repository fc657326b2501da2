"""VALUE: how a house model is trained; kept in the work folder, so that a later call goes on with the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labs.language import LabError
from labs.model.house import HOUSE, TINY, Shape

if TYPE_CHECKING:
    from pathlib import Path

FILE = "settings.json"
FITTED_FROM = 8_000
"""The number of the first clip that the autoencoder is computed from: beyond the bank's, so these are other clips."""


class TrainingError(LabError):
    """A training cannot be begun or gone on with."""


class Settings(BaseModel):
    """Everything that decides the weights, besides the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 20_261_122
    shape: Shape = HOUSE
    width: int = Field(default=48, multiple_of=16)
    height: int = Field(default=80, multiple_of=16)
    unit: int = 45
    """Pixels of the film's width before it is enlarged; the rest of the canvas is margin."""
    frames: int = 17
    fitted: int = Field(default=128, ge=1)
    """How many clips the autoencoder is computed from."""
    bank: int = Field(default=6_144, ge=2, le=FITTED_FROM)
    """How many clips the transformer learns from; rendered and encoded once."""
    steps: int = Field(default=7_600, ge=1)
    batch: int = Field(default=32, ge=1)
    muon_rate: float = 0.006
    rate: float = 1e-3
    ema: float = 0.998
    noisier: float = 0.8
    """The mean of the logit of the times: above 0, more practice where there is more noise than picture."""
    oftener: dict[str, float] = {"wide": 3.0, "full": 1.5}
    """How much oftener clips of these shot sizes are practised: a small figure is a small part of the error."""
    spread: float = 1.2
    """The deviation of the logit of the times."""


TRIAL = Settings(shape=TINY, width=32, height=48, unit=27, fitted=2, bank=4, steps=4, batch=2, ema=0.5)
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
