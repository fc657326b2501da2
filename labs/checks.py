"""Named checks of a produced film, for a lab's tests: each measures the file itself, and says what it got and expected.

::

    from labs import checks

    checks.duration("takes/first.mp4", 2.0, within=0.2)

A check that does not hold raises :class:`CheckError`, an AssertionError whose words are in both languages. One that
holds answers nothing: the number a test cell ends with would be taken for its points. In the grader the file is opened
in a box of its own (:mod:`labs.measure.boxed`).
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

from labs.label.export import read_labels
from labs.language import LabError
from labs.measure.boxed import MeasureError, in_box
from labs.measure.cuts import find_cuts
from labs.measure.film import Probe, probe, read_frames
from labs.measure.film_language import MEASURED, Seen, look_at
from labs.measure.look import flicker as flicker_of
from labs.measure.sound import loudness as loudness_of
from labs.measure.subtitles import subtitles as subtitles_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOOK_SIDE, CUT_SIDE = 320, 96
"""Pixels of the longer side at which looks and cuts are measured: more tells no more and takes longer."""


class CheckError(LabError, AssertionError):
    """A film is not what the lab asks for."""


def duration(path: str | Path, seconds: float, *, within: float = 0.1) -> None:
    """The picture plays ``seconds``, give or take ``within``."""
    _near(path, "片长（秒）", "running time in seconds", _picture(path).seconds, seconds, within)


def frame_rate(path: str | Path, fps: float, *, within: float = 0.01) -> None:
    """The picture has ``fps`` frames a second."""
    _near(path, "帧率", "frame rate", _picture(path).fps, fps, within)


def frame_count(path: str | Path, frames: int) -> None:
    """The picture has exactly ``frames`` frames, counted by decoding them."""
    _equal(path, "帧数", "number of frames", _picture(path).frames, frames)


def picture_size(path: str | Path, width: int, height: int) -> None:
    """The picture is ``width`` by ``height`` pixels."""
    found = _picture(path)
    _equal(path, "画面宽高", "width and height", (found.width, found.height), (width, height))


def file_size(path: str | Path, most_bytes: int) -> None:
    """The file is no larger than ``most_bytes``."""
    _most(path, "文件字节数", "bytes in the file", probe(path).bytes, most_bytes)


def cuts(path: str | Path, count: int | None = None, *, at: Sequence[float] | None = None, within: float = 0.1) -> None:
    """The film cuts ``count`` times, or ``at`` these seconds, give or take ``within``."""
    fps = _picture(path).fps
    found = [round(frame / fps, 3) for frame in cut_frames(path)]
    if count is not None:
        _equal(path, f"剪接次数（在 {found} 秒）", f"number of cuts (at {found} s)", len(found), count)
    if at is not None and not (
        len(found) == len(at) and all(abs(got - want) <= within for got, want in zip(found, sorted(at), strict=True))
    ):
        raise _wrong(path, "剪接时刻（秒）", "cuts at seconds", found, sorted(at))


def camera_move(path: str | Path, move: str) -> None:
    """The camera moves as ``move`` says: ``static``, ``pan left``, ``tilt up``, ``push in`` and so on."""
    _equal(path, "运镜", "camera move", seen_in(path).move, move)


def colour(path: str | Path, name: str) -> None:
    """The subject's colour is called ``name``."""
    _equal(path, "主体颜色", "colour of the subject", seen_in(path).colour, name)


def shows(path: str | Path, **wanted: str) -> None:
    """The film shows what is ``wanted`` of ``move``, ``size``, ``subject``, ``colour`` and ``light``."""
    if unknown := set(wanted) - set(MEASURED):
        raise TypeError(f"got {sorted(unknown)}, expected some of {list(MEASURED)}")
    seen = seen_in(path)
    for axis, name in wanted.items():
        _equal(path, axis, axis, getattr(seen, axis), name)


def flicker(path: str | Path, most: float) -> None:
    """The light flickers by no more than ``most`` (0 to 1); a steady fade, a camera move and a cut are no flicker."""
    _most(path, "闪烁", "flicker", flicker_in(path), most)


