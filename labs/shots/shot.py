"""VALUE: one intended shot, and a shot list; no I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from labs.language import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Size = Literal["wide", "full", "medium", "close", "extreme close"]
"""How much of the subject the frame holds, from the whole place to an eye."""
Move = Literal["static", "pan", "tilt", "push in", "pull out", "track", "handheld"]

SIZES: tuple[Size, ...] = get_args(Size)
MOVES: tuple[Move, ...] = get_args(Move)
MAX_SECONDS = 60.0


class ShotError(LabError):
    """A shot list or a timeline is wrong; the message names the shot."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One clip as it is meant: ``number`` from 1 through the episode, ``scene`` from 1, ``seconds`` of screen time."""

    number: int
    scene: int
    size: Size
    move: Move
    subject: str
    seconds: float
    says: str = ""
    """What is said during the shot, if anything."""

    def __post_init__(self) -> None:
        """Refuse what no shot list may hold."""
        _one_of(self.number, "size", self.size, SIZES)
        _one_of(self.number, "move", self.move, MOVES)
        if self.number < 1 or self.scene < 1:
            raise _wrong(self.number, "number, scene", (self.number, self.scene), "1, 2, 3 …")
        if not self.subject.strip():
            raise _wrong(self.number, "subject", self.subject, "words / 文字")
        if not 0 < self.seconds <= MAX_SECONDS:
            raise _wrong(self.number, "seconds", self.seconds, f"0 < seconds ≤ {MAX_SECONDS:g}")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, one key a field."""
        return asdict(self)


def shots_from(rows: Iterable[Mapping[str, Any]]) -> tuple[Shot, ...]:
    """Parse a shot list written as dictionaries; numbers must run 1, 2, 3 … and scenes must not go backwards.

    Raises:
        ShotError: a row lacks a field, has one too many, or holds a value no shot may have.
    """
    shots = tuple(_shot(place, row) for place, row in enumerate(rows, start=1))
    if not shots:
        raise ShotError("分镜表是空的；至少需要一个镜头", "the shot list is empty; expected at least one shot")
    scene = 1
    for place, shot in enumerate(shots, start=1):
        if shot.number != place:
            raise _wrong(shot.number, "number", shot.number, str(place))
        if shot.scene < scene:
            raise _wrong(shot.number, "scene", shot.scene, f"≥ {scene}")
        scene = shot.scene
    return shots


def _shot(place: int, row: Mapping[str, Any]) -> Shot:
    known = {field.name for field in fields(Shot)}
    missing = sorted(known - {"says"} - row.keys())
    unknown = sorted(map(str, row.keys() - known))
    if missing or unknown:
        raise ShotError(
            f"第 {place} 个镜头：缺少 {missing}，多出 {unknown}；应有 {sorted(known)}",
            f"shot {place}: missing {missing}, unknown {unknown}; expected {sorted(known)}",
        )
    try:
        return Shot(
            number=int(row["number"]),
            scene=int(row["scene"]),
            size=row["size"],
            move=row["move"],
            subject=str(row["subject"]),
            seconds=float(row["seconds"]),
            says=str(row.get("says", "")),
        )
    except (TypeError, ValueError) as error:
        raise _wrong(place, "number, scene, seconds", str(error), "numbers / 数字") from error


def _one_of(number: int, name: str, got: object, known: tuple[str, ...]) -> None:
    if got not in known:
        raise _wrong(number, name, got, " | ".join(known))


def _wrong(number: int, name: str, got: object, expected: str) -> ShotError:
    return ShotError(
        f"第 {number} 个镜头的 {name}：得到 {got!r}，应为 {expected}",
        f"shot {number}, {name}: got {got!r}, expected {expected}",
    )
