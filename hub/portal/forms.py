"""Forms: each carries a token only this browser's session knows, and is parsed once, at the edge.

A form's values are hostile text. ``Fields`` takes them one by one, keeps what was typed, and collects every problem, so
that a person corrects a form once and not once per field.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from flask import abort, request, session
from flask_babel import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

TOKEN_FIELD = "form_token"  # noqa: S105 -- the name of a field, no secret
MICRO = 1_000_000
MOST_YUAN = Decimal(100_000)
MOST_DIGITS = 9


def token() -> str:
    """The token every form of this browser must carry."""
    return str(session.setdefault(TOKEN_FIELD, secrets.token_urlsafe(24)))


def once() -> str:
    """A number for one showing of a form, by which a form that is sent twice is known."""
    return secrets.token_urlsafe(9)


def guard() -> None:
    """Refuse a request that changes something without this browser's token (an app's ``before_request``)."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    if not secrets.compare_digest(request.form.get(TOKEN_FIELD, "").encode(), token().encode()):
        abort(400, _("This form was open for too long or came from another page. Go back, reload and try again."))


@dataclass
class Fields:
    """The fields of one posted form; ``problems`` maps a field to the sentence shown beside it."""

    typed: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, most: int = 100) -> str:
        """A line of text that is not empty."""
        value = self.typed.get(name, "").strip()
        if not value or len(value) > most:
            self.problems[name] = _("Expected 1 to %(most)s characters, got %(count)s.", most=most, count=len(value))
        return value

    def choice(self, name: str, among: frozenset[str]) -> str:
        """One of ``among``."""
        value = self.typed.get(name, "")
        if value not in among:
            self.problems[name] = _("Choose one from the list.")
        return value

    def day(self, name: str) -> date:
        """A calendar day as ``YYYY-MM-DD``."""
        try:
            return date.fromisoformat(self.typed.get(name, "").strip())
        except ValueError:
            self.problems[name] = _("Got “%(got)s”, expected a day as YYYY-MM-DD.", got=self.typed.get(name, "")[:40])
            return date.min

    def moment_us(self, name: str, zone: ZoneInfo) -> int:
        """A local time as ``YYYY-MM-DDTHH:MM``, in microseconds since the epoch."""
        try:
            local = datetime.fromisoformat(self.typed.get(name, "").strip()).replace(tzinfo=zone)
            return int(local.astimezone(UTC).timestamp()) * MICRO
        except (ValueError, OverflowError):
            self.problems[name] = _("Got “%(got)s”, expected a day and a time.", got=self.typed.get(name, "")[:40])
            return 0

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``."""
        typed = self.typed.get(name, "").strip()
        if typed.isascii() and typed.isdigit() and len(typed) <= MOST_DIGITS and least <= int(typed) <= most:
            return int(typed)
        self.problems[name] = _(
            "Got “%(got)s”, expected a whole number from %(least)s to %(most)s.", got=typed[:40], least=least, most=most
        )
        return 0

    def micro_yuan(self, name: str) -> int:
        """A positive sum in yuan with at most two decimals."""
        typed = self.typed.get(name, "").strip()
        try:
            yuan = Decimal(typed)
            if 0 < yuan <= MOST_YUAN and yuan == yuan.quantize(Decimal("0.01")):
                return int(yuan * MICRO)
        except InvalidOperation:
            pass
        self.problems[name] = _(
            "Got “%(got)s”, expected an amount in yuan above 0 and up to %(most)s, such as 50 or 12.50.",
            got=typed[:40],
            most=f"{MOST_YUAN:,}",
        )
        return 0
