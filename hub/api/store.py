"""SQL of API tokens: made, shown once, looked up by digest, revoked for ever."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import insert, select, update

from hub.api.tables import api_token
from hub.api.token import ApiToken, Scope, digest_of, new_token
from hub.compute.lease import DAY_US, MINUTE_US
from hub.compute.ledger import now_us
from hub.db import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from sqlalchemy import Engine, Row

LONGEST_DAYS = 400


class Tokens:
    """The one door to API tokens."""

    def __init__(self, engine: Engine, clock: Callable[[], int] = now_us) -> None:
        self._engine, self._clock = engine, clock

    def make(self, name: str, scopes: Iterable[str], days: int, by: str) -> tuple[ApiToken, str]:
        """A new token, and its text, which nobody can learn again.

        Raises:
            ValueError: a name or scope is none, or it would not last 1 to 400 days.
        """
        if not 1 <= days <= LONGEST_DAYS:
            raise ValueError(f"days: got {days}, expected 1 to {LONGEST_DAYS}")
        made_us, text = self._clock(), new_token()
        token = ApiToken(
            id=uuid4(), name=name, scopes=tuple(map(Scope.parse, scopes)), created_us=made_us, created_by=by,
            expires_us=made_us + days * DAY_US,
        )  # fmt: skip
        row = {"id": token.id, "name": name, "created_us": made_us, "created_by": by, "expires_us": token.expires_us}
        with self._engine.begin() as connection:
            said = json.dumps([str(scope) for scope in token.scopes])
            connection.execute(insert(api_token).values(**row, digest=digest_of(text), scopes=said))
        return token, text

    def find(self, text: str) -> ApiToken | None:
        """The good token of this text, None when there is none; notes that it was used, once a minute at most."""
        now = self._clock()
        with reading(self._engine) as connection:
            row = connection.execute(select(api_token).where(api_token.c.digest == digest_of(text))).one_or_none()
        token = _token(row) if row else None
        if token is None or not token.is_good(now):
            return None
        if token.last_used_us is None or now - token.last_used_us >= MINUTE_US:
            with self._engine.begin() as connection:
                connection.execute(update(api_token).where(api_token.c.id == token.id).values(last_used_us=now))
        return token

    def revoke(self, token_id: UUID) -> bool:
        """End a token for ever; whether it was good until now."""
        good = (api_token.c.id == token_id, api_token.c.revoked_us.is_(None))
        with self._engine.begin() as connection:
            return bool(connection.execute(update(api_token).where(*good).values(revoked_us=self._clock())).rowcount)

    def all(self) -> tuple[ApiToken, ...]:
        """Every token there ever was, newest first."""
        with reading(self._engine) as connection:
            asked = select(api_token).order_by(api_token.c.created_us.desc(), api_token.c.id)
            return tuple(_token(row) for row in connection.execute(asked))


def _token(row: Row[Any]) -> ApiToken:
    values = row._asdict()
    del values["digest"]
    scopes = tuple(map(Scope.parse, json.loads(values.pop("scopes"))))
    return ApiToken(**values, scopes=scopes)
