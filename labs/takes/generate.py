"""Makes a take as its profile says: in this lab, on its CPU or its GPU, or by a take server that all labs share."""

from __future__ import annotations

import os
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from labs.language import Words
from labs.model import ModelFolder, model_folder, open_model
from labs.model.profile import CHOSEN_VARIABLE, TakeProfile, take_profile
from labs.provenance import Output, Record, record_take, sha256_of
from labs.provenance.record import Model, Parameters
from labs.takes import pipeline as engine
from labs.takes.allowance import require_payable
from labs.takes.film import write_film
from labs.takes.shared import TakeOrder, order
from labs.takes.take import Take, TakeError, check_seed, film_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def generate(
    prompt: str,
    seed: int,
    path: str | Path,
    *,
    frames: int | None = None,
    fps: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    model: str | Path | None = None,
    profile: str | None = None,
) -> Take:
    """Draw a clip, write it to ``path`` (an ``.mp4``) and its provenance record beside it.

    What is not given comes from the model's own defaults. ``frames`` must be a multiple of the model's frame step plus
    one; ``fps`` is frames a second of the film; ``profile`` says where it is made and with which model, by default the
    one of this lab's machine; ``model`` is a model folder, in place of the profile's.

    Raises:
        TakeError: prompt, seed, frames, path or profile cannot be used, or the take server refused it.
        ModelError: the model folder is missing, incomplete or altered.
        BudgetError: the running session cannot pay for so many frames and steps; nothing was drawn.
    """
    film = film_path(path)
    check_seed(seed)
    name, chosen = (os.environ.get(CHOSEN_VARIABLE, ""), TakeProfile()) if model is not None else take_profile(profile)
    if chosen.where == "shared":
        asked_for = TakeOrder(name, prompt, seed, frames, fps, steps, guidance)
        drawn, record = order(asked_for, film)
    else:
        folder = open_model(model if model is not None else model_folder(chosen.model))
        asked = parameters(folder, frames=frames, fps=fps, steps=steps, guidance=guidance)
        require_payable(folder, chosen, asked)
        drawn, record = draw_film(folder, chosen, prompt, seed, asked, film)
    if record.unknown_words:
        named = ", ".join(record.unknown_words)
        told = Words(f"模型不认识、没有画进去的词：{named}", f"The model does not know, and drew without: {named}")
        print(told)  # noqa: T201 - said where the learner looks, also when the take is not shown
    return Take(drawn, film, record_take(record, film))


def draw_film(
    folder: ModelFolder,
    profile: TakeProfile,
    prompt: str,
    seed: int,
    asked: Parameters,
    film: Path,
    *,
    on_gpu: bool | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.uint8], Record]:
    """Draw and write the film; gives its frames and what is to be recorded of it.

    ``on_gpu`` says whether a GPU must be used; by default the profile's word, and a CPU profile takes none.

    Raises:
        TakeError: prompt or machine cannot be used.
    """
    pipeline = engine.load(folder, profile, on_gpu=profile.where != "cpu" if on_gpu is None else on_gpu)
    unknown = engine.unknown_words(pipeline.tokenizer, prompt)
    started = time.perf_counter()
    drawn = engine.draw(pipeline, folder, prompt, seed, asked, on_step)
    seconds = time.perf_counter() - started
    write_film(drawn, film, fps=asked.fps)
    record = Record(
        prompt=prompt,
        unknown_words=unknown,
        seed=seed,
        model=Model(name=folder.manifest.name, sha256=folder.sha256, trained=folder.manifest.trained),
        parameters=asked,
        output=Output(file=film.name, sha256=sha256_of(film), bytes=film.stat().st_size),
        device=str(pipeline.device),
        seconds=round(seconds, 3),
        made_us=time.time_ns() // 1000,
        software={name: version(name) for name in ("torch", "diffusers", "transformers", "av")},
    )
    return drawn, record


def unknown_words(prompt: str, model: str | Path | None = None) -> tuple[str, ...]:
    """The words of ``prompt`` the model does not know, as they were written, each once.

    Raises:
        TakeError: the prompt is empty or longer than the model reads.
        ModelError: the model folder is missing, incomplete or altered.
    """
    return engine.unknown_words(engine.load(open_model(model), TakeProfile(), on_gpu=False).tokenizer, prompt)


def parameters(
    folder: ModelFolder,
    *,
    frames: int | None = None,
    fps: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
) -> Parameters:
    """What is asked of the sampler, the model's own defaults where nothing is said.

    Raises:
        TakeError: a number is outside of what the model draws.
    """
    clip = folder.manifest.clip
    count = clip.frames if frames is None else frames
    if not 1 <= count <= clip.max_frames or (count - 1) % clip.frame_step:
        raise TakeError(
            f"帧数：得到 {count}，应为 {clip.frame_step} 的倍数加 1，最多 {clip.max_frames}（如 {clip.frames}）",
            f"frames: got {count}, expected a multiple of {clip.frame_step} plus one, "
            f"at most {clip.max_frames} (such as {clip.frames})",
        )
    chosen = Parameters.model_construct(
        width=clip.width,
        height=clip.height,
        frames=count,
        fps=clip.fps if fps is None else fps,
        steps=clip.steps if steps is None else steps,
        guidance=clip.guidance if guidance is None else guidance,
    )
    for name, value, low, high in (
        ("fps", chosen.fps, 1, 60),
        ("steps", chosen.steps, 1, 100),
        ("guidance", chosen.guidance, 0, 20),
    ):
        if not low <= value <= high:
            raise TakeError(
                f"{name}：得到 {value}，应在 {low} 到 {high} 之间", f"{name}: got {value}, expected {low} to {high}"
            )
    return Parameters.model_validate(chosen.model_dump())
