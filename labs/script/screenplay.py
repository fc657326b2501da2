"""VALUE: a screenplay as its scenes; no I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from labs.language import LabError

Setting = Literal["interior", "exterior", "both", "unsaid"]
LineKind = Literal["action", "dialogue", "transition"]


class ScriptError(LabError):
    """A screenplay cannot be read as scenes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happens: an action, a speech, or a transition. ``character`` is empty unless someone speaks."""

    kind: LineKind
    text: str
    character: str = ""
    manner: str = ""
    """How it is said, from the parenthetical, without its brackets."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One place at one time, numbered from 1 in script order."""

    number: int
    heading: str
    setting: Setting
    place: str
    time: str
    lines: tuple[Line, ...]

    @property
    def characters(self) -> tuple[str, ...]:
        """Who speaks, in order of the first word."""
        return tuple(dict.fromkeys(line.character for line in self.lines if line.kind == "dialogue"))

    @property
    def dialogue(self) -> str:
        """All that is said, one speech a row."""
        return "\n".join(line.text for line in self.lines if line.kind == "dialogue")


@dataclass(frozen=True, slots=True)
class Screenplay:
    """A title page's words and the scenes in order."""

    title: str
    author: str
    scenes: tuple[Scene, ...]

    @property
    def characters(self) -> tuple[str, ...]:
        """Everyone who speaks, in order of the first word."""
        return tuple(dict.fromkeys(name for scene in self.scenes for name in scene.characters))

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the same words in dictionaries and lists."""
        return asdict(self)
