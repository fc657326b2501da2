"""What every page of the door shares: the visitor's language, fields read with limits, waiting, and entering."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from tornado.web import HTTPError

from hub import i18n
from hub.door import password as passwords
from hub.door.throttle import address_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.door.throttle import Key

MAX_FIELD = 1000
LANGUAGE_SECONDS = i18n.COOKIE_DAYS * 24 * 3600
# Stricter than the hub's: no page of the door has a script of its own in it.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class TooManyAttempts(HTTPError):  # noqa: N818 (an answer to the visitor: 429)
    """The visitor must wait ``seconds`` before the next attempt."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, f"Too many attempts; wait {seconds} seconds")
        self.seconds = seconds
        self.headers = {"Retry-After": str(seconds)}


def local_address(wanted: str, base_url: str) -> str:
    """Return ``wanted`` when it is a path of this site, else ``""``; a browser reads ``//`` as another host."""
    parts = urlsplit(wanted)
    outside = parts.scheme or parts.netloc or not wanted.startswith(base_url) or wanted.startswith("//")
    return "" if outside or "\\" in wanted or not wanted.isprintable() else wanted


class Door(BaseHandler):
    """A page of the door. Pages answer a refused form with the same form, what was typed (never passwords), and why."""

    def set_default_headers(self) -> None:
        """Send the stricter policy, and let nobody keep a page that may hold a one-time code."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        """Let a link choose the language with ``?lang=``, for this page and those after it."""
        chosen = self.get_query_argument("lang", "")
        if chosen in i18n.LOCALES:
            self.remember_language(chosen)
        await super().prepare()

    @property
    def language(self) -> i18n.Locale:
        """The language this visitor reads."""
        return i18n.locale_of(self.request, self.authenticator.site_locale)

    def say(self, message: str, **values: object) -> str:
        """Return ``message`` in the visitor's language."""
        return i18n.say(self.language, message, **values)

    def field(self, name: str, *, strip: bool = True) -> str:
        """Return a form field, cut at a length no honest one reaches."""
        return str(self.get_body_argument(name, "", strip=strip))[:MAX_FIELD]

    @property
    def address(self) -> str:
        """Where the visitor comes from, as the throttle counts it."""
        return address_key(self.request.remote_ip)

    def count_attempt(self, *keys: Key) -> None:
        """Count one attempt.

        Raises:
            TooManyAttempts: one of the keys has to wait.
        """
        if wait := self.authenticator.throttle.attempt(keys):
            raise TooManyAttempts(wait)

    def wait_words(self, refused: TooManyAttempts) -> str:
        """Set the answer to 429 and return the sentence that says how long to wait."""
        self.set_status(429)
        self.set_header("Retry-After", str(refused.seconds))
        minutes = -(-refused.seconds // 60)
        if minutes > 1:
            return self.say("Too many attempts. Wait %(minutes)d minutes, then try again.", minutes=minutes)
        return self.say("Too many attempts. Wait %(seconds)d seconds, then try again.", seconds=refused.seconds)

    def password_words(self, weakness: passwords.Weakness) -> str:
        """Return what is wrong with a new password."""
        return {
            "short": self.say("The password needs at least 10 characters."),
            "long": self.say("The password is too long: at most 72 bytes (24 Chinese characters)."),
            "common": self.say("Many people use this password, so it is guessed first. Choose another one."),
            "name": self.say("The password is little more than the user name. Choose another one."),
        }[weakness]

    async def show(self, template: str, **words: Any) -> None:
        """Answer with a page."""
        self.finish(await self.render_template(template, **words))

    def remember_language(self, locale: str) -> None:
        """Leave the cookie that portal and hub share."""
        secure = self.request.protocol == "https"
        self.set_cookie(
            i18n.COOKIE, locale, max_age=LANGUAGE_SECONDS, path="/", samesite="Lax", httponly=True, secure=secure
        )

    async def admit(self, name: str, password: str, write: Callable[[bool], object]) -> None:
        """Store somebody's password and then, by ``write(name_taken)``, the person.

        A password without a person opens nothing, so it goes first, and is taken back when ``write`` refuses; nobody
        else enters between the two.
        """
        keeper = self.authenticator
        encoded = await passwords.hashed(password)
        async with keeper.entering:
            known = await asyncio.to_thread(keeper.people.person, name)
            # Home folder and labs of a name JupyterHub knows already would pass to a newcomer.
            taken = known is not None or self.find_user(name) is not None
            if not taken:
                keeper.put_login(name, encoded)
            try:
                await asyncio.to_thread(write, taken)
            except BaseException:
                if not taken:
                    keeper.drop_login(name)
                raise

    async def enter(self, name: str) -> None:
        """Sign in somebody who has just proven who they are, in a session of its own, and send them on."""
        user = await self.auth_to_user(self.authenticator.auth_model(name))
        self.set_session_cookie()
        self.set_login_cookie(user)
        user._auth_refreshed = time.monotonic()  # noqa: SLF001 (as BaseHandler.login_user does)
        self._jupyterhub_user = user
        # Not get_next_url: it hands the query of this page on, and a welcome link's query is its one-time code.
        wanted = local_address(str(self.get_query_argument("next", "")), self.base_url)
        self.redirect(wanted or f"{self.hub.base_url}home")

    def end_sessions(self, user: Any) -> None:
        """Make every cookie of ``user`` worthless, copied ones included, and revoke what browsers were given.

        The hub knows one cookie id per person, so this signs them out everywhere; running labs keep their own tokens.
        """
        user.orm_user.cookie_id = orm.new_token()
        tokens = self.db.query(orm.APIToken).filter(
            orm.APIToken.user_id == user.orm_user.id, orm.APIToken.session_id.is_not(None)
        )
        for token in tokens:
            self.db.delete(token)
        self.db.commit()
