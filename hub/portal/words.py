"""Numbers as people read them: money, moments, spans of time, points; in the language of the request."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from babel.dates import format_date, format_datetime, format_timedelta
from flask_babel import get_locale, gettext

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from flask import Flask

MICRO = 1_000_000
CENT_UY = 10_000
MOMENT = {"zh": "y年M月d日 EEE HH:mm", "en": "EEE d MMM y, HH:mm"}
LONGEST_IN_DAYS = timedelta(days=60)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def install(app: Flask, zone: tzinfo, clock: Callable[[], int]) -> None:
    """Give the templates of ``app`` these words; ``clock`` gives microseconds since the epoch."""
    app.jinja_env.filters |= {
        "money": money,
        "moment": lambda us: moment(us, zone),
        "day": day,
        "iso": iso,
        "from_now": lambda us: from_now(us, clock()),
        "span": span,
        "points": points,
        "percent": percent,
        "spaced": spaced,
        "day_before": day_before,
    }


def money(micro_yuan: int) -> str:
    """Yuan to the fen; a sum below one fen keeps four more places, so that a real charge never reads as nothing."""
    places = Decimal("0.01") if micro_yuan % CENT_UY == 0 or abs(micro_yuan) >= CENT_UY else Decimal("0.000001")
    return f"¥{(Decimal(micro_yuan) / MICRO).quantize(places):,}"


def moment(us: int, zone: tzinfo) -> str:
    """The exact local time of ``us``, to the minute."""
    locale = get_locale()
    return format_datetime(_utc(us), MOMENT[locale.language], tzinfo=zone, locale=locale)


def day(value: date) -> str:
    """A calendar day."""
    return format_date(value, "medium", locale=get_locale())


def day_before(iso_day: str) -> str:
    """The day before ``YYYY-MM-DD``: the last one of a period whose end is not included."""
    return (date.fromisoformat(iso_day) - timedelta(days=1)).isoformat()


def iso(us: int) -> str:
    """The machine-readable form of ``us``, for ``<time datetime>``."""
    return _utc(us).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_now(us: int, now_us: int) -> str:
    """How far ``us`` lies ahead or behind: "in 3 days", "2 hours ago"."""
    delta = timedelta(microseconds=us - now_us)
    if timedelta(days=1.5) <= abs(delta) <= LONGEST_IN_DAYS:
        # Left to itself, Babel says "in 2 weeks" of a deadline 17 days off.
        return format_timedelta(
            delta, granularity="day", threshold=LONGEST_IN_DAYS.days, add_direction=True, locale=get_locale()
        )
    return format_timedelta(delta, add_direction=True, locale=get_locale())


def span(seconds: float) -> str:
    """A duration in hours and minutes; below two minutes, in seconds."""
    whole = round(seconds)
    if whole < 120:  # noqa: PLR2004 -- two minutes
        return gettext("%(count)s s", count=whole)
    hours, minutes = divmod(round(whole / 60), 60)
    if not hours:
        return gettext("%(count)s min", count=minutes)
    if not minutes:
        return gettext("%(hours)s h", hours=hours)
    return gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)


def points(value: float | None) -> str:
    """A number of points without needless zeros; nothing yet is a dash."""
    return "–" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def percent(part: float, whole: float) -> int:
    """``part`` of ``whole`` in whole percent, between 0 and 100."""
    return max(0, min(100, round(100 * part / whole))) if whole else 0


def spaced(code: str) -> str:
    """A class code in groups of four, as it is read out."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


def _utc(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)
