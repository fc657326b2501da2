"""How loud a film is, by EBU R 128 (ITU-R BS.1770 gated loudness), from its own file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from labs.measure.boxed import MeasureError, in_box
from labs.measure.film import MAX_SECONDS, opened_media

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT = -70.0
"""LUFS at the gate: quieter is silence."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """``lufs``: integrated loudness; ``peak``: true peak in dBTP; ``seconds`` of sound."""

    lufs: float
    peak: float
    seconds: float


@in_box
def loudness(path: str | Path) -> Loudness:
    """Measure the first sound of a film.

    Raises:
        MeasureError: there is no such file, it cannot be read, has no sound, or too much of it.
    """
    file = Path(path)
    told: dict[str, str] = {}
    seconds = 0.0
    with opened_media(file) as container:
        if not container.streams.audio:
            raise MeasureError(f"{file}：没有声音", f"{file}: it has no sound")
        for frame in container.decode(audio=0):
            if not seconds:
                graph = _meter(frame)
            seconds += frame.samples / frame.sample_rate
            if seconds > MAX_SECONDS:
                raise MeasureError(
                    f"{file}：声音超过 {MAX_SECONDS} 秒", f"{file}: got more than {MAX_SECONDS} seconds of sound"
                )
            frame.pts = None
            graph.push(frame)
            for metered in _pulled(graph):
                told = dict(metered.metadata)
    peak = float(told.get("lavfi.r128.true_peak", 0.0))
    return Loudness(
        lufs=float(told.get("lavfi.r128.I", SILENT)),
        peak=20 * math.log10(peak) if peak > 0 else -math.inf,
        seconds=seconds,
    )


def _meter(frame: Any) -> Any:
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format.name, layout=frame.layout.name, time_base=frame.time_base
    )
    meter = graph.add("ebur128", "metadata=1:peak=true")
    source.link_to(meter)
    meter.link_to(graph.add("abuffersink"))
    graph.configure()
    return graph


def _pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
