"""VALUE: one thing that the doctor examined."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Whether it holds, what was found, and what mends it when it does not."""

    name: str
    held: bool
    found: str
    mend: str = ""
