"""ReelwrightAuthenticator: NativeAuthenticator whose people come from the roster, and whose door is throttled.

A password alone opens nothing: only a known person signs in, and groups and the administrator's rights are read from
the roster at sign-in, at every refresh, and before every lab start. Sign-up needs no approval: the roster vouches.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from traitlets import Enum, Instance, Unicode, default

from hub.db import open_engine
from hub.door import password as passwords
from hub.door import routes
from hub.door.common import common_passwords
from hub.door.pages import TooManyAttempts
from hub.door.throttle import LIMITS, Throttle, address_key
from hub.i18n import LOCALES
from hub.people.person import NAME_PATTERN
from hub.people.store import PeopleStore

if TYPE_CHECKING:
    from hub.door.throttle import Key

MAX_TYPED_NAME = 200


class ReelwrightAuthenticator(NativeAuthenticator):
    """Signs in the people the roster knows."""

    database_url = Unicode(config=True, help="The database of people (ours, not JupyterHub's).")
    site_locale = Enum(LOCALES, "zh_CN", config=True, help="The language of the site when a visitor asks for none.")
    throttle = Instance(Throttle, help="Counts attempts; one per hub process.")

    @default("throttle")
    def _new_throttle(self) -> Throttle:
        return Throttle(LIMITS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.manage_groups = True
        self.any_allow_config = True
        self.allow_existing_users = False
        self.auth_refresh_age = 30
        self.auth_refresh_strict = True
        self.refresh_pre_spawn = True
        self.username_pattern = NAME_PATTERN.pattern
        self.people = PeopleStore(open_engine(self.database_url))
        # Between judging a user name and writing it nobody else may enter; writing waits for the database in a thread.
        self.entering = asyncio.Lock()

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """Return the auth model of the person whose password this is, or ``None``.

        Raises:
            TooManyAttempts: this name or address has to wait.
        """
        if not isinstance(data, dict):
            # JupyterHub's token API passes on whatever a stranger's JSON holds.
            return None
        name = self.normalize_username(str(data.get("username", "")).strip())[:MAX_TYPED_NAME]
        address = address_key(handler.request.remote_ip)
        keys: list[Key] = [("sign-in", f"{name} {address}"), ("sign-in-name", name), ("sign-in-address", address)]
        if wait := self.throttle.attempt(keys):
            raise TooManyAttempts(wait)
        if not await self.password_matches(name, str(data.get("password", ""))):
            return None
        model = self.auth_model(name)
        if model is not None:
            self.throttle.forgive(keys, clear=keys[:1])
        return model

    async def password_matches(self, name: str, typed: str) -> bool:
        """Say whether ``typed`` is the password of ``name``; takes as long when nobody has that name."""
        login = self.get_user(name)
        return await passwords.matches(typed, login.password if login else None)

    def auth_model(self, name: str) -> dict[str, Any] | None:
        """Return what JupyterHub is told of ``name``, or ``None`` when the roster does not know them."""
        person = self.people.person(name)
        if person is None or not person.roles:
            # Without any role: somebody who asked to be forgotten.
            return None
        return {"name": name, "admin": "admin" in person.roles, "groups": sorted(self.people.groups_of(name))}

    async def refresh_user(self, user: Any, handler: Any = None) -> dict[str, Any] | bool:  # noqa: ARG002 (theirs)
        """Read groups and rights again; somebody the roster no longer knows has to sign in, and cannot."""
        return self.auth_model(user.name) or False

    def check_allowed(self, username: str, authentication: Any = None) -> bool:  # noqa: ARG002 (theirs)
        """Allow exactly the people the roster knows."""
        return self.auth_model(username) is not None

    def weakness(self, password: str, name: str) -> passwords.Weakness | None:
        """Return what is wrong with a new password, or ``None``."""
        return passwords.weakness(password, name, common_passwords())

    def put_login(self, name: str, encoded: bytes) -> None:
        """Store the bcrypt form of somebody's password, new or changed."""
        login = self.get_user(name)
        if login is None:
            login = UserInfo(username=name, password=encoded)
            self.db.add(login)
        login.password, login.is_authorized = encoded, True
        self.db.commit()

    def drop_login(self, name: str) -> None:
        """Forget the password of a name whose sign-up was refused after all."""
        if (login := self.get_user(name)) is not None:
            self.db.delete(login)
            self.db.commit()

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:  # noqa: ARG002 (theirs)
        """Return the door's pages, in place of NativeAuthenticator's."""
        return routes.handlers()
