"""The stages of training: the autoencoder is computed from clips, the transformer learns to find pictures in noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from labs.model import patches
from labs.model.captions import caption_for
from labs.model.checkpoint import Progress, rate_at
from labs.model.house import PROMPT_TOKENS, build_text_encoder, build_transformer, build_vae, house_tokenizer
from labs.model.settings import FITTED_FROM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from labs.model.examples import Examples
    from labs.model.settings import Settings

SAVE_SECONDS = 120.0
TOLD_EVERY = 50
TIMES = 1000
"""The scheduler's times run from 0 to this."""
CLEAREST = 0.05
"""Bounds how much the nearly noiseless examples count."""


def fit_vae(work: Path, examples: Examples, say: Callable[[str], None]) -> Any:
    """Compute the autoencoder, or read the one that was computed before."""
    settings, file = examples.settings, work / "vae.pt"
    vae = build_vae(settings.shape).to(examples.device).eval()
    if file.exists():
        vae.load_state_dict(torch.load(file, map_location=examples.device, weights_only=True))
        return vae
    numbers = range(FITTED_FROM, FITTED_FROM + settings.fitted)
    patches.fit(vae, torch.cat([examples.clips(numbers[at : at + 16]) for at in range(0, len(numbers), 16)]))
    torch.save(vae.state_dict(), file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)
    say(f"autoencoder: computed from {settings.fitted} clips")
    return vae


def train_flow(work: Path, examples: Examples, bank: torch.Tensor, say: Callable[[str], None]) -> tuple[Any, Any]:
    """Train text encoder and transformer to the last step; returns their running averages."""
    settings = examples.settings
    progress = _begun(work, examples)
    modules, optimisers = progress.modules, progress.optimisers
    tokenizer = house_tokenizer()
    told: list[float] = []
    chances = examples.chances(len(bank))
    while progress.step < settings.steps:
        part = rate_at(progress.step, settings.steps)
        for optimiser, rate in zip(optimisers, (settings.muon_rate, settings.rate), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * part
        loss = _flow_loss(modules, tokenizer, examples, bank, chances, progress.step)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([value for module in modules.values() for value in module.parameters()], 1.0)
        for optimiser in optimisers:
            optimiser.step()
        progress.advance()
        progress.save_when_due(SAVE_SECONDS)
        told.append(loss.item())
        if progress.step % TOLD_EVERY == 0 or progress.step == settings.steps:
            say(f"transformer: step {progress.step} of {settings.steps}, loss {sum(told) / len(told):.4f}")
            told.clear()
    progress.save()
    return _averaged(progress)


def flow_so_far(work: Path, examples: Examples, say: Callable[[str], None]) -> tuple[Any, Any]:
    """The running averages of text encoder and transformer at the last checkpoint; training may go on meanwhile."""
    progress = _begun(work, examples)
    say(f"so far: step {progress.step} of {examples.settings.steps}")
    return _averaged(progress)


def _begun(work: Path, examples: Examples) -> Progress:
    modules = build_learners(examples)
    optimisers = _optimisers(examples.settings, *modules.values())
    return Progress(work / "flow.pt", modules, optimisers, examples.settings.ema)


def _averaged(progress: Progress) -> tuple[Any, Any]:
    progress.load_averages()
    return progress.modules["text_encoder"].eval(), progress.modules["transformer"].eval()


def build_learners(examples: Examples) -> dict[str, Any]:
    """Text encoder and transformer with the settings' seeded first weights."""
    settings = examples.settings
    torch.manual_seed(settings.seed + 1)
    size = {"width": settings.width, "height": settings.height, "frames": settings.frames}
    return {
        "text_encoder": build_text_encoder(settings.shape).to(examples.device),
        "transformer": build_transformer(settings.shape, **size).to(examples.device),
    }


def _optimisers(settings: Settings, *modules: Any) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the matrices inside the transformer's blocks, AdamW for all that is no matrix, or is at an end."""
    named = [pair for module in modules for pair in module.named_parameters()]
    inner = [value for name, value in named if value.ndim == 2 and name.startswith("transformer_blocks.")]  # noqa: PLR2004
    chosen = {id(value) for value in inner}
    rest = [value for _, value in named if id(value) not in chosen]
    muon = torch.optim.Muon(inner, lr=settings.muon_rate, weight_decay=0.02)
    return muon, torch.optim.AdamW(rest, lr=settings.rate, betas=(0.9, 0.95), weight_decay=0.01)


def _flow_loss(
    modules: dict[str, Any],
    tokenizer: Any,
    examples: Examples,
    bank: torch.Tensor,
    chances: NDArray[np.float64],
    step: int,
) -> torch.Tensor:
    """Flow matching: between picture (time 0) and noise (time 1) the way is straight, and the picture is guessed.

    Guessing the picture is easier than guessing the noise for so few numbers as a picture of ours has; divided by the
    square of the time, the error is the direction's (Li and He 2025, "Back to basics").
    """
    settings, device = examples.settings, examples.device
    rng = np.random.default_rng([settings.seed, 2, step])
    numbers = rng.choice(len(bank), size=settings.batch, p=chances)
    clean = bank[torch.from_numpy(numbers)].to(device).float().transpose(1, 2)
    noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32)).to(device)
    logits = settings.noisier + settings.spread * rng.standard_normal(settings.batch, dtype=np.float32)
    time = torch.sigmoid(torch.from_numpy(logits)).to(device)
    mixed = torch.lerp(clean, noise, time.view(-1, 1, 1, 1, 1))
    captions = [caption_for(examples.wish(int(number)), rng) for number in numbers]
    told = tokenizer(captions, padding="max_length", max_length=PROMPT_TOKENS, truncation=True, return_tensors="pt")
    # On a CPU the plain way through attention is twice as fast as the fused one, for clips as short as these.
    with torch.autocast(device, dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        guess = modules["transformer"](
            hidden_states=mixed,
            encoder_hidden_states=modules["text_encoder"](told.input_ids.to(device))[0],
            timestep=time * TIMES,
            return_dict=False,
        )[0]
    error = (guess.float() - clean).square().mean(dim=(1, 2, 3, 4))
    mean: torch.Tensor = (error / (time.square() + CLEAREST)).mean()
    return mean
