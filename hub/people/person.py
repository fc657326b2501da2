"""VALUE: people, cohorts and their seats, and the refusals that answer them; no I/O.

Errors: ``PeopleError`` ← ``RosterError`` (a whole roster file), ``SeatRefused`` (a sign-up), ``InvitationRefused``
(a one-time code). Each carries a stable ``code`` and its sentence in both languages; the page chooses one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Role = Literal["admin", "instructor", "trainee", "funder"]
ROLES: frozenset[Role] = frozenset({"admin", "instructor", "trainee", "funder"})
Outcome = Literal["added", "updated", "unchanged", "refused"]

NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]{1,62}$")
CLASS_CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""No I, L, O, 0 or 1: a class code is read from a blackboard and typed on a phone."""
CLASS_CODE_LENGTH = 8
MAX_FULL_NAME = 100
MAX_NUMBER = 40

# Left-to-right and right-to-left overrides can make a name on a certificate read as another one.
_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class PeopleError(Exception):
    """Something about people was refused; ``code`` is stable, ``zh`` and ``en`` say what to do."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.code, self.zh, self.en = code, zh, en

    def in_locale(self, locale: str) -> str:
        """Return the sentence for ``locale`` (``zh_CN`` or ``en``)."""
        return self.zh if locale.startswith("zh") else self.en


class RosterError(PeopleError):
    """A roster file cannot be read at all; nothing of it was imported."""


class SeatRefused(PeopleError):  # noqa: N818 (named in the interface other packages were built on)
    """A seat cannot be had: ``class-code``, ``number``, ``seat-taken``, ``second-seat`` or ``name``."""


class InvitationRefused(PeopleError):  # noqa: N818 (reads as its sibling does)
    """A one-time code cannot be redeemed: ``invitation`` (unknown, used or expired, all alike) or ``name``."""


@dataclass(frozen=True, slots=True)
class Site:
    """A pilot base: a tenant with its own cohorts and staff; its time zone says when a day ends."""

    id: str
    name_zh: str
    name_en: str
    timezone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in, known by the JupyterHub user name."""

    name: str
    full_name: str
    roles: frozenset[Role]
    site: str
    locale: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name JupyterHub would not take, a full name that cannot be shown, and an unknown role."""
        if not NAME_PATTERN.match(self.name):
            raise ValueError(f"name: got {self.name!r}, expected to match {NAME_PATTERN.pattern}")
        if problem := text_problem(self.full_name, MAX_FULL_NAME):
            raise ValueError(f"full_name: got {self.full_name!r}, which {problem[1]}")
        if unknown := self.roles - ROLES:
            raise ValueError(f"roles: got {sorted(unknown)}, expected some of {sorted(ROLES)}")


@dataclass(frozen=True, slots=True)
class Cohort:
    """Learners of a course who share dates; ``class_code`` lets those on its roster sign up."""

    id: str
    course: str
    site: str
    title: str
    class_code: str
    starts: date
    ends: date
    created_by: str


@dataclass(frozen=True, slots=True)
class Member:
    """One line of a cohort's roster; ``learner`` is the user name that took the seat, ``None`` until sign-up."""

    cohort_id: str
    number: str
    full_name: str
    email: str | None = None
    learner: str | None = None


@dataclass(frozen=True, slots=True)
class NameRequest:
    """A trainee's wish to be called otherwise on roster and certificates; open until ``decided_us``."""

    learner: str
    wanted: str
    asked_us: int
    decided_us: int | None = None
    decided_by: str | None = None
    granted: bool | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided yet."""
        return self.decided_us is None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one roster row; ``line`` counts from 1, the header included; reasons are empty unless refused."""

    line: int
    number: str
    full_name: str
    outcome: Outcome
    reason_zh: str = ""
    reason_en: str = ""


@dataclass(frozen=True, slots=True)
class RosterReport:
    """What became of every row of one roster file, in the file's order."""

    rows: tuple[RowResult, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many rows ended as ``outcome``."""
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def added(self) -> int:
        """How many rows are new members."""
        return self.count("added")

    @property
    def updated(self) -> int:
        """How many rows changed a member's name or e-mail."""
        return self.count("updated")

    @property
    def unchanged(self) -> int:
        """How many rows said what was known."""
        return self.count("unchanged")

    @property
    def refused(self) -> int:
        """How many rows were not imported."""
        return self.count("refused")


def tidy(text: str) -> str:
    """Fold full-width letters and digits to plain ones (NFKC) and trim; Chinese characters stay as they are."""
    return unicodedata.normalize("NFKC", text).strip()


def number_key(number: str) -> str:
    """Return the form two spellings of the same roster number share: ``ａ０１`` and ``A01`` are one person."""
    return tidy(number).casefold()


def normal_class_code(typed: str) -> str:
    """Return a typed class code in stored form: case, spaces and hyphens do not matter."""
    return re.sub(r"[\s-]", "", tidy(typed)).upper()


def text_problem(text: str, limit: int) -> tuple[str, str] | None:
    """Say (in Chinese and English) why ``text`` cannot stand on one line of a page, or ``None`` when it can."""
    if not text.strip():
        return "是空的", "is empty"
    if len(text) > limit:
        return f"有 {len(text)} 个字符，最多 {limit} 个", f"has {len(text)} characters; at most {limit} are allowed"
    for character in text:
        if character in _BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}:
            return f"含有控制字符 U+{ord(character):04X}", f"holds the control character U+{ord(character):04X}"
    return None


def day_starts_us(day: date, zone: ZoneInfo) -> int:
    """Return the microsecond (UTC epoch) at which ``day`` begins in ``zone``."""
    local = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
    return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def due_us(cohort: Cohort, due_after_days: int, zone: ZoneInfo) -> int:
    """Return the last microsecond of the day that lies ``due_after_days`` after the cohort's first day, in ``zone``."""
    return day_starts_us(cohort.starts + timedelta(days=due_after_days + 1), zone) - 1
