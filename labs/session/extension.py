"""The server extension that tells the platform, each minute, when this lab was last used, and passes on the answer.

The page asks for the answer with POST reelwright/session, and says how long ago a key was pressed or the mouse moved.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async, url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError, authenticated

from labs.exchange.answers import IntakeError
from labs.exchange.client import Intake
from labs.language import locale
from labs.session.use import LastUse

if TYPE_CHECKING:
    from labs.exchange.answers import Session

EVERY_SECONDS = 60.0
MOST_UNUSED_SECONDS = 31 * 86_400


class SessionClock:
    """What this server knows of its own use."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._last_use = LastUse()

    def touched(self, seconds_ago: int) -> None:
        """Note that the learner pressed a key or moved the mouse so long ago."""
        self._last_use.saw(datetime.now(UTC) - timedelta(seconds=seconds_ago))

    async def tell(self) -> Session:
        """Tell the platform when this lab was last used; gives its answer.

        Raises:
            IntakeError: the platform cannot be reached, or knows of no session.
        """
        now = datetime.now(UTC)
        self._last_use.saw_kernels(await ensure_async(self._server.kernel_manager.list_kernels()), now)
        terminals = self._server.web_app.settings.get("terminal_manager")
        if terminals is not None:
            self._last_use.saw_terminals(await ensure_async(terminals.list()))
        return await asyncio.to_thread(_tell, self._last_use.seconds_ago(now))

    async def tell_each_minute(self) -> None:
        """Tell also when no page is open; a failure is logged and tried again in a minute."""
        try:
            await self.tell()
        except IntakeError as error:
            self._server.log.warning("the session could not be told: %s", error)


class SessionHandler(APIHandler):
    """When this lab ends and what it costs, for the page."""

    def initialize(self, clock: SessionClock) -> None:
        """Take the server's clock."""
        self._clock = clock

    @authenticated
    async def post(self) -> None:
        """Take in when the learner last touched the page, and answer with the session."""
        told = self.get_json_body() or {}
        seconds = told.get("untouched_seconds")
        if type(seconds) is not int or not 0 <= seconds <= MOST_UNUSED_SECONDS:
            raise HTTPError(400, f"expected untouched_seconds from 0 to {MOST_UNUSED_SECONDS}")
        self._clock.touched(seconds)
        try:
            session = await self._clock.tell()
        except IntakeError as error:
            self.set_status(error.status or 503)
            self.finish(json.dumps({"message": str(error)}))
            return
        self.finish(json.dumps({**session.model_dump(), "locale": locale()}))


def _tell(unused_seconds: int) -> Session:
    with Intake.from_environment() as intake:
        return intake.session(min(unused_seconds, MOST_UNUSED_SECONDS))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labs.session.extension"}]


def _load_jupyter_server_extension(server: Any) -> None:
    clock = SessionClock(server)
    path = url_path_join(server.web_app.settings["base_url"], "reelwright/session")
    server.web_app.add_handlers(".*$", [(path, SessionHandler, {"clock": clock})])
    PeriodicCallback(clock.tell_each_minute, EVERY_SECONDS * 1000).start()
