"""VALUE: which pictures of a notebook's text cells say nothing to a person who cannot see them. No I/O."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import mistune

from grader.answers import notebook_cells, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_URL = 120


def pictures_without_words(notebook: bytes) -> tuple[str, ...]:
    """The addresses of pictures in Markdown cells without a text alternative, or with the file's own name as one.

    An ``<img alt="">`` says on purpose that the picture only decorates, and is let pass.
    """
    parse = mistune.create_markdown(renderer="ast")
    found: list[str] = []
    for entry in notebook_cells(notebook):
        if entry.get("cell_type") == "markdown":
            tokens = parse(source_of(entry))
            found += _in_tokens(tokens if isinstance(tokens, list) else [])
    return tuple(url[:_MAX_URL] for url in found)


def _in_tokens(tokens: list[dict[str, Any]]) -> Iterator[str]:
    for token in tokens:
        children = token.get("children", [])
        if token["type"] == "image":
            url = str(token["attrs"]["url"])
            if not _says_something(_words(children), url):
                yield url
        elif token["type"] in ("inline_html", "block_html"):
            yield from _in_html(str(token.get("raw", "")))
        else:
            yield from _in_tokens(children)


def _words(tokens: list[dict[str, Any]]) -> str:
    return "".join(str(token.get("raw", "")) + _words(token.get("children", [])) for token in tokens)


def _says_something(words: str, url: str) -> bool:
    return words.strip() not in ("", PurePosixPath(unquote(urlsplit(url).path)).name)


def _in_html(markup: str) -> Iterator[str]:
    reader = _Images()
    reader.feed(markup)
    reader.close()
    for attributes in reader.found:
        url, alt = attributes.get("src") or "", attributes.get("alt")
        if "alt" not in attributes or (alt and not _says_something(alt, url)):
            yield url


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs))
