"""``/hub/signup``: a trainee takes the roster seat that class code and number name, and chooses a password."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from hub.door.pages import Door, TooManyAttempts
from hub.people.person import NAME_PATTERN, SeatRefused

FIELD_OF = {"class-code": "class_code", "number": "number", "seat-taken": "number", "name": "username"}
"""The form field each refusal of a seat is shown at."""


@dataclass(frozen=True, slots=True)
class Application:
    """What a newcomer typed."""

    class_code: str
    number: str
    username: str
    password: str = field(repr=False)
    again: str = field(repr=False)

    def shown(self) -> dict[str, str]:
        """Return what the form may be filled with again: everything but the passwords."""
        return {name: value for name, value in asdict(self).items() if name not in {"password", "again"}}


class SignUp(Door):
    """The sign-up page."""

    async def get(self) -> None:
        """Show the form; a link may bring the class code along."""
        if self.current_user:
            self.redirect(self.get_next_url(self.current_user))
            return
        code = str(self.get_query_argument("code", ""))[:20]
        await self._form({"class_code": code, "number": "", "username": ""}, {})

    async def post(self) -> None:
        """Take the seat and sign in, or show the form again with what was wrong."""
        typed = self._read()
        keys = [("sign-up", f"{typed.username} {self.address}"), ("sign-up-address", self.address)]
        wrong = self._mistakes(typed)
        if not wrong:
            try:
                self.count_attempt(*keys)
                await self._take_seat(typed)
            except TooManyAttempts as refused:
                wrong = {"": self.wait_words(refused)}
            except SeatRefused as refused:
                self.set_status(422)
                wrong = {FIELD_OF.get(refused.code, ""): refused.in_locale(self.language)}
        if wrong:
            await self._form(typed.shown(), wrong)
            return
        self.authenticator.throttle.forgive(keys, clear=keys[:1])
        self.remember_language(self.language)
        await self.enter(typed.username)

    def _read(self) -> Application:
        return Application(
            class_code=self.field("class_code"),
            number=self.field("number"),
            username=self.authenticator.normalize_username(self.field("username")),
            password=self.field("password", strip=False),
            again=self.field("again", strip=False),
        )

    def _mistakes(self, typed: Application) -> dict[str, str]:
        """Return what can be seen to be wrong without looking anything up, by field."""
        wrong = {}
        if not typed.class_code:
            wrong["class_code"] = self.say("Type the class code your instructor gave you.")
        if not typed.number:
            wrong["number"] = self.say("Type your number as it stands on the class roster.")
        if not NAME_PATTERN.match(typed.username):
            wrong["username"] = self.say("Use 2 to 63 lower-case letters, digits, and . _ - after the first character.")
        if weakness := self.authenticator.weakness(typed.password, typed.username):
            wrong["password"] = self.password_words(weakness)
        elif typed.password != typed.again:
            wrong["again"] = self.say("The two passwords are not the same.")
        if wrong:
            self.set_status(422)
        return wrong

    async def _take_seat(self, typed: Application) -> None:
        def enrol(name_taken: bool) -> None:  # noqa: FBT001 (the one fact it is told)
            self.authenticator.people.enrol(
                typed.class_code, typed.number, typed.username, locale=self.language, name_taken=name_taken
            )

        await self.admit(typed.username, typed.password, enrol)

    async def _form(self, typed: dict[str, str], wrong: dict[str, str]) -> None:
        await self.show("signup.html", typed=typed, wrong=wrong)
