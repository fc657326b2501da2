"""Serves nbgrader's formgrader of one course as a JupyterHub service: its pages and nothing else of Jupyter's server.

No kernels, terminals, files or contents are routed: an instructor grades here, and code runs elsewhere. Who may come in
is the hub's business (``access:services!service=formgrader-<course>``). Settings come from :func:`formgrader_config`
alone: neither a file in a home nor the page's own ``?path=`` can name others, which nbgrader would run as Python.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupyterhub.singleuser.extension import JupyterHubSingleUser
from nbgrader.server_extensions.formgrader.base import BaseApiHandler, BaseHandler, check_xsrf
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from tornado.web import authenticated

from grader.exchange import exchange_config
from grader.gradebook import Gradebooks
from grader.release import converter_config
from grader.viewable import clean_html

if TYPE_CHECKING:
    from pathlib import Path

    from traitlets.config import Config

    from grader.release import Gate
    from grader.store import Store

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""nbgrader's pages need inline scripts; nothing a learner wrote may make the instructor's browser call elsewhere."""

_MESSAGE = re.compile(r"^\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] ", re.MULTILINE)
_COLUMNS = 80


def formgrader_config(
    course: str, work_dir: Path, store: Store, *, timezone: str = "Asia/Shanghai", gate: Gate | None = None
) -> Config:
    """The settings of one course's formgrader.

    Args:
        course: its id.
        work_dir: nbgrader's folder of the course, with ``gradebook.db``.
        store: what the buttons act on.
        timezone: of the times on the pages.
        gate: asked before the Release button publishes anything.
    """
    config = converter_config(work_dir, course)
    config.merge(exchange_config(course, work_dir, store, Gradebooks(work_dir.parent), gate=gate))
    config.NbGraderAPI.timezone = timezone
    config.FormgradeExtension.debug = False  # it prints the settings on a page
    config.HTMLExporter.sanitize_html = True
    # nbgrader's template cleans no Markdown, but passes all of it through this filter last.
    config.HTMLExporter.filters = {"strip_files_prefix": clean_html, "clean_html": clean_html}
    config.HTMLExporter.mathjax_url = ""
    config.HTMLExporter.require_js_url = ""
    config.HTMLExporter.jquery_url = ""
    config.ServerApp.root_dir = str(work_dir)
    config.ServerApp.default_url = "/formgrader"
    config.ServerApp.allow_root = True  # no code runs here, so the platform's own user may be root
    config.ServerApp.terminals_enabled = False
    config.ServerApp.contents_manager_class = NoFiles
    config.ServerApp.authorizer_class = NobodyElsewhere
    config.ServerApp.tornado_settings = {"headers": {"Content-Security-Policy": POLICY}}
    return config


def run_formgrader(config: Config) -> None:
    """Serve until stopped; addresses and the service's token come from the environment's JUPYTERHUB_* variables."""
    FormgraderServer.initialize_server(argv=[], config=config).start()


class NoFiles(LargeFileManager):
    """Jupyter's manager of files, without the route by which it hands them out."""

    def get_extra_handlers(self) -> list[Any]:
        """No routes."""
        return []


class NobodyElsewhere(Authorizer):
    """Refuses whatever of Jupyter's own might still be routed; nbgrader's pages are guarded by the hub's sign-in."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:  # noqa: ARG002  its interface
        """Nobody is."""
        return False


class PagesOnly(ServerApp):
    """Jupyter's server without kernels, contents, files, terminals and conversion."""

    default_services = ("auth", "security")  # type: ignore[assignment]  # a shorter tuple is the documented use


class FormgraderServer(JupyterHubSingleUser):
    """JupyterHub's sign-in around :class:`PagesOnly`, and formgrader's pages on it."""

    serverapp_class = PagesOnly
    load_other_extensions = False
    extension_url = "/formgrader"

    @classmethod
    def get_extension_package(cls) -> str:
        """The module that announces this extension: this one, not the whole package."""
        return __name__

    def initialize_handlers(self) -> None:
        """Put formgrader's routes on the server."""
        install_pages(self.serverapp)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__, "app": FormgraderServer}]


def install_pages(server: ServerApp) -> None:
    """Add the formgrader of ``server``'s settings to its routes."""
    pages = CoursePages(parent=server)
    pages.root_dir = server.root_dir
    pages.log = server.log
    pages.initialize([])
    pages.init_tornado_settings(server.web_app)
    pages.init_handlers(server.web_app)


class CoursePages(FormgradeExtension):
    """nbgrader's formgrader, bound to the settings it was made with."""

    def load_config_file(self, **_named: Any) -> None:
        """Read no file: what stands in the settings is all there is."""

    def load_config(self) -> Config:
        """The settings this was made with, where nbgrader would read them from files again."""
        return self.config

    def init_syspath(self) -> None:
        """Leave the import path alone."""

    def init_handlers(self, webapp: Any) -> None:
        """Add nbgrader's routes, behind our own for the first page: an earlier route wins."""
        top = rf"{webapp.settings['base_url'].rstrip('/')}/formgrader"
        ours = [(rf"{top}/?", FirstPage), (rf"{top}/api/assignment/([^/]+)/release", Release)]
        webapp.add_handlers(".*$", ours)
        super().init_handlers(webapp)


class Release(BaseApiHandler):
    """Releases a lab. Of a refusal nbgrader would show every line of its log and a traceback around the reasons."""

    @authenticated
    @check_xsrf
    def post(self, assignment_id: str) -> None:
        """Release, and answer the reasons alone where it is refused."""
        answer = self.api.release_assignment(assignment_id)
        if not answer["success"]:
            reasons = _errors(answer.get("log", ""))
            answer["log"] = "\n\n".join(_folded(one) for one in reasons)
            # Where the reasons are told, there is nothing to trace.
            answer["error"] = "" if reasons else answer["error"].strip().splitlines()[-1]
        self.write(json.dumps(answer))


def _errors(log: str) -> list[str]:
    """The messages in nbgrader's ``log`` that are errors, all of their lines."""
    said = _MESSAGE.split(log)
    return [text.strip() for level, text in zip(said[1::2], said[2::2], strict=True) if level == "ERROR"]


def _folded(message: str) -> str:
    """``message`` in lines that the page's box can hold: it wraps none itself."""
    return "\n".join(
        line if _columns(line) <= _COLUMNS else textwrap.fill(line, _COLUMNS * len(line) // _columns(line))
        for line in message.splitlines()
    )


def _columns(line: str) -> int:
    """How wide ``line`` is: a Chinese character takes two columns."""
    return sum(1 if character.isascii() else 2 for character in line)


class FirstPage(BaseHandler):
    """Leads to the course's labs. nbgrader's own first page runs the configuration file of any folder in ``?path=``."""

    @authenticated
    @check_xsrf
    def get(self) -> None:
        """Redirect, whatever the query says."""
        self.redirect(f"{self.base_url}/formgrader/manage_assignments")
