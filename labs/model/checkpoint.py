"""A stage's state on disk, replaced whole, so that training goes on from the last checkpoint after any end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass
class Progress:
    """The parts of one training stage that must survive: models, their running averages, optimisers, the step."""

    file: Path
    modules: dict[str, torch.nn.Module]
    optimisers: Sequence[torch.optim.Optimizer]
    decay: float
    step: int = 0
    averages: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.averages = {name: _copied(module) for name, module in self.modules.items()}
        if self.file.exists():
            state = torch.load(self.file, map_location=self._device(), weights_only=True)
            for name, module in self.modules.items():
                module.load_state_dict(state["modules"][name])
            for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(kept)
            self.averages, self.step = state["averages"], state["step"]

    def advance(self) -> None:
        """Count a step and move the averages towards the models, faster while they are young."""
        self.step += 1
        keep = min(self.decay, (1 + self.step) / (10 + self.step))
        for name, module in self.modules.items():
            for key, value in module.state_dict().items():
                average = self.averages[name][key]
                if average.is_floating_point():
                    average.lerp_(value, 1 - keep)
                else:
                    average.copy_(value)

    def save(self) -> None:
        """Write everything; a power cut leaves the old file or the new one."""
        state: dict[str, Any] = {
            "step": self.step,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "averages": self.averages,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }
        unfinished = self.file.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.file)
        self.saved = time.monotonic()

    def save_when_due(self, seconds: float) -> None:
        """Save when the last time was more than ``seconds`` ago."""
        if time.monotonic() - self.saved > seconds:
            self.save()

    def load_averages(self) -> None:
        """Put the running averages into the models: what is kept when the stage is over."""
        for name, module in self.modules.items():
            module.load_state_dict(self.averages[name])

    def _device(self) -> torch.device:
        return next(next(iter(self.modules.values())).parameters()).device


def rate_at(step: int, total: int) -> float:
    """A part of the full learning rate: up over 2 % of the steps, level, down over the last 30 %."""
    return min(1.0, (step + 1) / max(total * 0.02, 1), (total - step) / max(total * 0.3, 1))


def _copied(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().clone() for key, value in module.state_dict().items()}
