"""The house model: its shape, its words, and how weights become a model folder. Stock classes only."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labs.model.make import CLIP, PROMPT_TOKENS, build_tokenizer, let_everyone_read, write_manifest
from labs.render.wish import AXES

if TYPE_CHECKING:
    from pathlib import Path

JOINING = ("shot", "a", "an", "the", "in", "light")
WORDS = frozenset(word for axis in AXES.values() for term in axis for word in re.split(r"\s+", term)) | set(JOINING)
"""Every word that training captions are made of; a prompt's other words are unknown to the model."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the parts are. Latents are 16 times smaller than the picture in space, 8 times in time."""

    channels: tuple[int, int, int, int] = (24, 32, 48, 64)
    latent_channels: int = 16
    heads: int = 4
    head_width: int = 32
    layers: int = 6
    text_width: int = 64


HOUSE = Shape()
TINY = Shape(channels=(8, 8, 8, 8), latent_channels=8, heads=2, head_width=16, layers=1, text_width=16)
"""For trying out the training itself; learns nothing worth looking at."""


def build_vae(shape: Shape) -> Any:
    """The autoencoder: ``[N, 3, 1 + 8 t, 16 h, 16 w]`` in -1..1 to ``[N, latent_channels, 1 + t, h, w]`` and back."""
    from diffusers import AutoencoderKLLTXVideo  # noqa: PLC0415 - late: seconds to import

    return AutoencoderKLLTXVideo(
        latent_channels=shape.latent_channels,
        block_out_channels=shape.channels,
        decoder_block_out_channels=shape.channels,
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        patch_size=2,
    )


def build_text_encoder(shape: Shape) -> Any:
    """A two-layer T5 encoder, learned together with the transformer."""
    from transformers import T5Config, T5EncoderModel  # noqa: PLC0415

    width = shape.text_width
    vocabulary = len(build_tokenizer(WORDS))
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


def build_transformer(shape: Shape) -> Any:
    """The denoiser, which predicts noise minus picture for every latent cell."""
    from diffusers import LTXVideoTransformer3DModel  # noqa: PLC0415

    return LTXVideoTransformer3DModel(
        in_channels=shape.latent_channels,
        out_channels=shape.latent_channels,
        num_attention_heads=shape.heads,
        attention_head_dim=shape.head_width,
        cross_attention_dim=shape.heads * shape.head_width,
        num_layers=shape.layers,
        caption_channels=shape.text_width,
    )


def build_pipeline(vae: Any, text_encoder: Any, transformer: Any) -> Any:
    """The parts as one LTXPipeline with the house tokenizer."""
    from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline  # noqa: PLC0415

    return LTXPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=build_tokenizer(WORDS),
        transformer=transformer.eval(),
    )


def write_candidate(pipeline: Any, folder: Path, about: dict[str, Any]) -> None:
    """Save ``pipeline`` as a model folder called ``house-candidate``; only ``labs.model.release`` gives it its name."""
    folder.mkdir(parents=True, exist_ok=True)
    pipeline.save_pretrained(str(folder), safe_serialization=True)
    told = "\n".join(f"- {name}: {value}" for name, value in about.items())
    (folder / "README.md").write_text(f"{CANDIDATE_CARD}\n{told}\n", encoding="utf-8")
    write_manifest(folder, name="house-candidate", trained=True, clip=CLIP)
    let_everyone_read(folder)


def described(shape: Shape) -> dict[str, Any]:
    """The shape as plain data, the prompt length included."""
    return asdict(shape) | {"prompt_tokens": PROMPT_TOKENS}


CANDIDATE_CARD = """# house-candidate

A text-to-video model in training. It has not passed the release gate: do not judge a learner's prompt by it.

训练中的文生视频模型，尚未通过发布门槛：请不要用它的画面评判学员的提示词。
"""
