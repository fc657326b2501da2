"""Sound for a cut: ``float32[samples]`` in -1..1, mono, 48,000 samples a second."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from labs.edit.cut import EditError, film_target
from labs.measure.boxed import MeasureError, in_box
from labs.measure.film import opened_film, opened_media
from labs.provenance.store import log_edit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

RATE = 48_000
SILENT = -69.0
"""LUFS: below the meter's own gate nothing counts as heard."""
PEAK = 10 ** (-1 / 20)
"""The highest sample that is left: -1 dBFS, so that AAC does not clip."""
FADE_SECONDS = 0.01
MAX_SECONDS = 600.0
_CHUNK = 1024
_METERED = 4800


def tone(hertz: float, seconds: float, level: float = -20.0) -> Sound:
    """A sine of ``level`` dBFS peak, its ends faded over a hundredth of a second so that they do not click."""
    count = _samples(seconds)
    wave = 10 ** (level / 20) * np.sin(2 * np.pi * hertz * np.arange(count) / RATE)
    ends = np.minimum(np.arange(count), np.arange(count)[::-1]) / (FADE_SECONDS * RATE)
    return (wave * np.clip(ends, 0, 1)).astype(np.float32)


def room_tone(seconds: float, level: float = -45.0, seed: int = 0) -> Sound:
    """The soft noise of an empty room, ``level`` dBFS RMS: without it a cut between two shots can be heard."""
    noise = np.random.default_rng(seed).standard_normal(_samples(seconds) + 32)
    soft = np.convolve(noise, np.ones(33) / 33, "valid")
    return (soft / soft.std() * 10 ** (level / 20)).astype(np.float32)


def mix(cues: Iterable[tuple[float, Sound]], seconds: float) -> Sound:
    """Add sounds up, each from its own second on; what reaches past ``seconds`` is cut off.

    Raises:
        EditError: a cue begins before 0 or after the end.
    """
    mixed = np.zeros(_samples(seconds), np.float32)
    for start, sound in cues:
        first = round(start * RATE)
        if not 0 <= first < len(mixed):
            raise EditError(
                f"声音起点：得到 {start} 秒，应在 0 到 {seconds} 之间", f"cue: got {start} s, expected 0 to {seconds} s"
            )
        mixed[first : first + len(sound)] += sound[: len(mixed) - first]
    return mixed


def to_loudness(sound: Sound, lufs: float) -> Sound:
    """The same sound at ``lufs`` (EBU R 128 integrated); peaks above -1 dBFS are bent, not cut.

    Raises:
        EditError: it is silent: no gain makes silence loud.
    """
    measured = sound_loudness(sound)
    if measured is None:
        raise EditError("声音是静音，无法调整响度", "the sound is silent: it cannot be brought to a loudness")
    louder = sound * np.float32(10 ** ((lufs - measured) / 20))
    over = np.abs(louder) > PEAK
    louder[over] = PEAK * np.tanh(louder[over] / PEAK)
    return louder


@in_box
def read_sound(path: str | Path) -> Sound:
    """The sound of a film or sound file, mixed to mono at 48 kHz.

    Raises:
        MeasureError: there is no such file, it cannot be read, or has no sound or too much of it.
    """
    file, parts, count = Path(path), [], 0
    with opened_media(file) as container:
        if not container.streams.audio:
            raise MeasureError(f"{file}：文件里没有声音", f"{file}: the file has no sound")
        to_mono = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        for frame in chain(container.decode(audio=0), [None]):
            for part in to_mono.resample(frame):
                parts.append(part.to_ndarray()[0])
                count += part.samples
                if count > MAX_SECONDS * RATE:
                    raise MeasureError(
                        f"{file}：声音超过 {MAX_SECONDS:g} 秒", f"{file}: more than {MAX_SECONDS:g} s of sound"
                    )
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


def sound_loudness(sound: Sound) -> float | None:
    """Integrated loudness (EBU R 128) in LUFS; None for silence, or less than the 0.4 s that the meter needs."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="fltp", layout="mono", time_base=f"1/{RATE}")
    meter = graph.add("ebur128", "metadata=1:framelog=quiet")
    source.link_to(meter)
    meter.link_to(graph.add("abuffersink"))
    graph.configure()
    found = SILENT - 1
    for first in range(0, len(sound), _METERED):
        part = np.ascontiguousarray(sound[None, first : first + _METERED], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, first
        graph.push(frame)
        for measured in _pulled(graph):
            found = float(measured.metadata.get("lavfi.r128.I", found))
    return found if found > SILENT else None


def add_sound(film: str | Path, sound: Sound, target: str | Path, *, what: str = "sound") -> Path:
    """Put ``sound`` under the picture of ``film`` (left as it is) as AAC, write ``target``, note it in the chain.

    Raises:
        MeasureError: ``film`` is no film.
        EditError: ``target`` is no ``.mp4``.
    """
    source, made = Path(film), film_target(target)
    unfinished = made.with_name(f".{made.name}.part")
    with (
        opened_film(source) as read,
        av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        seen = read.streams.video[0]
        picture = container.add_stream_from_template(seen)
        heard = container.add_stream("aac", rate=RATE, layout="mono")
        for packet in read.demux(seen):
            # The demuxer ends a stream with an empty packet without times.
            if packet.dts is not None:
                packet.stream = picture
                container.mux(packet)
        for first in range(0, len(sound), _CHUNK):
            part = av.AudioFrame.from_ndarray(sound[None, first : first + _CHUNK].copy(), format="fltp", layout="mono")
            part.sample_rate, part.pts = RATE, first
            container.mux(heard.encode(part))
        container.mux(heard.encode())
    unfinished.replace(made)
    log_edit([source], made, what)
    return made


def _samples(seconds: float) -> int:
    if not 0 < seconds <= MAX_SECONDS:
        raise EditError(
            f"时长：得到 {seconds} 秒，应在 0 到 {MAX_SECONDS:g} 之间",
            f"got {seconds} s of sound, expected more than 0 and at most {MAX_SECONDS:g}",
        )
    return round(seconds * RATE)


def _pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
