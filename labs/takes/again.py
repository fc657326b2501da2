"""Makes a logged take once more from its record alone: the same device must give the same bytes."""

from __future__ import annotations

import platform
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labs.language import LabError, Words
from labs.measure.boxed import in_box
from labs.progress import progress
from labs.provenance import ProvenanceError, Record, check_chain, read_record, record_path, verify
from labs.takes.generate import generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labs.takes.take import Take


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of it; ``got`` is the digest of the film that was made now, empty when none could be."""

    film: str
    expected: str
    got: str
    why: Words | None = None

    @property
    def same(self) -> bool:
        """Whether the take came out byte for byte."""
        return self.got == self.expected


def rerun(film: str | Path) -> Rerun:
    """Hold ``film`` against its record, make it again in a folder of its own, and compare the digests.

    Only takes of the model that is installed can be made again; other records are told apart by ``why``.

    Raises:
        ProvenanceError: film or record is missing, or they do not agree to begin with.
    """
    record = verify(film)
    got, why = digest_again(record_path(film))
    words = Words(f"无法重做：{why}", f"cannot be made again: {why}") if why else None
    return Rerun(str(film), record.output.sha256, got, words)


@in_box
def digest_again(path: str | Path) -> tuple[str, str]:
    """The digest of the film that the record at ``path`` describes, made now; or nothing, and why it cannot be.

    Raises:
        ProvenanceError: it is no record.
    """
    record = read_record(path)
    with tempfile.TemporaryDirectory(prefix="reelwright-rerun-") as folder:
        try:
            made = _again(record, Path(folder) / record.output.file)
        except (LookupError, LabError) as error:
            return "", str(error)
        return made.record.output.sha256, ""


def rerun_sample(folder: str | Path, count: int = 2, *, chosen_by: random.Random | None = None) -> tuple[Rerun, ...]:
    """Make ``count`` of the takes in the chain of ``folder`` again, chosen by chance that nobody can foresee.

    Raises:
        ProvenanceError: there is no chain, it holds no take whose film is here, or a film is not what its record says.
    """
    place = Path(folder)
    here = {film.name: film for film in sorted(place.rglob("*.mp4"))}
    logged = {entry.output.file for entry in check_chain(place).entries if isinstance(entry, Record)}
    films = [film for name, film in here.items() if name in logged and film.with_suffix(".json").is_file()]
    if not films:
        raise ProvenanceError(f"{place}：链中没有可以重做的素材", f"{place}: the chain holds no take to make again")
    chance = chosen_by or random.SystemRandom()
    chosen = chance.sample(films, min(count, len(films)))
    return tuple(rerun(film) for film in progress(chosen, "again"))


def _again(record: Record, film: Path) -> Take:
    """The same take from its record.

    Raises:
        LookupError: the engine or the model it was made with is not the one here.
    """
    asked = record.parameters
    if record.engine == "previs":
        from labs.render.take import engine_sha256, previs  # noqa: PLC0415 - late: torch takes seconds

        if engine_sha256() != record.model.sha256:
            raise LookupError(f"previs {record.model.sha256[:12]}, {platform.node() or 'here'}: {engine_sha256()[:12]}")
        return previs(record.prompt, record.seed, film, frames=asked.frames)
    from labs.model import open_model  # noqa: PLC0415

    if open_model().sha256 != record.model.sha256:
        raise LookupError(f"{record.model.name} {record.model.sha256[:12]}")
    return generate(
        record.prompt,
        record.seed,
        film,
        frames=asked.frames,
        fps=asked.fps,
        steps=asked.steps,
        guidance=asked.guidance,
    )


def all_same(reruns: Sequence[Rerun]) -> bool:
    """Whether every take came out byte for byte, and there was at least one."""
    return bool(reruns) and all(one.same for one in reruns)
