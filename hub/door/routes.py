"""Which handler answers at which address of the hub; these come before JupyterHub's own."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers.pages import HomeHandler
from tornado.web import HTTPError, StaticFileHandler

from hub.door.account import OwnPassword, SomebodysPassword
from hub.door.assets import PREFIX, STATIC
from hub.door.pages import Door, local_address
from hub.door.signin import SignIn, SignOut
from hub.door.signup import SignUp
from hub.door.welcome import Welcome
from hub.i18n import LOCALES

PORTAL = "portal"
"""The service whose pages people work in."""


class Language(Door):
    """``/hub/lang?to=…&next=…``: remembers a language and goes back to the page."""

    def get(self) -> None:
        """Set the cookie (and the person's own choice), and return to a page of this site only."""
        wanted = self.get_query_argument("to", "")
        if wanted not in LOCALES:
            raise HTTPError(400, f"to: got {wanted[:20]!r}, expected one of {', '.join(LOCALES)}")
        self.remember_language(wanted)
        if self.current_user:
            self.authenticator.people.set_locale(self.current_user.name, wanted)
        self.redirect(local_address(self.get_query_argument("next", ""), self.base_url) or self.hub.base_url)


class Home(HomeHandler):
    """``/hub/home``: the portal is where people work; the hub's own page is for a hub that runs without it."""

    async def get(self) -> None:
        """Send people to the portal."""
        if PORTAL in self.services:
            self.redirect(f"{self.base_url}services/{PORTAL}/")
        else:
            await super().get()


def handlers() -> list[tuple[Any, ...]]:
    """Return the door's addresses, relative to the hub's base URL."""
    return [
        (r"/login", SignIn),
        (r"/logout", SignOut),
        (r"/signup", SignUp),
        (r"/welcome", Welcome),
        (r"/change-password", OwnPassword),
        (r"/change-password/([^/]+)", SomebodysPassword),
        (r"/lang", Language),
        (r"/home", Home),
        (rf"/{PREFIX}(.*)", StaticFileHandler, {"path": str(STATIC)}),
    ]
