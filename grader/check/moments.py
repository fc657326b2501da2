"""What the checker knows at one moment, kept to go back to: names, what was learnt of the lab, random generators.

Objects are kept as they are, not copied: a test that changes one in place changes it for every moment.
"""

from __future__ import annotations

import copy
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable

    from grader.check.link import Link
    from grader.check.names import Names


@dataclass(frozen=True)
class Moment:
    """The state in which the hidden statements ``rest`` of a test go on; ``earlier`` is what hidden lines defined."""

    rest: tuple[ast.stmt, ...]
    earlier: tuple[ast.stmt, ...]
    names: tuple[Any, ...]
    link: tuple[Any, ...]
    draws: tuple[tuple[Callable[[Any], Any], Any], ...]


def keep(names: Names, link: Link, rest: list[ast.stmt], earlier: list[ast.stmt]) -> Moment:
    """This moment."""
    return Moment(tuple(rest), tuple(earlier), names.state(), link.state(), tuple(_generators()))


def return_to(moment: Moment, names: Names, link: Link) -> None:
    """Make everything as it was at ``moment``."""
    names.restore(moment.names)
    link.restore(moment.link)
    for restore, state in moment.draws:
        restore(state)


def _generators() -> list[tuple[Callable[[Any], Any], Any]]:
    found: list[tuple[Callable[[Any], Any], Any]] = [(random.setstate, random.getstate())]
    numpy_random, torch = sys.modules.get("numpy.random"), sys.modules.get("torch")
    if numpy_random is not None:
        found.append((numpy_random.set_state, numpy_random.get_state()))
    if torch is not None:
        found.append((torch.set_rng_state, copy.copy(torch.get_rng_state())))
    return found
