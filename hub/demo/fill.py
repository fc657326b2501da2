"""The order in which an instance is filled; every step says itself in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.platform import Platform


class DemoRefusedError(Exception):
    """The instance cannot be filled; the message says what was found there."""


def fill(platform: Platform, *, fast: bool) -> Iterator[str]:
    """Fill ``platform`` and give back a line for each step.

    Raises:
        DemoRefusedError: there are people already.
    """
    if platform.people.people():
        raise DemoRefusedError("there are people here already")
    yield f"fast: {fast}"
