"""The house model: its shape, its words, and how weights become a model folder. Stock classes only."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labs.model.folder import ClipDefaults
from labs.model.make import build_tokenizer, let_everyone_read, write_manifest
from labs.render.wish import AXES

if TYPE_CHECKING:
    from pathlib import Path

JOINING = ("shot", "a", "an", "the", "in", "light")
WORDS = frozenset(word for axis in AXES.values() for term in axis for word in re.split(r"\s+", term)) | set(JOINING)
"""Every word that training captions are made of; a prompt's other words are unknown to the model."""


PROMPT_TOKENS = 20
CLIP = ClipDefaults(
    canvas_width=48,
    canvas_height=80,
    width=90,
    height=160,
    enlarge=2,
    frames=17,
    frame_step=4,
    max_frames=17,
    fps=8,
    steps=8,
    guidance=3.0,
)
PATCH = 2
"""Latent cells to a side that the transformer takes together: one token is 16 x 16 pixels of 4 frames."""
SPATIAL, TEMPORAL = 8, 4
"""How many pixels to a side, and frames, make one latent cell."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the parts are."""

    latent_channels: int = 64
    heads: int = 4
    head_width: int = 64
    layers: int = 6
    text_width: int = 64
    time_width: int = 64


HOUSE = Shape()
TINY = Shape(latent_channels=16, heads=2, head_width=16, layers=1, text_width=16, time_width=16)
"""For trying out the training itself; learns nothing worth looking at."""


def build_vae(shape: Shape) -> Any:
    """The autoencoder: ``[N, 3, 1 + 4 t, 8 h, 8 w]`` in -1..1 to ``[N, latent_channels, 1 + t, h, w]`` and back."""
    from diffusers import AutoencoderKLLTXVideo  # noqa: PLC0415 - late: seconds to import

    channels, scaled, none = (shape.latent_channels,) * 4, (True, True, False, False), (0,) * 5
    return AutoencoderKLLTXVideo(
        latent_channels=shape.latent_channels,
        block_out_channels=channels,
        decoder_block_out_channels=channels,
        spatio_temporal_scaling=scaled,
        decoder_spatio_temporal_scaling=scaled,
        layers_per_block=none,
        decoder_layers_per_block=none,
        patch_size=2,
        spatial_compression_ratio=SPATIAL,
        temporal_compression_ratio=TEMPORAL,
    )


def build_text_encoder(shape: Shape) -> Any:
    """A two-layer T5 encoder, learned together with the transformer."""
    from transformers import T5Config, T5EncoderModel  # noqa: PLC0415

    width = shape.text_width
    vocabulary = len(house_tokenizer())
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary,
            d_model=width,
            d_kv=width // 4,
            d_ff=2 * width,
            num_layers=2,
            num_heads=4,
            pad_token_id=0,
            dropout_rate=0.0,
        )
    )


def build_transformer(shape: Shape, *, width: int, height: int, frames: int) -> Any:
    """The denoiser, which predicts the picture in the noise, for films of this many pixels and frames.

    CogVideoX's, because it tells every token where in the clip it is: one that knows distances alone learns to draw a
    figure in its place far more slowly.
    """
    from diffusers import CogVideoXTransformer3DModel  # noqa: PLC0415

    return CogVideoXTransformer3DModel(
        in_channels=shape.latent_channels,
        out_channels=shape.latent_channels,
        num_attention_heads=shape.heads,
        attention_head_dim=shape.head_width,
        num_layers=shape.layers,
        time_embed_dim=shape.time_width,
        text_embed_dim=shape.text_width,
        max_text_seq_length=PROMPT_TOKENS,
        patch_size=PATCH,
        sample_width=width // SPATIAL,
        sample_height=height // SPATIAL,
        sample_frames=frames,
        temporal_compression_ratio=TEMPORAL,
        spatial_interpolation_scale=1.0,
    )


def build_pipeline(vae: Any, text_encoder: Any, transformer: Any) -> Any:
    """The parts as one CogVideoXPipeline with the house tokenizer and a second-order sampler."""
    from diffusers import CogVideoXPipeline, DPMSolverMultistepScheduler  # noqa: PLC0415

    return CogVideoXPipeline(
        scheduler=DPMSolverMultistepScheduler(prediction_type="sample", use_flow_sigmas=True, flow_shift=3.0),
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=house_tokenizer(),
        transformer=transformer.eval(),
    )


def house_tokenizer() -> Any:
    """The tokenizer of the words that training captions are made of."""
    return build_tokenizer(WORDS, PROMPT_TOKENS)


def write_candidate(pipeline: Any, folder: Path, about: dict[str, Any]) -> None:
    """Save ``pipeline``, in an earlier candidate's place, as the model folder ``house-candidate``.

    Only ``labs.model.release`` gives it its name.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    # Half the size on disk; takes load it in single precision again.
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.bfloat16()
    pipeline.save_pretrained(str(folder), safe_serialization=True)
    told = "\n".join(f"- {name}: {value}" for name, value in about.items())
    (folder / "README.md").write_text(f"{CANDIDATE_CARD}\n{told}\n", encoding="utf-8")
    write_manifest(folder, name="house-candidate", pipeline="CogVideoXPipeline", trained=True, clip=CLIP)
    let_everyone_read(folder)


CANDIDATE_CARD = """# house-candidate

A text-to-video model in training. It has not passed the release gate: do not judge a learner's prompt by it.

训练中的文生视频模型，尚未通过发布门槛：请不要用它的画面评判学员的提示词。
"""
