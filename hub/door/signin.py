"""Signing in and out."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers.login import LoginHandler, LogoutHandler

from hub.door.pages import Door, TooManyAttempts


class SignIn(Door, LoginHandler):
    """``/hub/login``: name and password. A wrong name and a wrong password are answered alike."""

    async def post(self) -> None:
        """Sign in, or show the form again with what was wrong."""
        typed = {"username": self.field("username"), "password": self.field("password", strip=False)}
        try:
            user = await self.login_user(typed)
        except TooManyAttempts as refused:
            await self._again(self.wait_words(refused), typed["username"])
            return
        if user is None:
            self.set_status(403)
            await self._again(self.say("User name or password is not right."), typed["username"])
            return
        self._jupyterhub_user = user
        person = self.authenticator.people.person(user.name)
        if person and person.locale and not self.get_cookie("reelwright-lang"):
            self.remember_language(person.locale)
        self.redirect(self.get_next_url(user))

    def set_login_cookie(self, user: Any) -> None:
        """Begin a session of its own at sign-in, whatever session id the browser brought along."""
        if self.current_user is None:
            self.set_session_cookie()
        super().set_login_cookie(user)

    def render_template(self, name: str, sync: bool = False, **words: Any) -> Any:  # noqa: FBT001, FBT002 (JupyterHub's)
        """Say in the visitor's language that a form had expired; JupyterHub renders that error as the login page."""
        if words.get("login_error") and words.get("status_code") == 403:  # noqa: PLR2004 (Forbidden)
            words["login_error"] = self.say("This form was open too long, or cookies are off. Try again.")
        return super().render_template(name, sync=sync, **words)

    async def _again(self, why: str, name: str) -> None:
        self.finish(await self._render(login_error=why, username=name))


class SignOut(Door, LogoutHandler):
    """``/hub/logout``: ends every session of the person, so that a copied cookie is worth nothing afterwards."""

    async def get(self) -> None:
        """Sign out; a link on somebody else's page only gets the question."""
        if self.current_user and self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            await self.show("logout.html", asks=True)
            return
        await self._leave()

    async def post(self) -> None:
        """Sign out on purpose."""
        await self._leave()

    async def _leave(self) -> None:
        user = self.current_user
        await self.default_handle_logout()
        if user:
            self.end_sessions(user)
        self._jupyterhub_user = None
        await self.show("logout.html", asks=False)
