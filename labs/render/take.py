"""A previs take: a clip drawn by the procedural engine, its film marked PREVIS, its record naming the engine."""

from __future__ import annotations

import hashlib
import time
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from labs.provenance import Output, Record, record_take, sha256_of
from labs.provenance.record import Model, Parameters
from labs.render.wish import open_axes, wish_from
from labs.takes.film import write_film
from labs.takes.take import Take, check_seed, film_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labs.render.wish import Wish

ENGINE_NAME = "previs-1"
WIDTH, HEIGHT, FPS = 90, 160, 8
MAX_FRAMES = 121
MARK = "PREVIS"


def previs(prompt: str, seed: int, path: str | Path, *, frames: int = 17) -> Take:
    """Draw ``prompt`` procedurally into ``path`` (an ``.mp4``), marked PREVIS, with its record beside it.

    What the prompt leaves open (``labs.render.wish.open_axes``) the seed decides. This is a preview of framing and
    movement; no diffusion model had a part in it, and the record's ``engine`` says so.

    Raises:
        TakeError: seed, frames or path cannot be used.
        WishError: the prompt says two things at once.
    """
    film = film_path(path)
    check_seed(seed)
    wish = wish_from(prompt, np.random.default_rng(seed))
    started = time.perf_counter()
    drawn = _marked(_drawn(wish, seed, min(max(frames, 1), MAX_FRAMES)))
    seconds = time.perf_counter() - started
    write_film(drawn, film, fps=FPS)
    record = Record(
        engine="previs",
        prompt=prompt,
        unknown_words=(),
        seed=seed,
        model=Model(name=ENGINE_NAME, sha256=engine_sha256(), trained=False),
        parameters=Parameters(width=WIDTH, height=HEIGHT, frames=len(drawn), fps=FPS, steps=1, guidance=0),
        output=Output(file=film.name, sha256=sha256_of(film), bytes=film.stat().st_size),
        device="cpu",
        seconds=round(seconds, 3),
        made_us=time.time_ns() // 1000,
        software={name: version(name) for name in ("torch", "numpy", "av")},
    )
    return Take(drawn, film, record_take(record, film))


def sketch(prompt: str, seed: int, *, frames: int = 17) -> NDArray[np.uint8]:
    """What :func:`previs` would draw, ``uint8[frames, 160, 90, 3]``, with its mark; no file is written, nothing logged.

    Raises:
        WishError: the prompt says two things at once.
    """
    return _marked(_drawn(wish_from(prompt, np.random.default_rng(seed)), seed, min(max(frames, 1), MAX_FRAMES)))


@lru_cache(maxsize=1)
def engine_sha256() -> str:
    """The digest of the engine's own source files: what stands for a model's digest in a previs record."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(f"{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _drawn(wish: Wish, seed: int, frames: int) -> NDArray[np.uint8]:
    from labs.render.clip import render  # noqa: PLC0415 - late: torch takes seconds

    # Numbers of a plan are drawn from 63 bits at most, as a take's seed is.
    clip: NDArray[np.uint8] = render([wish], [seed], frames=frames, width=WIDTH, height=HEIGHT)[0].numpy()
    return clip


def _marked(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same frames with the mark in their lower left corner."""
    tile = Image.new("RGB", (42, 13), "black")
    ImageDraw.Draw(tile).text((3, 1), MARK, fill="white")
    marked = frames.copy()
    marked[:, -tile.height :, : tile.width] = np.asarray(tile)
    return marked


__all__ = ["engine_sha256", "open_axes", "previs", "sketch"]
