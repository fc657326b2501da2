"""The server extension behind a lab in the making: ``GET`` fetches and opens it, ``POST`` sends it to the course.

``reelwright/draft/COURSE/LAB``; with ``?as=learner`` it opens what learners would get.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_escape, url_path_join
from tornado.web import HTTPError, authenticated

from labs.authoring.draft import open_as_learner, open_draft, send_draft
from labs.exchange.client import Intake
from labs.language import LabError

if TYPE_CHECKING:
    from labs.authoring.draft import Sent

PLACE = r"reelwright/draft/([a-z0-9][a-z0-9-]{0,62})/([a-z0-9][a-z0-9-]{0,62})"


class OpenDraft(JupyterHandler):
    """Brings a lab in the making into the home and leads to its notebook; also sends it back."""

    @authenticated
    async def get(self, course: str, lab: str) -> None:
        """Fetch, then open in JupyterLab."""
        home, fetch = _home(self), open_as_learner if self.get_argument("as", "") == "learner" else open_draft
        try:
            notebook = await asyncio.to_thread(_with_intake, fetch, course, lab, home)
        except LabError as error:
            raise HTTPError(getattr(error, "status", 0) or 503, str(error).replace("%", "%%")) from error
        path = url_escape(notebook.relative_to(home).as_posix())
        self.redirect(url_path_join(self.base_url, "lab/tree", path))

    @authenticated
    async def post(self, course: str, lab: str) -> None:
        """Send the folder to the course; the answer says where its page is."""
        try:
            told = json.loads(self.request.body or b"{}")
            replace = told["replace"]
        except (ValueError, KeyError, TypeError):
            replace = None
        if not isinstance(replace, bool):
            raise HTTPError(400, 'expected {"replace": true or false}')
        self.set_header("Content-Type", "application/json")
        try:
            sent = await asyncio.to_thread(_send, course, lab, _home(self), replace=replace)
        except (LabError, OSError) as error:
            self.set_status(getattr(error, "status", 0) or 503)
            self.finish(json.dumps({"message": str(error)}))
            return
        self.finish(json.dumps({"page": sent.page, "left_out": sent.left_out}))


def _home(handler: Any) -> Path:
    return Path(handler.settings["server_root_dir"]).expanduser().absolute()


def _with_intake(fetch: Any, course: str, lab: str, home: Path) -> Path:
    with Intake.from_environment() as intake:
        notebook: Path = fetch(intake, course, lab, home)
        return notebook


def _send(course: str, lab: str, home: Path, *, replace: bool) -> Sent:
    with Intake.from_environment() as intake:
        return send_draft(intake, course, lab, home, replace=replace)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labs.authoring.extension"}]


def _load_jupyter_server_extension(server: Any) -> None:
    path = url_path_join(server.web_app.settings["base_url"], PLACE)
    server.web_app.add_handlers(".*$", [(path, OpenDraft)])
