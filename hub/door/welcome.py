"""``/hub/welcome?code=…``: the one-time first sign-in of staff; whoever holds the link chooses name and password."""

from __future__ import annotations

import asyncio

from hub.door.pages import Door, TooManyAttempts
from hub.people.person import MAX_FULL_NAME, NAME_PATTERN, InvitationRefused, text_problem

FIELD_OF = {"name": "username", "full-name": "full_name"}
GONE = 410


class Welcome(Door):
    """The page behind a one-time link. Opening it uses nothing up; only a finished form does."""

    async def get(self) -> None:
        """Show the form while the link is good."""
        if invited := await self._invited():
            await self._form(invited, {"username": "", "full_name": ""}, {})

    async def post(self) -> None:
        """Make the person and sign them in, or show the form again with what was wrong."""
        invited = await self._invited()
        if invited is None:
            return
        name = self.authenticator.normalize_username(self.field("username"))
        full_name, password = self.field("full_name"), self.field("password", strip=False)
        wrong = self._mistakes(name, full_name, password)
        if not wrong:
            try:
                await self._redeem(name, full_name, password)
            except InvitationRefused as refused:
                wrong = {FIELD_OF.get(refused.code, ""): refused.in_locale(self.language)}
                self.set_status(422)
        if wrong:
            await self._form(invited, {"username": name, "full_name": full_name}, wrong)
            return
        self.remember_language(self.language)
        await self.enter(name)

    @property
    def _code(self) -> str:
        return str(self.get_query_argument("code", ""))[:100]

    async def _invited(self) -> tuple[str, str] | None:
        """Return role and course of a good link; answer otherwise, also when this address has to wait."""
        key = ("welcome-address", self.address)
        try:
            self.count_attempt(key)
        except TooManyAttempts as refused:
            await self.show("welcome.html", role=None, why=self.wait_words(refused))
            return None
        invited = await asyncio.to_thread(self.authenticator.people.invitation_role, self._code)
        if invited is None:
            self.set_status(GONE)
            await self.show("welcome.html", role=None, why="")
            return None
        self.authenticator.throttle.forgive([key])
        return str(invited[0]), str(invited[1])

    async def _form(self, invited: tuple[str, str], typed: dict[str, str], wrong: dict[str, str]) -> None:
        await self.show("welcome.html", role=invited[0], course=invited[1], typed=typed, wrong=wrong)

    def _mistakes(self, name: str, full_name: str, password: str) -> dict[str, str]:
        wrong = {}
        if not NAME_PATTERN.match(name):
            wrong["username"] = self.say("Use 2 to 63 lower-case letters, digits, and . _ - after the first character.")
        if text_problem(full_name, MAX_FULL_NAME):
            wrong["full_name"] = self.say("Type your name in one line of at most 100 characters.")
        if weakness := self.authenticator.weakness(password, name):
            wrong["password"] = self.password_words(weakness)
        elif password != self.field("again", strip=False):
            wrong["again"] = self.say("The two passwords are not the same.")
        if wrong:
            self.set_status(422)
        return wrong

    async def _redeem(self, name: str, full_name: str, password: str) -> None:
        code, people = self._code, self.authenticator.people

        def redeem(name_taken: bool) -> None:  # noqa: FBT001 (the one fact it is told)
            people.redeem_invitation(code, name, full_name, name_taken=name_taken)

        await self.admit(name, password, redeem)
