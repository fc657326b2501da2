"""Loads a model folder's diffusers pipeline as a profile says, and draws with it; nothing is fetched from a network."""

from __future__ import annotations

import inspect
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from labs.progress import bar_settings
from labs.takes.take import TakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from labs.model import ModelFolder
    from labs.model.profile import TakeProfile
    from labs.provenance.record import Parameters

THREADS_VARIABLE = "REELWRIGHT_THREADS"
MOST_PROMPT_TOKENS = 512


def load(folder: ModelFolder, profile: TakeProfile, *, on_gpu: bool) -> Any:
    """The pipeline, loaded once a process.

    Raises:
        TakeError: the profile needs a GPU and this machine has none.
    """
    if on_gpu and not has_gpu():
        raise TakeError(
            "此配置需要 GPU，而这个实验环境没有；请启动带 GPU 的实验，或用 profile='cpu'",
            "this profile needs a GPU and this lab has none; start a lab that has one, or ask for profile='cpu'",
        )
    return _loaded(str(folder.path.resolve()), folder.sha256, folder.manifest.pipeline, profile, on_gpu)


def has_gpu() -> bool:
    """Whether torch finds a GPU here."""
    import torch  # noqa: PLC0415 - late: seconds to import

    return bool(torch.cuda.is_available())


@lru_cache(maxsize=1)
def _loaded(path: str, _sha256: str, pipeline_class: str, profile: TakeProfile, on_gpu: bool) -> Any:  # noqa: FBT001
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Idle OpenMP threads that spin would eat the neighbours' cores on a shared machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import diffusers  # noqa: PLC0415 - late: seconds to import
    import torch  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    diffusers.utils.logging.disable_progress_bar()
    # The house model joins parts of two stock pipelines, which diffusers would remark on at every load.
    diffusers.utils.logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(int(os.environ.get(THREADS_VARIABLE, "1")))
    pipeline = getattr(diffusers, pipeline_class).from_pretrained(
        path, local_files_only=True, use_safetensors=True, dtype=getattr(torch, profile.dtype)
    )
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipeline.set_progress_bar_config(**bar_settings())
    if profile.compile:
        pipeline.transformer = torch.compile(pipeline.transformer)
    return _placed(pipeline, profile) if on_gpu else pipeline


def _placed(pipeline: Any, profile: TakeProfile) -> Any:
    if profile.offload == "model":
        pipeline.enable_model_cpu_offload()
    elif profile.offload == "sequential":
        pipeline.enable_sequential_cpu_offload()
    else:
        pipeline.to("cuda")
    return pipeline


def unknown_words(tokenizer: Any, prompt: str) -> tuple[str, ...]:
    """The words of a prompt that the tokenizer does not know, as they were written, each once.

    Raises:
        TakeError: no words, or more than the model reads.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise TakeError(f"提示词：得到 {prompt!r}，应为文字", f"prompt: got {prompt!r}, expected words")
    encoded = tokenizer.backend_tokenizer.encode(prompt, add_special_tokens=False)
    most = _most_tokens(tokenizer)
    if len(encoded.ids) > most:
        raise TakeError(
            f"提示词：得到 {len(encoded.ids)} 个词，模型最多读 {most} 个",
            f"prompt: got {len(encoded.ids)} words, the model reads at most {most}",
        )
    found = (
        prompt[start:end]
        for number, (start, end) in zip(encoded.ids, encoded.offsets, strict=True)
        if number == tokenizer.unk_token_id
    )
    return tuple(dict.fromkeys(found))


def draw(
    pipeline: Any,
    folder: ModelFolder,
    prompt: str,
    seed: int,
    asked: Parameters,
    on_step: Callable[[int], None] | None = None,
) -> NDArray[np.uint8]:
    """Run the sampler and keep the middle of the canvas: ``uint8[frames, height, width, 3]``.

    ``on_step`` hears how many steps are done; what it raises ends the drawing.
    """
    import torch  # noqa: PLC0415 - late: seconds to import

    clip = folder.manifest.clip
    asked_for = {
        "prompt": prompt,
        "negative_prompt": "",
        "width": clip.canvas_width,
        "height": clip.canvas_height,
        "num_frames": asked.frames,
        "frame_rate": asked.fps,
        "num_inference_steps": asked.steps,
        "guidance_scale": asked.guidance,
        "max_sequence_length": _most_tokens(pipeline.tokenizer),
        # The noise is drawn on the CPU wherever the model runs, so that a seed stays a seed.
        "generator": torch.Generator("cpu").manual_seed(seed),
        "output_type": "pt",
        "callback_on_step_end": _telling(on_step),
    }
    taken = inspect.signature(pipeline.__call__).parameters
    with torch.inference_mode():
        film = pipeline(**{name: value for name, value in asked_for.items() if name in taken}).frames[0].float().cpu()
        if clip.enlarge > 1:
            film = torch.nn.functional.interpolate(film, scale_factor=clip.enlarge, mode="bicubic").clamp(0, 1)
    top, left = (film.shape[2] - clip.height) // 2, (film.shape[3] - clip.width) // 2
    middle = film[:, :, top : top + clip.height, left : left + clip.width].permute(0, 2, 3, 1).numpy()
    drawn: NDArray[np.uint8] = (middle * 255).round().astype("uint8")
    return drawn


def _most_tokens(tokenizer: Any) -> int:
    # Some tokenizers state no limit, which the library writes as a number beyond all others.
    return min(int(tokenizer.model_max_length), MOST_PROMPT_TOKENS)


def _telling(on_step: Callable[[int], None] | None) -> Callable[..., dict[str, Any]] | None:
    if on_step is None:
        return None

    def told(_pipeline: Any, step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
        on_step(step + 1)
        return values

    return told
