"""Who is asking: signing in through JupyterHub's OAuth, kept in the portal's own signed cookie.

The portal never sees a password. ``HubOAuth`` gives the addresses, the state and the token exchange; the token lies in
Flask's signed, HttpOnly session cookie and is shown to the hub (with the hub's own session id, so that signing out of
the hub signs out here) whenever the answer is older than ``HubOAuth.cache_max_age``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flask import Request
    from werkzeug import Response


class SignIn(Protocol):
    """What the portal needs to know about signing in."""

    key: bytes
    """Signs the portal's cookies and form tokens."""

    def name(self, request: Request) -> str | None:
        """The hub user name of whoever sent ``request``, or None when nobody is signed in."""

    def begin(self, next_path: str) -> Response:
        """Send the browser to the hub; it comes back to ``<prefix>/oauth_callback``, then to ``next_path``."""

    def complete(self, request: Request) -> Response:
        """Take what the hub sent back, remember the person, and go on to where they wanted to be.

        Raises:
            SignInError: the answer is not one this browser asked for, or the hub refused.
        """


class SignInError(Exception):
    """Signing in did not work; the message says why."""
