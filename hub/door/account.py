"""Changing a password: one's own, and an administrator's help for somebody who forgot theirs."""

from __future__ import annotations

from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError, authenticated

from hub.door import password as passwords
from hub.door.pages import Door, TooManyAttempts


class OwnPassword(Door):
    """``/hub/change-password``: needs the present password, and signs every other browser out."""

    @authenticated
    async def get(self) -> None:
        """Show the form, or that it is done."""
        await self._form({}, done=bool(self.get_query_argument("done", "")))

    @authenticated
    async def post(self) -> None:
        """Change it, or show the form again with what was wrong."""
        user = self.current_user
        wrong = await self._mistakes(user.name)
        if wrong:
            await self._form(wrong)
            return
        self.authenticator.put_login(user.name, await passwords.hashed(self.field("password", strip=False)))
        self.end_sessions(user)
        self.set_session_cookie()
        self.set_login_cookie(user)
        self.redirect(f"{self.hub.base_url}change-password?done=1")

    async def _mistakes(self, name: str) -> dict[str, str]:
        new = self.field("password", strip=False)
        self.set_status(422)
        if weakness := self.authenticator.weakness(new, name):
            return {"password": self.password_words(weakness)}
        if new != self.field("again", strip=False):
            return {"again": self.say("The two passwords are not the same.")}
        try:
            self.count_attempt(("password", name))
        except TooManyAttempts as refused:
            return {"": self.wait_words(refused)}
        if not await self.authenticator.password_matches(name, self.field("old", strip=False)):
            return {"old": self.say("This is not your present password.")}
        self.authenticator.throttle.forgive([], clear=[("password", name)])
        self.set_status(200)
        return {}

    async def _form(self, wrong: dict[str, str], *, done: bool = False) -> None:
        await self.show("change-password.html", wrong=wrong, done=done, whose="")


class SomebodysPassword(Door):
    """``/hub/change-password/NAME``: an administrator sets a new one; that person's sessions end."""

    @needs_scope("admin:users")
    async def get(self, name: str) -> None:
        """Show the form, or that it is done."""
        await self._form(name, {}, done=bool(self.get_query_argument("done", "")))

    @needs_scope("admin:users")
    async def post(self, name: str) -> None:
        """Set it, or show the form again with what was wrong."""
        self._check(name)
        new, wrong = self.field("password", strip=False), {}
        if weakness := self.authenticator.weakness(new, name):
            wrong["password"] = self.password_words(weakness)
        elif new != self.field("again", strip=False):
            wrong["again"] = self.say("The two passwords are not the same.")
        if wrong:
            self.set_status(422)
            await self._form(name, wrong)
            return
        self.authenticator.put_login(name, await passwords.hashed(new))
        if user := self.find_user(name):
            self.end_sessions(user)
        self.redirect(f"{self.request.path}?done=1")

    def _check(self, name: str) -> None:
        if self.authenticator.people.person(name) is None:
            raise HTTPError(404, "Nobody of this name is on a roster or among the staff")

    async def _form(self, name: str, wrong: dict[str, str], *, done: bool = False) -> None:
        self._check(name)
        await self.show("change-password.html", wrong=wrong, done=done, whose=name)
