"""How amounts and moments look to a person, in both languages; shared by the pages and the printed forms."""

from __future__ import annotations

from datetime import UTC, datetime

from certs.certificate import Level, Text
from certs.wording import number

# strftime would follow the server's locale.
_MONTHS = "January February March April May June July August September October November December"
LEVEL_WORDS = {
    Level.FOUNDATION: Text(zh="入门", en="Foundation"),
    Level.INTERMEDIATE: Text(zh="进阶", en="Intermediate"),
    Level.ADVANCED: Text(zh="高级", en="Advanced"),
}
_MINUTE, _HOUR = 60, 3600


def duration(seconds: int) -> Text:
    """Seconds as hours and minutes, or as seconds when there is less than a minute."""
    if seconds < _MINUTE:
        return Text(zh=f"{seconds} 秒", en=f"{seconds} s")
    hours, minutes = divmod(seconds // _MINUTE, _MINUTE)
    if not hours:
        return Text(zh=f"{minutes} 分钟", en=f"{minutes} min")
    return Text(zh=f"{hours} 小时 {minutes} 分钟", en=f"{hours} h {minutes} min")


def day(at_us: int) -> Text:
    """The calendar day of a moment, in UTC."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return Text(zh=f"{at.year} 年 {at.month} 月 {at.day} 日", en=f"{at.day} {_MONTHS.split()[at.month - 1]} {at.year}")


def moment(at_us: int) -> str:
    """A moment to the minute, with its zone named."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def percent(value: float) -> str:
    """A score as people read it; full marks are 100."""
    return number(value)


def short_digest(sha256: str) -> str:
    """The first 16 digits of a digest in fours: enough to compare by eye."""
    return " ".join(sha256[start : start + 4] for start in range(0, 16, 4))
