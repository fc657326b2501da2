"""Signed record lines: ``name: value``, one a line, in an evidence narrative; read by people and by programs alike.

Open Badges has no terms for a submission's digest or metered seconds, and a context of our own could not be read by
other verifiers without fetching it. A narrative is signed like every other member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certs.rules import LINE_VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping


class RecordError(Exception):
    """A narrative is no record; the message says what was got and what was expected."""


def write(values: Mapping[str, str | None]) -> str:
    """The lines of ``values`` in order; those that are None are left out."""
    return "\n".join(f"{name}: {value}" for name, value in values.items() if value is not None)


def read(narrative: str, *, required: frozenset[str], optional: frozenset[str] = frozenset()) -> dict[str, str]:
    """The values by name.

    Raises:
        RecordError: a line is malformed, unknown, double or missing.
    """
    values: dict[str, str] = {}
    for line in narrative.split("\n"):
        name, colon, value = line.partition(": ")
        if not colon or name in values or name not in required | optional or not LINE_VALUE.fullmatch(value):
            raise RecordError(f"got the line {line[:120]!r}, expected each of {sorted(required)} once as 'name: value'")
        values[name] = value
    if missing := required - set(values):
        raise RecordError(f"got no line for {sorted(missing)}, expected one each")
    return values
