"""VALUE: source text as tokens that a disguise does not change: names the learner chose become one word. No I/O.

A scanner of our own instead of Python's: it takes any text at all, whether it parses or not, never recurses, and reads
every character a bounded number of times, because what is scanned was written by somebody who may not wish us well.
"""

from __future__ import annotations

import builtins
import keyword
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_LANGUAGE = frozenset(keyword.kwlist) | frozenset(name for name in dir(builtins) if not name.startswith("_"))
"""Names that mean the same in everybody's program, and so are no learner's choice."""
_PYTHON = re.compile(
    r"""
      (?P<space>[ \t\r\n\f\\]++|\#[^\n]*+)
    | (?P<text>[rbfuRBFU]{0,2}(?:\"{3}(?:[^\"\\]|\\.|\"(?!\"\"))*+(?:\"{3}|\Z)|'{3}(?:[^'\\]|\\.|'(?!''))*+(?:'{3}|\Z)
              |\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?))
    | (?P<name>[^\W\d]\w*+)
    | (?P<number>\d[\w.]*+)
    | (?P<sign>[-+*/%&|^@<>=!:]?=|\*\*|//|->|<<|>>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[\u3400-\u9fff]|\w++")
"""In prose: a Chinese character, or a word of any other script."""
NAME, LITERAL = "n", "0"
MOST_TOKENS = 20_000
"""Of one cell; what goes beyond is left out."""


class Token(NamedTuple):
    """A normalised token, and where it stands in its cell's text."""

    text: str
    start: int
    end: int


def code_tokens(source: str) -> tuple[Token, ...]:
    """The tokens of a program: chosen names alike, literals alike, lists of literals as long as one."""
    tokens: list[Token] = []
    for token in islice(_scan(source), MOST_TOKENS):
        if token.text == LITERAL and [one.text for one in tokens[-2:]] == [LITERAL, ","]:
            tokens.pop()
            tokens[-1] = Token(LITERAL, tokens[-1].start, token.end)
        else:
            tokens.append(token)
    return tuple(tokens)


def prose_tokens(text: str) -> tuple[Token, ...]:
    """The words of a text, letters and digits only, in lower case."""
    words = islice(_WORD.finditer(text), MOST_TOKENS)
    return tuple(Token(found.group().casefold(), found.start(), found.end()) for found in words)


def _scan(source: str) -> Iterator[Token]:
    after_dot = False
    for found in _PYTHON.finditer(source):
        kind, text = found.lastgroup, found.group()
        if kind == "space":
            continue
        if kind == "name" and not after_dot and text not in _LANGUAGE:
            text = NAME
        elif kind in ("text", "number"):
            text = LITERAL
        after_dot = text == "."
        yield Token(text, found.start(), found.end())
