"""``python -m tests.bench [ONLY]``: runs every bench, or the one called ONLY, and prints one JSON object a line.

Figures go to standard output and nothing else does; why a bench gave none goes to standard error, one line each.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
import sys
from typing import TYPE_CHECKING, Any

import tests.bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.bench import Row

USAGE = 2


def main(arguments: list[str]) -> int:
    """Run the benches that ``arguments`` name (none: all); 0 however they went, 2 when there is no such bench."""
    known = names()
    if len(arguments) > 1 or not set(arguments) <= set(known):
        say(f"bench: got {' '.join(arguments)!r}, expected nothing or one of {', '.join(known)}")
        return USAGE
    for name in arguments or known:
        measure(name)
    return 0


def names() -> tuple[str, ...]:
    """Every module beside this one that could be a bench."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(tests.bench.__path__) if module.name[0] != "_"))


def measure(name: str) -> None:
    """Print the figures of one bench as they come."""
    try:
        # What a bench or a part of it prints must not stand between the figures.
        with contextlib.redirect_stdout(sys.stderr):
            for row in bench(name)():
                print(json.dumps(row, ensure_ascii=False), file=sys.__stdout__, flush=True)
    except tests.bench.CannotRunError as error:
        say(f"bench {name}: cannot run here: {error}")
    except Exception as error:  # noqa: BLE001 -- one broken bench must not keep the others from their figures
        say(f"bench {name}: {type(error).__name__}: {error}")


def bench(name: str) -> Callable[[], Iterable[Row]]:
    """The ``run`` of the module called ``name``; one that gives nothing when the module is no bench."""
    run: Any = getattr(importlib.import_module(f"tests.bench.{name}"), "run", None)
    return run or tuple


def say(words: str) -> None:
    """One line on standard error."""
    sys.stderr.write(" ".join(words.split()) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