def loudness(path: str | Path, lufs: float, *, within: float = 1.0, peak: float | None = None) -> None:
    """The sound is as loud as ``lufs`` (EBU R 128) and its true peak at most ``peak`` dBTP."""
    found = loudness_of(path)
    _near(path, "响度（LUFS）", "loudness in LUFS", found.lufs, lufs, within)
    if peak is not None:
        _most(path, "真峰值（dBTP）", "true peak in dBTP", found.peak, peak)


def subtitles(path: str | Path, lines: Sequence[str], *, longest: float | None = None) -> None:
    """The subtitles say ``lines`` one after the other, each for some time, none longer than ``longest`` seconds."""
    cues = subtitles_of(path)
    said = [_folded(cue.text) for cue in cues]
    if said != [_folded(line) for line in lines]:
        raise _wrong(path, "字幕", "subtitles", [cue.text for cue in cues][:20], list(lines)[:20])
    if any(cue.end <= cue.start for cue in cues):
        raise CheckError(
            f"{path}：有字幕的结束时间不晚于开始时间，不会显示出来",
            f"{path}: a subtitle ends when it begins or before, so nobody sees it",
        )
    if any(before.end > after.start + 1e-3 for before, after in pairwise(cues)):
        raise CheckError(f"{path}：字幕在时间上重叠", f"{path}: subtitles overlap in time")
    if longest is not None and cues:
        _most(path, "最长的一条字幕（秒）", "longest subtitle in seconds", max(c.end - c.start for c in cues), longest)


def ai_labels(path: str | Path) -> None:
    """The film carries the visible and the implicit label of AI-made content."""
    labels = read_labels(path)
    if labels.problems:
        zh, en = ("；".join(one.zh for one in labels.problems), "; ".join(one.en for one in labels.problems))
        raise CheckError(f"{path}：{zh}", f"{path}: {en}")


@in_box
def seen_in(path: str | Path) -> Seen:
    """What a film shows in film language."""
    return look_at(read_frames(path, longest_side=LOOK_SIDE))


@in_box
def cut_frames(path: str | Path) -> list[int]:
    """Numbers of the frames that begin a new shot."""
    return find_cuts(read_frames(path, longest_side=CUT_SIDE))


@in_box
def flicker_in(path: str | Path) -> float:
    """How much a film's light flickers, over its shots; the jump from one to the next is meant."""
    frames = read_frames(path, longest_side=CUT_SIDE)
    edges = [0, *find_cuts(frames), len(frames)]
    shots = [frames[first:last] for first, last in pairwise(edges)]
    return sum(len(shot) * flicker_of(shot) for shot in shots) / len(frames)


def _picture(path: str | Path) -> Probe:
    found = probe(path)
    if not found.has_video or found.fps <= 0:
        raise MeasureError(f"{path}：没有画面", f"{path}: it has no picture")
    return found


def _near(path: str | Path, zh: str, en: str, got: float, wanted: float, within: float) -> None:
    if not abs(got - wanted) <= within:
        raise _wrong(path, zh, en, f"{got:.3f}", f"{wanted:g} ± {within:g}")


def _most(path: str | Path, zh: str, en: str, got: float, most: float) -> None:
    if not got <= most:
        raise CheckError(
            f"{path}：{zh}是 {got:g}，应不超过 {most:g}", f"{path}: {en}: got {got:g}, expected at most {most:g}"
        )


def _equal(path: str | Path, zh: str, en: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise _wrong(path, zh, en, got, wanted)


def _wrong(path: str | Path, zh: str, en: str, got: object, wanted: object) -> CheckError:
    return CheckError(f"{path}：{zh}是 {got}，应为 {wanted}", f"{path}: {en}: got {got}, expected {wanted}")


def _folded(text: str) -> str:
    """Words as a viewer reads them: one form of each letter, one space where lines break."""
    return " ".join(unicodedata.normalize("NFKC", text).split())
