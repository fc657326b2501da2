"""The stages of training: the autoencoder learns the pictures, the transformer to denoise its latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from labs.model.captions import caption_for
from labs.model.checkpoint import Progress, rate_at
from labs.model.house import WORDS, build_text_encoder, build_transformer, build_vae
from labs.model.make import PROMPT_TOKENS, build_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labs.model.examples import Examples
    from labs.model.settings import Settings

SAVE_SECONDS = 120.0
TOLD_EVERY = 50
TIMES = 1000
"""The scheduler's times run from 0 to this."""


def train_vae(work: Path, examples: Examples, say: Callable[[str], None]) -> Any:
    """Train the autoencoder to its last step and return its running average."""
    settings = examples.settings
    torch.manual_seed(settings.seed)
    vae = build_vae(settings.shape).to(examples.device)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=settings.vae_rate, betas=(0.9, 0.95), weight_decay=0.01)
    progress = Progress(work / "vae.pt", {"vae": vae}, [optimiser], settings.ema)
    told: list[float] = []
    while progress.step < settings.vae_steps:
        for group in optimiser.param_groups:
            group["lr"] = settings.vae_rate * rate_at(progress.step, settings.vae_steps)
        loss = _vae_loss(vae, _windows(examples, progress.step), progress.step)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        progress.advance()
        progress.save_when_due(SAVE_SECONDS)
        told.append(loss.item())
        if progress.step % TOLD_EVERY == 0 or progress.step == settings.vae_steps:
            say(f"autoencoder: step {progress.step} of {settings.vae_steps}, loss {sum(told) / len(told):.4f}")
            told.clear()
    progress.save()
    progress.load_averages()
    return vae.eval()


def normalise(vae: Any, bank: torch.Tensor) -> torch.Tensor:
    """Bring each latent channel to mean 0 and deviation 1, and note both in the autoencoder for the pipeline."""
    mean, deviation = bank.mean(dim=(0, 2, 3, 4)), bank.std(dim=(0, 2, 3, 4)) + 1e-6
    vae.latents_mean.copy_(mean)
    vae.latents_std.copy_(deviation)
    return (bank - mean.view(1, -1, 1, 1, 1)) / deviation.view(1, -1, 1, 1, 1)


def train_flow(work: Path, examples: Examples, bank: torch.Tensor, say: Callable[[str], None]) -> tuple[Any, Any]:
    """Train text encoder and transformer on normalised latents to the last step; returns their running averages."""
    settings = examples.settings
    torch.manual_seed(settings.seed + 1)
    text_encoder = build_text_encoder(settings.shape).to(examples.device)
    transformer = build_transformer(settings.shape).to(examples.device)
    optimisers = _optimisers(settings, text_encoder, transformer)
    modules = {"text_encoder": text_encoder, "transformer": transformer}
    progress = Progress(work / "flow.pt", modules, optimisers, settings.ema)
    tokenizer = build_tokenizer(WORDS)
    told: list[float] = []
    while progress.step < settings.steps:
        part = rate_at(progress.step, settings.steps)
        for optimiser, rate in zip(optimisers, (settings.muon_rate, settings.rate), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * part
        loss = _flow_loss(modules, tokenizer, examples, bank, progress.step)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*text_encoder.parameters(), *transformer.parameters()], 1.0)
        for optimiser in optimisers:
            optimiser.step()
        progress.advance()
        progress.save_when_due(SAVE_SECONDS)
        told.append(loss.item())
        if progress.step % TOLD_EVERY == 0 or progress.step == settings.steps:
            say(f"transformer: step {progress.step} of {settings.steps}, loss {sum(told) / len(told):.4f}")
            told.clear()
    progress.save()
    progress.load_averages()
    return text_encoder.eval(), transformer.eval()


