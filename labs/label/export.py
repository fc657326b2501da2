"""Exports a film with both AI labels, frame by frame with its sound, and reads them back from the file itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from pydantic import ValidationError

from labs.label.mark import shows_label, with_label
from labs.label.rule import METADATA_KEY, RULE, Aigc, LabelRule
from labs.language import Words
from labs.measure.boxed import in_box
from labs.measure.film import limited, opened_film
from labs.progress import progress
from labs.provenance.record import ProvenanceError
from labs.provenance.store import log_edit, sha256_of
from labs.takes.film import OPTIONS

if TYPE_CHECKING:
    from labs.provenance.record import Edit

MOVFLAGS = "+faststart+use_metadata_tags"
MAX_METADATA = 10_000


@dataclass(frozen=True, slots=True)
class Labels:
    """What a film's own file says: how many frames from the start show the label, and the implicit label in it."""

    frames: int
    fps: float
    labelled_frames: int
    aigc: Aigc | None
    rule: LabelRule

    @property
    def problems(self) -> tuple[Words, ...]:
        """What is missing, as sentences; empty when both labels are there."""
        wanted = min(self.rule.labelled_frames(self.fps), self.frames)
        found = []
        if self.labelled_frames < wanted:
            found.append(
                Words(
                    f"开头应有 {wanted} 帧显示“{self.rule.text}”，读到 {self.labelled_frames} 帧",
                    f"expected {wanted} frames from the start to show “{self.rule.text}”, found {self.labelled_frames}",
                )
            )
        if self.aigc is None:
            found.append(
                Words(f"文件元数据里没有 {METADATA_KEY}", f"the file's metadata holds no valid {METADATA_KEY} member")
            )
        return tuple(found)


def export_film(
    source: str | Path, target: str | Path, *, producer: str = "", produce_id: str = "", rule: LabelRule = RULE
) -> Edit:
    """Write ``source`` to ``target`` (an ``.mp4``) with both labels, its sound untouched, and note it in the chain.

    ``producer`` is who answers for the content (default: the learner), ``produce_id`` its number there (default: the
    source's digest). What was written is read back before it takes its place.

    Raises:
        ProvenanceError: the labels cannot be read back, or ``target`` is no ``.mp4``.
        MeasureError: ``source`` is no film.
    """
    film, made = Path(source), Path(target)
    if made.suffix.lower() != ".mp4" or made.absolute() == film.absolute():
        raise ProvenanceError(
            f"输出文件：得到 {made}，应为另一个 .mp4 文件", f"target: got {made}, expected another .mp4 file"
        )
    aigc = Aigc(
        ContentProducer=producer or os.environ.get("JUPYTERHUB_USER") or "reelwright",
        ProduceID=produce_id or sha256_of(film),
    )
    made.parent.mkdir(parents=True, exist_ok=True)
    unfinished = made.with_name(f".{made.name}.part")
    try:
        _write(film, unfinished, aigc, rule)
        problems = read_labels(unfinished, rule=rule).problems
        if problems:
            told = [(problem.zh, problem.en) for problem in problems]
            raise ProvenanceError("；".join(zh for zh, _ in told), "; ".join(en for _, en in told))
        unfinished.replace(made)
    finally:
        unfinished.unlink(missing_ok=True)
    return log_edit([film], made, f"labelled: {rule.text}, {METADATA_KEY}")


def read_labels(path: str | Path, *, rule: LabelRule = RULE) -> Labels:
    """Read both labels from a film's own bytes.

    Raises:
        MeasureError: it is no film, or has no picture.
    """
    frames, fps, labelled, written = find_labels(path, rule)
    return Labels(frames, fps, labelled, _implicit(written), rule)


@in_box
def find_labels(path: str | Path, rule: LabelRule) -> tuple[int, float, int, str]:
    """Frames, rate, frames from the start that show the label, and the text of the implicit label as it stands."""
    with opened_film(Path(path)) as container:
        fps = float(container.streams.video[0].average_rate or 0)
        wanted, frames, labelled = rule.labelled_frames(fps), 0, 0
        for frame in limited(container):
            if frames == labelled and frames < wanted and shows_label(frame.to_ndarray(format="rgb24"), rule):
                labelled += 1
            frames += 1
        return frames, fps, labelled, str(container.metadata.get(METADATA_KEY, ""))[: MAX_METADATA + 1]


def _implicit(written: str) -> Aigc | None:
    if len(written) > MAX_METADATA:
        return None
    try:
        return Aigc.model_validate_json(written)
    except ValidationError:
        return None


def _write(source: Path, target: Path, aigc: Aigc, rule: LabelRule) -> None:
    with (
        opened_film(source) as film,
        av.open(str(target), "w", format="mp4", options={"movflags": MOVFLAGS}) as made,
    ):
        made.metadata[METADATA_KEY] = aigc.model_dump_json()
        seen = film.streams.video[0]
        drawn = made.add_stream("libx264", rate=seen.average_rate, options=OPTIONS)
        drawn.width, drawn.height, drawn.pix_fmt = seen.codec_context.width, seen.codec_context.height, "yuv420p"
        heard = {stream.index: made.add_stream_from_template(stream) for stream in film.streams.audio}
        labelled = rule.labelled_frames(float(seen.average_rate))
        count = 0
        parts = seen.frames + sum(stream.frames for stream in film.streams.audio)
        for packet in progress(film.demux(seen, *film.streams.audio), "label", total=parts or None):
            if packet.stream.index in heard:
                _pass_on(packet, heard[packet.stream.index], made)
                continue
            for frame in packet.decode():
                picture = frame.to_ndarray(format="rgb24")
                shown = with_label(picture, rule) if count < labelled else picture
                made.mux(drawn.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
                count += 1
        made.mux(drawn.encode())


def _pass_on(packet: Any, stream: Any, made: Any) -> None:
    # The demuxer ends each stream with an empty packet without times.
    if packet.dts is not None:
        packet.stream = stream
        made.mux(packet)
