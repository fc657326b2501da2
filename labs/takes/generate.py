"""Generates a take with a diffusers pipeline loaded from a local folder; nothing is fetched from a network."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from labs.model import ModelFolder, open_model
from labs.provenance import Output, Record, record_take, sha256_of
from labs.provenance.record import Model, Parameters
from labs.takes.film import write_film
from labs.takes.take import Take, TakeError, check_seed, film_path

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

THREADS_VARIABLE = "REELWRIGHT_THREADS"


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
) -> Take:
    """Draw a clip, write it to ``path`` (an ``.mp4``) and its provenance record beside it.

    What is not given comes from the model's own defaults. ``frames`` must be a multiple of the model's frame step plus
    one; ``fps`` is frames a second of the film; ``model`` is a model folder, by default the house model.

    Raises:
        TakeError: prompt, seed, frames or path cannot be used.
        ModelError: the model folder is missing, incomplete or altered.
    """
    folder = open_model(model)
    film = film_path(path)
    asked = _parameters(folder, frames=frames, fps=fps, steps=steps, guidance=guidance)
    check_seed(seed)
    pipeline = _pipeline(folder)
    unknown = _unknown_words(pipeline.tokenizer, prompt)
    started = time.perf_counter()
    drawn = _draw(pipeline, folder, prompt, seed, asked)
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
    return Take(drawn, film, record_take(record, film))


def unknown_words(prompt: str, model: str | Path | None = None) -> tuple[str, ...]:
    """The words of ``prompt`` the model does not know, as they were written, each once.

    Raises:
        TakeError: the prompt is empty or longer than the model reads.
        ModelError: the model folder is missing, incomplete or altered.
    """
    return _unknown_words(_pipeline(open_model(model)).tokenizer, prompt)


def _parameters(
    folder: ModelFolder, *, frames: int | None, fps: int | None, steps: int | None, guidance: float | None
) -> Parameters:
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


@lru_cache(maxsize=1)
def _loaded(path: str, _sha256: str, pipeline_class: str) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Idle OpenMP threads that spin would eat the neighbours' cores on a shared machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import diffusers  # noqa: PLC0415 - late: seconds to import
    import torch  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    diffusers.utils.logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(int(os.environ.get(THREADS_VARIABLE, "1")))
    pipeline = getattr(diffusers, pipeline_class).from_pretrained(path, local_files_only=True, use_safetensors=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipeline.set_progress_bar_config(disable=True)
    # A lab sees a GPU only when its profile has one; the noise is drawn on the CPU either way, so a seed stays a seed.
    return pipeline.to("cuda") if torch.cuda.is_available() else pipeline


def _pipeline(folder: ModelFolder) -> Any:
    return _loaded(str(folder.path.resolve()), folder.sha256, folder.manifest.pipeline)


def _unknown_words(tokenizer: Any, prompt: str) -> tuple[str, ...]:
    if not isinstance(prompt, str) or not prompt.strip():
        raise TakeError(f"提示词：得到 {prompt!r}，应为文字", f"prompt: got {prompt!r}, expected words")
    encoded = tokenizer.backend_tokenizer.encode(prompt, add_special_tokens=False)
    if len(encoded.ids) > tokenizer.model_max_length:
        raise TakeError(
            f"提示词：得到 {len(encoded.ids)} 个词，模型最多读 {tokenizer.model_max_length} 个",
            f"prompt: got {len(encoded.ids)} words, the model reads at most {tokenizer.model_max_length}",
        )
    found = (
        prompt[start:end]
        for number, (start, end) in zip(encoded.ids, encoded.offsets, strict=True)
        if number == tokenizer.unk_token_id
    )
    return tuple(dict.fromkeys(found))


def _draw(pipeline: Any, folder: ModelFolder, prompt: str, seed: int, asked: Parameters) -> NDArray[np.uint8]:
    """Run the sampler and keep the middle of the canvas: ``uint8[frames, height, width, 3]``."""
    import torch  # noqa: PLC0415 - late: seconds to import

    clip = folder.manifest.clip
    with torch.inference_mode():
        film = pipeline(
            prompt=prompt,
            negative_prompt="",
            width=clip.canvas_width,
            height=clip.canvas_height,
            num_frames=asked.frames,
            frame_rate=asked.fps,
            num_inference_steps=asked.steps,
            guidance_scale=asked.guidance,
            max_sequence_length=pipeline.tokenizer.model_max_length,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
        ).frames[0]
    left = (clip.canvas_width - clip.width) // 2
    top = (clip.canvas_height - clip.height) // 2
    middle = film[:, top : top + clip.height, left : left + clip.width]
    drawn: NDArray[np.uint8] = (middle * 255).round().astype("uint8")
    return drawn
