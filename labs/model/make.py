"""Puts the house model into a folder: the released weights where this package holds them, else the plumbing model.

    python -m labs.model.make FOLDER

The plumbing model is a diffusers LTXPipeline with random weights. It is untrained on purpose: its pictures are noise.
It stands where the house model will stand, so that all around a model (folder, digest, pipeline, film, provenance) is
real. Same seed, same bytes: making it twice gives one digest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.language import LabError
from labs.model.folder import MANIFEST, ClipDefaults, FileEntry, Manifest, ModelFolder, file_sha256, open_model
from labs.model.vocabulary import PAD, UNKNOWN, chinese_terms, words

if TYPE_CHECKING:
    from collections.abc import Callable, Container

RELEASED = Path(__file__).with_name("weights")
"""Where labs.model.release puts the weights that this package carries; not there while none has passed the gate."""
NAME = "plumbing-1"
SEED = 20_260_101
PROMPT_TOKENS = 32
TEXT_WIDTH = 32
LATENT_CHANNELS = 16
CLIP = ClipDefaults(
    canvas_width=96,
    canvas_height=160,
    width=90,
    height=160,
    frames=17,
    frame_step=8,
    max_frames=49,
    fps=8,
    steps=8,
    guidance=3.0,
)

CARD = """# plumbing-1

**An untrained model. Its pictures are noise. 未经训练的模型，画面只是噪点。**

The weights of this text-to-video pipeline are random numbers (seed {seed}); it has learned nothing from any film.
It exists so that labs can exercise the whole way of a take on a CPU in seconds: prompt, sampler, decoder, MP4,
provenance record. Nobody may judge a prompt by its pictures, and no certificate may speak of their quality.

这个文生视频管线的权重是随机数（种子 {seed}），没有从任何影片中学习。它的用途只有一个：让实验在 CPU 上几秒内走完
生成一条素材的全过程（提示词、采样、解码、MP4、来源记录）。请不要用它的画面评判提示词。

- Pipeline: diffusers `LTXPipeline`, stock classes only, `from_pretrained` with `local_files_only=True`
- Draws {canvas_width} x {canvas_height}, keeps the middle {width} x {height} (9:16), {frames} frames at {fps} a second
- Frame counts: a multiple of {frame_step} plus one
- Words it knows: {words}
- Licence: Apache-2.0, like the script that made it
- Made by: `python -m labs.model.make`
"""


def install_model(folder: str | Path, released: Path = RELEASED) -> ModelFolder:
    """Put the released house model in ``folder``, or the plumbing model while none is released.

    A plumbing model that an earlier version left there gives way to a released one; any other model stays.

    Raises:
        ModelError: ``folder`` exists but holds no unaltered model (nothing in it is touched), or ``released`` does not.
    """
    if not released.exists():
        return make_model(folder)
    open_model(released)
    target = Path(folder).absolute()
    there = _already(target)
    if there and there.manifest.name != NAME:
        return there
    return _filled(target, lambda workshop: shutil.copytree(released, workshop, dirs_exist_ok=True))


def make_model(folder: str | Path) -> ModelFolder:
    """Make the plumbing model in ``folder``, unless an unaltered model is there already.

    Raises:
        ModelError: ``folder`` exists but holds no unaltered model; nothing in it is touched.
    """
    target = Path(folder).absolute()
    return _already(target) or _filled(target, _make_plumbing)


def _already(target: Path) -> ModelFolder | None:
    return open_model(target) if target.exists() and any(target.iterdir()) else None


def _filled(target: Path, fill: Callable[[Path], object]) -> ModelFolder:
    """Have a folder filled beside ``target`` and rename it when whole: an interrupted run leaves nothing half made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        made = workshop / "made"
        made.mkdir()
        fill(made)
        let_everyone_read(made)
        if target.exists():
            target.replace(workshop / "before")
        made.replace(target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return open_model(target)


def _make_plumbing(workshop: Path) -> None:
    _write_pipeline(workshop)
    (workshop / "README.md").write_text(_card(), encoding="utf-8")
    write_manifest(workshop, name=NAME, pipeline="LTXPipeline", trained=False, clip=CLIP)


def build_tokenizer(known: Container[str] | None = None, longest: int = PROMPT_TOKENS) -> Any:
    """A word-level tokenizer over the film vocabulary, or those words of it that a model learned.

    Any other word becomes one ``<unk>``; ``longest`` is how many words a prompt may have.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers  # noqa: PLC0415 - late: seconds to import
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    numbers = {word: number for number, word in enumerate((PAD, UNKNOWN, *words(known)))}
    inner = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    inner.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            *(normalizers.Replace(term, f" {word} ") for term, word in chinese_terms(known)),
        ]
    )
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(behavior="removed")]
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=PAD, unk_token=UNKNOWN, model_max_length=longest)


def build_pipeline() -> Any:
    """The whole pipeline with seeded random weights, in evaluation mode."""
    import torch  # noqa: PLC0415 - late: seconds to import
    from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline  # noqa: PLC0415

    tokenizer = build_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return LTXPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=_vae().eval(),
            text_encoder=_text_encoder(len(tokenizer)).eval(),
            tokenizer=tokenizer,
            transformer=_transformer().eval(),
        )


def _vae() -> Any:
    from diffusers import AutoencoderKLLTXVideo  # noqa: PLC0415

    return AutoencoderKLLTXVideo(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(16, 32, 32, 32),
        decoder_block_out_channels=(16, 32, 32, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        patch_size=2,
    )


def _text_encoder(vocabulary: int) -> Any:
    from transformers import T5Config, T5EncoderModel  # noqa: PLC0415

    config = T5Config(
        vocab_size=vocabulary, d_model=TEXT_WIDTH, d_kv=16, d_ff=64, num_layers=2, num_heads=2, pad_token_id=0
    )
    return T5EncoderModel(config)


def _transformer() -> Any:
    from diffusers import LTXVideoTransformer3DModel  # noqa: PLC0415

    return LTXVideoTransformer3DModel(
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_attention_heads=4,
        attention_head_dim=16,
        cross_attention_dim=64,
        num_layers=2,
        caption_channels=TEXT_WIDTH,
    )


def _write_pipeline(folder: Path) -> None:
    build_pipeline().save_pretrained(str(folder), safe_serialization=True)


def _card() -> str:
    return CARD.format(seed=SEED, words=", ".join(words()), **CLIP.model_dump())


def write_manifest(folder: Path, *, name: str, pipeline: str, trained: bool, clip: ClipDefaults) -> None:
    """List every file of ``folder`` with its digest in the manifest that makes it a model folder."""
    files = {
        file.relative_to(folder).as_posix(): FileEntry(sha256=file_sha256(file), bytes=file.stat().st_size)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    manifest = Manifest(name=name, pipeline=pipeline, trained=trained, clip=clip, files=files)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def let_everyone_read(folder: Path) -> None:
    """Open ``folder`` for reading to every user of the machine."""
    # Learners' labs run under their own uids, and safetensors writes its files for the owner alone.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def main(arguments: list[str] | None = None) -> int:
    """Put the model in place from the command line and print its name and digest; 1 when the folder cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m labs.model.make", description=__doc__)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        made = install_model(asked.folder)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to a person
        return 1
    print(f"{made.path}: {made.manifest.name}, sha256 {made.sha256}")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
