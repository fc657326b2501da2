"""Reads a scene heading: ``内景 咖啡馆 - 夜`` or ``INT. COFFEE SHOP - NIGHT``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labs.script.screenplay import Setting

# Longest first: "内外景" begins like "内景" only to a careless pattern, "INT./EXT." begins with "INT.".
_SETTINGS: tuple[tuple[str, Setting], ...] = (
    (r"内外景|内/外景|INT\.?/EXT\.?|I/E\.?", "both"),
    (r"内景|室内|INT\.?", "interior"),
    (r"外景|室外|EXT\.?|EST\.?", "exterior"),
)
_DASH = re.compile(r"\s*(?:-|–|—|－)+\s*")
_CHINESE_HEADING = re.compile(r"^\s*(?:内外景|内/外景|内景|外景|室内|室外)(?=[\s.。:：、]|\S)")


@dataclass(frozen=True, slots=True)
class Heading:
    """The parts of a scene heading; ``time`` is empty when the heading says none."""

    setting: Setting
    place: str
    time: str


def parse_heading(text: str) -> Heading:
    """Split a heading into setting, place and time of day; what follows the last dash is the time."""
    setting: Setting = "unsaid"
    rest = text.strip()
    for pattern, name in _SETTINGS:
        if match := re.match(rf"(?:{pattern})[\s.。:：、]*", rest, flags=re.IGNORECASE):
            setting, rest = name, rest[match.end() :]
            break
    parts = [part for part in _DASH.split(rest.strip()) if part]
    if len(parts) < 2:  # noqa: PLR2004 - a place and a time
        return Heading(setting, parts[0] if parts else "", "")
    return Heading(setting, " - ".join(parts[:-1]), parts[-1])


def looks_like_heading(line: str) -> bool:
    """Whether a line reads as a Chinese scene heading that lacks Fountain's forcing dot."""
    return bool(_CHINESE_HEADING.match(line))
