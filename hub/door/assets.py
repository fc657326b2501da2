"""Addresses of the door's style sheet, scripts and mark, and what a refused start says, for the hub's templates."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

STATIC = Path(__file__).parent.parent / "static"
PREFIX = "door/"
"""Where the files lie under the hub's base URL."""


@cache
def fingerprint(name: str) -> str:
    """Return a short digest of a file's bytes, so that browsers keep it until it changes."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


class Assets(Extension):
    """Gives every hub template ``door_asset(name)`` and ``refusal(exception)``."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(door_asset=_address, refusal=_refusal)


@pass_context
def _address(context: Context, name: str) -> str:
    return f"{context['base_url']}{PREFIX}{name}?v={fingerprint(name)}"


@pass_context
def _refusal(context: Context, exception: Any) -> dict[str, str] | None:
    """Return why, balance, remedy and link of a refused start; ``None`` when the failure was not a refusal."""
    from hub.door.refusal import refusal_of  # noqa: PLC0415 (needs JupyterHub, which has to be imported by now)

    locale = context.environment.globals["locale"](context)  # type: ignore[operator]
    return refusal_of(exception, locale)
