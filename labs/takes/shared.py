"""Asks a take server for a take: shows the place in the queue, then the steps, and brings the film back."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from labs.exchange.answers import IntakeError
from labs.exchange.client import Intake
from labs.language import Words
from labs.measure.film import read_frames
from labs.takes.take import TakeError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from labs.exchange.answers import OrderedTake
    from labs.provenance import Record

LOOK_EVERY_SECONDS = 1.0
UNKNOWN_STEPS = 1


@dataclass(frozen=True, slots=True)
class TakeOrder:
    """What a take server is asked for; what is None comes from the model's own defaults."""

    profile: str
    prompt: str
    seed: int
    frames: int | None = None
    fps: int | None = None
    steps: int | None = None
    guidance: float | None = None


def order(asked: TakeOrder, film: Path) -> tuple[NDArray[np.uint8], Record]:
    """Wait until the take is made and put it at ``film``; stopping the cell takes it out of the queue.

    Raises:
        TakeError: the server refused or could not make it; the message says why and what to do.
    """
    try:
        with Intake.from_environment() as intake:
            ordered = intake.order_take(asdict(asked))
            try:
                done = _wait(intake, ordered)
            except BaseException:
                intake.cancel_take(ordered.id)
                raise
            content = intake.take_film(ordered.id)
    except IntakeError as error:
        raise TakeError(error.words.zh, error.words.en) from error
    if done.record is None or hashlib.sha256(content).hexdigest() != done.record.output.sha256:
        raise TakeError("镜头文件在传输中损坏，请再试一次", "the film arrived damaged; ask for it again")
    unfinished = film.with_name(f".{film.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(film)
    made = done.record
    return read_frames(film), made.model_copy(update={"output": made.output.model_copy(update={"file": film.name})})


def _wait(intake: Intake, ordered: OrderedTake) -> OrderedTake:
    with tqdm(total=ordered.steps or UNKNOWN_STEPS, unit="step", leave=False) as bar:
        while ordered.state in ("waiting", "running"):
            bar.set_description_str(_words(ordered))
            bar.n = ordered.step
            bar.refresh()
            time.sleep(LOOK_EVERY_SECONDS)
            ordered = intake.ordered_take(ordered.id)
    if ordered.state != "done":
        why = ordered.why
        raise TakeError(why.zh or "镜头没有生成", why.en or "the take was not made")
    return ordered


def _words(ordered: OrderedTake) -> str:
    if ordered.state == "running":
        return str(Words("正在生成", "Drawing"))
    wait = max(1, round(ordered.wait_seconds / 60))
    return str(
        Words(
            f"排队中，前面还有 {ordered.ahead} 个，约 {wait} 分钟",
            f"Waiting: {ordered.ahead} before you, about {wait} min",
        )
    )
