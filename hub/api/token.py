"""VALUE: API tokens and what they may read. The token itself is nowhere kept, only its SHA-256. No I/O."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from hub.compute.lease import refuse_bad_name

if TYPE_CHECKING:
    from uuid import UUID

KINDS = ("report", "claims", "metrics")
NARROWED_BY = ("site", "cohort")
PREFIX = "rwk_"
"""Tells people, and scanners of leaked secrets, what it is."""


class Scope(NamedTuple):
    """What a token may read: ``report`` (narrowed down to a site or a class, or not), ``claims``, ``metrics``."""

    kind: str
    dimension: str = ""
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A scope such as ``report``, ``report:site=main`` or ``metrics``.

        Raises:
            ValueError: it is none.
        """
        kind, _, narrower = text.partition(":")
        dimension, _, value = narrower.partition("=")
        wrong_kind = kind not in KINDS or (kind != "report" and ":" in text)
        if wrong_kind or (":" in text and (dimension not in NARROWED_BY or not value)):
            raise ValueError(
                f"scope: got {text[:80]!r}, expected report, report:site=ID, report:cohort=ID, claims or metrics"
            )
        if value:
            refuse_bad_name("scope", value)
        return cls(kind, dimension, value)

    def __str__(self) -> str:
        """The text that :meth:`parse` reads."""
        return f"{self.kind}:{self.dimension}={self.value}" if self.dimension else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token as it is kept; times in microseconds UTC."""

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    created_us: int
    created_by: str
    expires_us: int
    revoked_us: int | None = None
    last_used_us: int | None = None

    def __post_init__(self) -> None:
        refuse_bad_name("name", self.name)
        refuse_bad_name("created_by", self.created_by)
        if not self.scopes:
            raise ValueError("scopes: got none, expected at least one")

    def is_good(self, now_us: int) -> bool:
        """Whether it is neither revoked nor run out."""
        return self.revoked_us is None and now_us < self.expires_us

    def scope(self, kind: str) -> Scope | None:
        """The widest scope of a kind that it has."""
        mine = sorted((scope for scope in self.scopes if scope.kind == kind), key=lambda scope: bool(scope.dimension))
        return next(iter(mine), None)


def new_token() -> str:
    """A token that nobody guesses."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Under what a token is kept: it is random, so a plain digest cannot be turned round."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
