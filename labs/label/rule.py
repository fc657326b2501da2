"""VALUE: the two labels that AI-made films carry in China: one a viewer sees, one a machine reads. No I/O.

After the Measures for Labelling AI-Generated Synthetic Content and GB 45438-2025: a text with "AI" and "生成" or "合成"
at the start of the film for at least two seconds, its height at least a twentieth of the picture's shorter side, and
the member ``AIGC`` in the file's metadata.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

METADATA_KEY = "AIGC"
RULE_VARIABLE = "REELWRIGHT_LABEL_RULE"
"""Where a site that asks for more than the standard says so, as JSON; the platform sets it from its configuration."""


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How the visible label must be: its words, how long from the start, how tall."""

    text: str = "AI生成"
    seconds: float = 2.0
    part: float = 0.05
    """Height of the text by the picture's shorter side."""
    least_pixels: int = 14
    """Smaller text cannot be read, whatever the picture's size."""

    def text_height(self, width: int, height: int) -> int:
        """How tall the text must be in a picture of this size, in pixels."""
        return max(math.ceil(min(width, height) * self.part), self.least_pixels)

    def labelled_frames(self, fps: float) -> int:
        """How many frames from the start must show the label."""
        return math.ceil(self.seconds * fps)


def site_rule() -> LabelRule:
    """The rule of this site: that of REELWRIGHT_LABEL_RULE, else the standard's.

    Raises:
        ValueError: the variable is no such rule.
    """
    text = os.environ.get(RULE_VARIABLE)
    return TypeAdapter(LabelRule).validate_json(text) if text else LabelRule()


RULE = site_rule()
"""Read once: a lab's rule does not change while it runs."""


class Aigc(BaseModel):
    """The implicit label, its members named by the standard. ``Label``: "1" is AI-made, "2" may be, "3" looks so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    Label: Literal["1", "2", "3"] = "1"
    ContentProducer: str = Field(min_length=1, max_length=200)
    ProduceID: str = Field(min_length=1, max_length=200)
    ReservedCode1: str = Field(default="", max_length=2000)
    ContentPropagator: str = Field(default="", max_length=200)
    PropagateID: str = Field(default="", max_length=200)
    ReservedCode2: str = Field(default="", max_length=2000)
