"""VALUE: how takes are made: which model, where, and how it is run. Operators name them, labs ask for one by name.

::

    cpu       in the learner's own lab, on its CPU
    direct    in the learner's own lab, on its GPU
    shared    by a take server that keeps the model warm on a GPU and serves all labs in turn
"""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from labs.language import LabError
from labs.model.folder import DEFAULT_MODEL

PROFILES_VARIABLE = "REELWRIGHT_TAKES"
CHOSEN_VARIABLE = "REELWRIGHT_TAKE"
DEFAULT_PROFILE = "cpu"


class ProfileError(LabError):
    """There is no take profile of that name here, or what names them cannot be read."""


class TakeProfile(BaseModel):
    """How takes are made. ``memory_mb`` is what the model needs, ``seconds`` how long a take usually takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: Literal["cpu", "direct", "shared"] = "cpu"
    model: str = Field(default=DEFAULT_MODEL, pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """The model's folder beneath the models folder; its manifest names the pipeline and holds every file's digest."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    offload: Literal["none", "model", "sequential"] = "none"
    """What waits in the host's memory while it is not at work: nothing, whole parts of the model, or single layers."""
    compile: bool = False
    """Whether the denoiser is compiled: the first take is slow, every later one of that size quicker."""
    memory_mb: int = Field(default=2048, ge=1)
    seconds: float = Field(default=3.0, gt=0)
    longest_seconds: int = Field(default=600, ge=10, le=7200)
    """A take server gives a take up after this; it is also what is held of the allowance while it works."""


_PROFILES = TypeAdapter(dict[str, TakeProfile])


def written(profiles: dict[str, TakeProfile]) -> str:
    """The profiles as a lab's environment holds them."""
    return _PROFILES.dump_json(profiles).decode()


def take_profiles() -> dict[str, TakeProfile]:
    """The profiles that this lab may ask for: those of REELWRIGHT_TAKES, else the CPU with the house model.

    Raises:
        ProfileError: the variable cannot be read.
    """
    text = os.environ.get(PROFILES_VARIABLE)
    if not text:
        return {DEFAULT_PROFILE: TakeProfile()}
    try:
        return _PROFILES.validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ProfileError(
            f"{PROFILES_VARIABLE} 无效（{where}：{problem['msg']}）",
            f"{PROFILES_VARIABLE} is not valid ({where}: {problem['msg']})",
        ) from error


def take_profile(name: str | None = None) -> tuple[str, TakeProfile]:
    """The profile of that name, by default the one that the lab's machine is for, with its name.

    Raises:
        ProfileError: there is none of that name; the message lists those that there are.
    """
    known = take_profiles()
    chosen = name or os.environ.get(CHOSEN_VARIABLE) or DEFAULT_PROFILE
    if chosen not in known:
        there = ", ".join(sorted(known))
        raise ProfileError(
            f"profile：得到 {chosen!r}，此处可用的有 {there}。不写 profile 就用本实验自己的；"
            "要用 GPU，请从有 GPU 的实验打开，或请管理员设置。",
            f"profile: got {chosen!r}, expected one of: {there}. Leave profile out to use this lab's own; for a GPU, "
            "open a lab that has one, or ask your administrator to set one up.",
        )
    return chosen, known[chosen]
