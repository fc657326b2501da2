"""Where strangers' films are opened: in this process, or in a box of their own when this process must not decode them.

The grader's checker puts a module called :data:`MEASURER` into ``sys.modules``. It is trusted with the mark, and a film
made to break a decoder would break it there; so functions marked :func:`in_box` have that module open the film in
another box, and get back plain data.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

from labs.language import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEASURER = "reelwright_measurer"
Params = ParamSpec("Params")
Found = TypeVar("Found")


class MeasureError(LabError):
    """A film file is missing, is no film, or has no picture."""


def in_box(
    function: Callable[Concatenate[str | Path, Params], Found],
) -> Callable[Concatenate[str | Path, Params], Found]:
    """``function``, whose first argument is a path and whose answer is plain data, run where its file may be opened."""

    @wraps(function)
    def measured(path: str | Path, *args: Params.args, **kwargs: Params.kwargs) -> Found:
        measurer = sys.modules.get(MEASURER)
        if measurer is None:
            return function(path, *args, **kwargs)
        found: Found = measurer.measure(function.__module__, function.__name__, path, args, kwargs, MeasureError)
        return found

    return cast("Callable[Concatenate[str | Path, Params], Found]", measured)
