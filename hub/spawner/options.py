"""VALUE: what a learner may ask for at a start; anything else is refused."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Self

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
KNOWN = ("course", "lab", "profile")


class OptionsRefused(Exception):  # noqa: N818 -- it names what happened to the options
    """The start options are not what the portal sends; the message says what was got and what was expected."""


@dataclass(frozen=True)
class LabOptions:
    """The lab a learner starts; ``profile`` is only a wish, the lab's own profile decides."""

    course: str
    lab: str

    @classmethod
    def parse(cls, options: dict[str, Any]) -> Self:
        """Read options as the hub hands them over: plain strings, or one-element lists from a form or query.

        Raises:
            OptionsRefused: an option is unknown, missing or no slug.
        """
        if unknown := sorted(set(options) - set(KNOWN)):
            raise OptionsRefused(f"unknown start option: got {unknown}, expected only {list(KNOWN)}")
        return cls(course=_slug(options, "course"), lab=_slug(options, "lab"))

    def as_options(self) -> dict[str, str]:
        """The options in the form the hub stores and :meth:`parse` reads back."""
        return asdict(self)


def _slug(options: dict[str, Any], key: str) -> str:
    value = options.get(key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not SLUG.fullmatch(value):
        raise OptionsRefused(f"start option {key!r}: got {value!r}, expected a name like 'first-take'")
    return value