def _windows(examples: Examples, step: int) -> torch.Tensor:
    """A batch of fresh clips, each cut to one square window."""
    settings = examples.settings
    # Numbers beyond the bank's: the autoencoder sees other clips than it will encode.
    first = settings.bank + step * settings.vae_batch
    clips = examples.clips(range(first, first + settings.vae_batch))
    rng = np.random.default_rng([settings.seed, 1, step])
    side = settings.vae_window
    top, left = (int(rng.integers(length - side + 1)) for length in (settings.height, settings.width))
    return clips[..., top : top + side, left : left + side]


def _vae_loss(vae: Any, clips: torch.Tensor, step: int) -> torch.Tensor:
    """Mean error of pixels and of their differences in space and time, and a light pull of the latents towards 0."""
    spread = torch.Generator(clips.device).manual_seed(step)
    posterior = vae.encode(clips).latent_dist
    drawn = vae.decode(posterior.sample(spread), return_dict=False)[0]
    loss = functional.l1_loss(drawn, clips)
    for axis in (2, 3, 4):
        loss = loss + functional.l1_loss(drawn.diff(dim=axis), clips.diff(dim=axis))
    # Kullback and Leibler's distance to a standard normal, by element.
    apart = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
    whole: torch.Tensor = loss + 1e-4 * apart
    return whole


def _optimisers(settings: Settings, *modules: Any) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the matrices inside the transformer's blocks, AdamW for all that is no matrix, or is at an end."""
    named = [pair for module in modules for pair in module.named_parameters()]
    inner = [value for name, value in named if value.ndim == 2 and name.startswith("transformer_blocks.")]  # noqa: PLR2004
    chosen = {id(value) for value in inner}
    rest = [value for _, value in named if id(value) not in chosen]
    muon = torch.optim.Muon(inner, lr=settings.muon_rate, weight_decay=0.05)
    return muon, torch.optim.AdamW(rest, lr=settings.rate, betas=(0.9, 0.95), weight_decay=0.01)


def _flow_loss(
    modules: dict[str, Any], tokenizer: Any, examples: Examples, bank: torch.Tensor, step: int
) -> torch.Tensor:
    """Flow matching: between picture (time 0) and noise (time 1) the way is straight, and its direction is learned."""
    settings, device = examples.settings, examples.device
    rng = np.random.default_rng([settings.seed, 2, step])
    numbers = rng.integers(len(bank), size=settings.batch)
    clean = bank[torch.from_numpy(numbers)].to(device)
    count, _, times, tall, broad = clean.shape
    tokens = clean.flatten(2).transpose(1, 2)
    noise = torch.from_numpy(rng.standard_normal(tokens.shape, dtype=np.float32)).to(device)
    # Logit-normal times: most practice where picture and noise are mixed evenly.
    time = torch.sigmoid(torch.from_numpy(rng.standard_normal((count, 1), dtype=np.float32))).to(device)
    time = time.expand(count, tokens.shape[1]).clone()
    given = torch.from_numpy(rng.random(count) < settings.first_frame).to(device)
    time[given, : tall * broad] = 0
    mixed = torch.lerp(tokens, noise, time.unsqueeze(-1))
    captions = [caption_for(examples.wish(int(number)), rng) for number in numbers]
    told = tokenizer(captions, padding="max_length", max_length=PROMPT_TOKENS, truncation=True, return_tensors="pt")
    guess = modules["transformer"](
        hidden_states=mixed,
        encoder_hidden_states=modules["text_encoder"](told.input_ids.to(device))[0],
        timestep=time * TIMES,
        encoder_attention_mask=told.attention_mask.bool().to(device),
        num_frames=times,
        height=tall,
        width=broad,
        rope_interpolation_scale=(8 / settings.fps, 16, 16),
        return_dict=False,
    )[0]
    error = (guess - (noise - tokens)).square().mean(dim=-1)
    # What was given clean is nothing to learn from.
    learned = (time > 0).float()
    mean: torch.Tensor = (error * learned).sum() / learned.sum()
    return mean
