"""Films inside a notebook: one playing, or several side by side with a line under each."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path

from labs.measure.boxed import MeasureError

MAX_SHOWN_BYTES = 4_000_000
"""Films are kept inside the notebook: larger ones would make it too heavy to hand in."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a notebook displays; ``text`` is all that a terminal sees."""

    page: str
    text: str

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return self.text


def play(film: str | Path, caption: str = "", *, height: int = 320) -> Shown:
    """``film`` as a player ``height`` pixels tall, with ``caption`` under it.

    Raises:
        MeasureError: there is no such file.
    """
    file = Path(film)
    if not file.is_file():
        raise MeasureError(f"没有这个文件：{file}", f"no such file: {file}")
    words = caption or file.name
    return Shown(_figure(file, words, height), f"{file}: {words}")


def side_by_side(*films: str | Path, captions: tuple[str, ...] = (), height: int = 220) -> Shown:
    """Several films in a row that wraps; ``captions`` in the same order.

    Raises:
        MeasureError: a file is not there.
    """
    words = (*captions, *(Path(film).name for film in films[len(captions) :]))
    shown = [play(film, text, height=height) for film, text in zip(films, words, strict=False)]
    row = "".join(one.page for one in shown)
    return Shown(f'<div style="display:flex;flex-wrap:wrap;gap:8px">{row}</div>', "\n".join(one.text for one in shown))


def _figure(file: Path, words: str, height: int) -> str:
    said = html.escape(words)
    if file.stat().st_size > MAX_SHOWN_BYTES:
        return f"<figure><code>{html.escape(str(file))}</code><figcaption>{said}</figcaption></figure>"
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    player = f'<video controls loop height="{height}" aria-label="{said}" src="data:video/mp4;base64,{data}"></video>'
    return f'<figure style="margin:4px">{player}<figcaption>{said}</figcaption></figure>'
