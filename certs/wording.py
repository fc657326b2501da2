"""How the two languages, numbers and times are written into one signed string, and read back."""

from __future__ import annotations

from datetime import UTC, datetime

from certs.certificate import Text

NAME_JOIN = " / "
"""Between the Chinese and the English of a short text. Signed strings carry both: JSON-LD language maps would need
member names with ``@``, which the strict parser refuses."""
PROSE_JOIN = "\n\n---\n\n"
"""Between the Chinese and the English of a long text (a thematic break in Markdown)."""

# Outside these, arithmetic with zones leaves what a date can hold.
_FIRST_YEAR, _LAST_YEAR = 1971, 9998


def join_name(text: Text) -> str:
    """Both languages of a short text in one string."""
    return f"{text.zh}{NAME_JOIN}{text.en}"


def join_prose(text: Text) -> str:
    """Both languages of a long text in one string."""
    return f"{text.zh}{PROSE_JOIN}{text.en}"


def split_name(joined: str) -> Text:
    """The two languages of a short text; another issuer's single string stands for both."""
    return _split(joined, NAME_JOIN)


def split_prose(joined: str) -> Text:
    """The two languages of a long text; another issuer's single string stands for both."""
    return _split(joined, PROSE_JOIN)


def _split(joined: str, join: str) -> Text:
    zh, found, en = joined.partition(join)
    return Text(zh=zh, en=en) if found and join not in en else Text(zh=joined, en=joined)


def number(value: float) -> str:
    """A number as it is signed and printed: at most two decimals, none that are zero."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def timestamp(at_us: int) -> str:
    """Microseconds since the epoch as an XML Schema dateTime in UTC, whole seconds."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def microseconds(stamp: str) -> int:
    """Microseconds since the epoch of an ISO 8601 time that names its zone.

    Raises:
        ValueError: ``stamp`` is no such time.
    """
    parsed = datetime.fromisoformat(stamp)
    if parsed.tzinfo is None or not _FIRST_YEAR <= parsed.year <= _LAST_YEAR:
        raise ValueError(f"got {stamp!r}, expected a time with its zone, such as 2026-11-22T08:00:00Z")
    return int(parsed.timestamp()) * 1_000_000 + parsed.microsecond
