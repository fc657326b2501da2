"""VALUE: bar charts as numbers to draw: the template writes them as SVG, beside a table that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 600
BAR = 22
GAP = 26
MOST_BARS = 30


@dataclass(frozen=True)
class Bar:
    """One bar: what it stands for, its value in words and in pixels, and from where it is drawn; hidden without one."""

    label: str
    said: str
    length: int | None
    top: int


@dataclass(frozen=True)
class Chart:
    """Horizontal bars that share a scale."""

    bars: tuple[Bar, ...]
    height: int

    @property
    def width(self) -> int:
        """Pixels from the first to the last that may be drawn on."""
        return WIDTH


def bars(values: Sequence[tuple[str, float | None, str]]) -> Chart:
    """Bars of label, value (None: not shown) and the value in words, the longest as wide as the chart."""
    shown = list(values)[:MOST_BARS]
    most = max((value for _, value, _ in shown if value is not None), default=0) or 1
    drawn = tuple(
        Bar(label, said, None if value is None else round(WIDTH * value / most), place * (BAR + GAP) + GAP - 4)
        for place, (label, value, said) in enumerate(shown)
    )
    return Chart(drawn, len(drawn) * (BAR + GAP) + 2)
