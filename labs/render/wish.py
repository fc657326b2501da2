"""VALUE: what a clip is asked for in film language; a caption says it and a prompt is read back. No I/O."""

from __future__ import annotations

import hashlib
import re
from dataclasses import astuple, dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING

from labs.language import LabError
from labs.model.vocabulary import chinese_terms

if TYPE_CHECKING:
    import numpy as np

SIZES = ("wide", "full", "medium", "close")
MOVES = ("static", "pan left", "pan right", "tilt up", "tilt down", "push in", "pull out")
SUBJECTS = ("woman", "man", "umbrella", "car", "cup", "ring", "door", "letter", "ball")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple")
LIGHTS = ("day", "night", "dusk", "neon")
PLACES = ("room", "street", "forest", "sea")
AXES = {
    "size": SIZES,
    "move": MOVES,
    "subject": SUBJECTS,
    "colour": COLOURS,
    "light": LIGHTS,
    "place": PLACES,
}
"""Axis → every word it can take, in a fixed order."""
_MIRRORED = {"pan left": "pan right", "pan right": "pan left"}
_HELD_OUT_IN = 10


class WishError(LabError):
    """A prompt does not say what previs needs, or says two things at once."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One clip in film language. ``size`` is how much of the frame the subject fills at the middle of the clip."""

    size: str
    move: str
    subject: str
    colour: str
    light: str
    place: str

    def __post_init__(self) -> None:
        for axis, allowed in AXES.items():
            if (got := getattr(self, axis)) not in allowed:
                expected = " | ".join(allowed)
                raise WishError(f"{axis}：得到 {got!r}，应为 {expected}", f"{axis}: got {got!r}, expected {expected}")

    @property
    def caption(self) -> str:
        """The prompt in the one order that the courses teach."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return (
            f"{self.size} shot, {self.move}, {article} {self.colour} {self.subject} "
            f"in the {self.place}, {self.light} light"
        )

    @property
    def mirrored(self) -> Wish:
        """What the clip shows when left and right are swapped."""
        return replace(self, move=_MIRRORED.get(self.move, self.move))

    @property
    def held_out(self) -> bool:
        """Whether training never sees this combination, nor its mirror image: one in ten, by a digest of the words."""
        words = "|".join(sorted((str(astuple(self)), str(astuple(self.mirrored)))))
        return hashlib.sha256(words.encode()).digest()[0] % _HELD_OUT_IN == 0


def every_wish(*, held_out: bool) -> tuple[Wish, ...]:
    """All combinations on one side of the split, in a fixed order."""
    return tuple(wish for words in product(*AXES.values()) if (wish := Wish(*words)).held_out is held_out)


def wish_from(prompt: str, rng: np.random.Generator) -> Wish:
    """Read a prompt, English or Chinese; what it leaves open is drawn from ``rng``.

    Raises:
        WishError: it names two words of one axis.
    """
    said = _normal(prompt)
    chosen = {}
    for axis, allowed in AXES.items():
        found = [word for word in allowed if re.search(rf"\b{word}\b", said)]
        if len(found) > 1:
            raise WishError(
                f"{axis}：提示词里有 {' 和 '.join(found)}，只能有一个",
                f"{axis}: the prompt says {' and '.join(found)}, expected one of them",
            )
        chosen[axis] = found[0] if found else allowed[int(rng.integers(len(allowed)))]
    return Wish(**chosen)


def open_axes(prompt: str) -> tuple[str, ...]:
    """The axes that ``prompt`` says nothing about."""
    said = _normal(prompt)
    names = (field.name for field in fields(Wish))
    return tuple(name for name in names if not any(re.search(rf"\b{word}\b", said) for word in AXES[name]))


def _normal(prompt: str) -> str:
    said = prompt.lower()
    for term, word in chinese_terms():
        said = said.replace(term, f" {word} ")
    # Directions may stand apart from their move ("摇镜头 向左" → "pan  left").
    return " ".join(re.sub(r"[^\w\s]", " ", said).split())
