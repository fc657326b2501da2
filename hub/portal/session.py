"""Who is asking: signing in through JupyterHub's OAuth, kept in the portal's own signed cookie.

The portal never sees a password. ``HubOAuth`` gives the addresses, the state and the token exchange; the token lies in
Flask's signed, HttpOnly session cookie and is shown to the hub (with the hub's own session id, so that signing out of
the hub signs out here) whenever the answer is older than ``HubOAuth.cache_max_age``.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import httpx
from flask import redirect, session
from jupyterhub.services.auth import HubOAuth
from tornado.httputil import url_concat
from tornado.web import HTTPError

if TYPE_CHECKING:
    from flask import Request
    from werkzeug import Response

HUB_SESSION_COOKIE = "jupyterhub-session-id"
HUB_ANSWER_SECONDS = 60
STOP_SECONDS = 5.0
"""How long a page waits for a lab's end; what takes longer is waited for by the page itself."""
CONNECT_SECONDS = 2.0
OPEN_SIGN_INS = 4  # tabs that may be on their way to the hub and back at once


class SignInError(Exception):
    """Signing in did not work; the message says why, for the log."""


class StopError(Exception):
    """The hub did not stop a server; ``status`` is its HTTP status, None without an answer."""

    def __init__(self, status: int | None, why: str) -> None:
        super().__init__(why)
        self.status = status


class SignIn(Protocol):
    """What the portal needs to know about signing in."""

    key: bytes
    """Signs the portal's cookies and form tokens."""

    def name(self, request: Request) -> str | None:
        """The hub user name of whoever sent ``request``, or None when nobody is signed in."""

    def begin(self, next_path: str) -> Response:
        """Send the browser to the hub; it comes back to ``<prefix>/oauth_callback``, then to ``next_path``."""

    def stop_server(self, name: str) -> None:
        """Ask the hub, as the signed-in person ``name``, to stop their server; returns when it is stopping or gone.

        Raises:
            StopError: the hub does not do it, or gives no answer.
        """

    def complete(self, request: Request) -> Response:
        """Take what the hub sent back, remember the person, and go on to where they wanted to be.

        Raises:
            SignInError: the answer is not one this browser asked for, or the hub refused.
        """


class HubSignIn:
    """Signs in through the hub; ``api_token`` is the one the hub knows the portal by."""

    def __init__(self, *, api_url: str, api_token: str, prefix: str, service: str = "portal") -> None:
        self._auth = HubOAuth(
            api_url=api_url,
            api_token=api_token,
            base_url=prefix,
            oauth_client_id=f"service-{service}",
            oauth_redirect_uri=f"{prefix}oauth_callback",
            access_scopes={f"access:services!service={service}"},
            cache_max_age=HUB_ANSWER_SECONDS,
        )
        # Derived, so that the token itself never signs anything a browser holds.
        self.key = hmac.digest(api_token.encode(), b"cookies of the portal", "sha256")

    def name(self, request: Request) -> str | None:
        """The hub user of this browser, or None; a token the hub no longer honours is forgotten."""
        token = session.get("token")
        if not token:
            return None
        model = self._ask_hub(lambda: self._auth.user_for_token(token, session_id=_hub_session(request)))
        if model is None or not self._auth.check_scopes(self._auth.access_scopes, model):
            session.clear()
            return None
        return str(model["name"])

    def begin(self, next_path: str) -> Response:
        """Start OAuth with a state and a PKCE challenge of its own."""
        verifier, challenge, method = self._auth.generate_pkce_code_challenge()
        state = self._auth.generate_state(next_path, code_verifier=verifier)
        session["states"] = [*session.get("states", []), state][-OPEN_SIGN_INS:]
        pkce = {"code_challenge": challenge, "code_challenge_method": method}
        return redirect(url_concat(self._auth.login_url, {"state": state, **pkce}))

    def complete(self, request: Request) -> Response:
        """Exchange the hub's code for a token, if it answers a question this browser asked."""
        if "error" in request.args:
            raise SignInError(f"the hub refused: {request.args.get('error_description', request.args['error'])[:200]}")
        state = self._claim_state(request.args.get("state", ""))
        code = request.args.get("code", "")
        verifier = self._auth.get_code_verifier(state)
        token = self._ask_hub(lambda: self._auth.token_for_code(code, code_verifier=verifier))
        session.clear()  # a form token from before signing in must not outlive it
        session["token"] = token
        next_path = self._auth.get_next_url(state)
        self._auth.clear_oauth_state(state)
        return redirect(next_path)

    def stop_server(self, name: str) -> None:
        """Use the person's own token, which may do this for them and for nobody else (see :mod:`hub.traits`)."""
        address = f"{self._auth.api_url}/users/{quote(name, safe='')}/server"
        token = {"Authorization": f"token {session.get('token', '')}"}
        try:
            answer = httpx.delete(address, headers=token, timeout=httpx.Timeout(STOP_SECONDS, connect=CONNECT_SECONDS))
        except httpx.ReadTimeout:
            return  # the hub goes on stopping it; the page shows when the ledger has its end
        except httpx.HTTPError as error:
            raise StopError(None, f"the hub could not be asked: {error}") from error
        if answer.status_code not in {202, 204}:
            raise StopError(answer.status_code, f"the hub answered {answer.status_code}: {answer.text[:200]}")

    def _claim_state(self, state: str) -> str:
        asked = session.pop("states", [])
        if not any(secrets.compare_digest(state.encode(), ours.encode()) for ours in asked):
            raise SignInError("got a state this browser did not ask with, expected one that began here")
        return state

    def _ask_hub(self, question: Any) -> Any:
        try:
            return question()
        except HTTPError as error:
            raise SignInError(f"the hub could not be asked: {error.log_message or error}") from error


def _hub_session(request: Request) -> str:
    return request.cookies.get(HUB_SESSION_COOKIE, "")
