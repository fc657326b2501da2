"""The server extension behind JupyterLab's assignment list: nbgrader's own, with the intake's words kept.

nbgrader's manager replaces every exchange error by advice about a shared folder, shows a traceback for a refused
submission, and drops the reason when a fetch fails. Its list, routes and JavaScript stay as they are.
"""

from __future__ import annotations

import json
import os
from typing import Any

from jupyter_server.utils import url_path_join
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError, ExchangeFactory
from nbgrader.server_extensions.assignment_list.handlers import (
    AssignmentActionHandler,
    AssignmentList,
    AssignmentListHandler,
    CourseListHandler,
    NbGraderVersionHandler,
)
from tornado.web import HTTPError, authenticated

from labs.language import Words

Answer = dict[str, Any]
ACTIONS = r"(?P<action>fetch|submit|fetch_feedback)"


class HttpAssignmentList(AssignmentList):
    """Runs the exchange and answers with its own words when it refuses."""

    def list_released_assignments(self, course_id: str | None = None) -> Answer:
        """Open and fetched labs; paths of fetched ones relative to the server's root."""
        answer = self._run("List", course_id)
        for lab in answer["value"] if answer["success"] else ():
            if lab["status"] == "fetched":
                for row in (lab, *lab["notebooks"]):
                    row["path"] = os.path.relpath(row["path"], self.root_dir)
        return answer

    def list_submitted_assignments(self, course_id: str | None = None) -> Answer:
        """Labs with their attempts; folders of results relative to the server's root."""
        answer = self._run("List", course_id, cached=True)
        for lab in answer["value"] if answer["success"] else ():
            for row in lab["submissions"]:
                if row["local_feedback_path"]:
                    row["local_feedback_path"] = os.path.relpath(row["local_feedback_path"], self.root_dir)
        return answer

    def fetch_assignment(self, course_id: str, assignment_id: str) -> Answer:
        """Fetch a lab."""
        return self._run("FetchAssignment", course_id, assignment_id)

    def fetch_feedback(self, course_id: str, assignment_id: str) -> Answer:
        """Fetch results and feedback."""
        return self._run("FetchFeedback", course_id, assignment_id)

    def submit_assignment(self, course_id: str, assignment_id: str) -> Answer:
        """Hand a lab in."""
        return self._run("Submit", course_id, assignment_id)

    def _run(self, action: str, course_id: str | None, assignment_id: str = "", *, cached: bool = False) -> Answer:
        with self.get_assignment_dir_config() as config:
            config.CourseDirectory.course_id = course_id or ""
            config.CourseDirectory.assignment_id = assignment_id
            config.ExchangeList.cached = cached
            # Nothing may leave this block by exception: nbgrader's chdir would not find its way back.
            try:
                parts = {"coursedir": CourseDirectory(config=config), "authenticator": Authenticator(config=config)}
                call = getattr(ExchangeFactory(config=config), action)(config=config, **parts)
                return {"success": True, "value": call.start()}
            except ExchangeError as error:
                return {"success": False, "value": str(error)}
            except Exception:
                self.log.exception("the exchange broke")
                words = Words(
                    "实验环境内部出错；您的文件都还在，请告诉教师",
                    "something broke inside the lab; all your files are still here, tell your instructor",
                )
                return {"success": False, "value": str(words)}


class HttpActionHandler(AssignmentActionHandler):
    """Fetch, submit and fetch feedback; a refusal is answered, whichever it was."""

    @authenticated
    def post(self, action: str) -> None:
        """Do ``action`` and answer with the new list, or with the reason why not."""
        asked = self.get_json_body() or {}
        if not all(isinstance(asked.get(key), str) for key in ("course_id", "assignment_id")):
            raise HTTPError(400, "expected course_id and assignment_id")
        actions = {
            "fetch": self.manager.fetch_assignment,
            "submit": self.manager.submit_assignment,
            "fetch_feedback": self.manager.fetch_feedback,
        }
        # A row's name may go on with a hint for the reader ("lab · a newer release …"): the lab is its first word.
        lab = asked["assignment_id"].partition(" ")[0]
        done = actions[action](asked["course_id"], lab)
        answer = self.manager.list_assignments(course_id=asked["course_id"]) if done["success"] else done
        self.finish(json.dumps(answer))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labs.exchange.assignment_list"}]


def _load_jupyter_server_extension(server: Any) -> None:
    manager = HttpAssignmentList(parent=server)
    manager.root_dir = server.root_dir
    server.web_app.settings["assignment_list_manager"] = manager
    base_url = server.web_app.settings["base_url"]
    routes = (
        ("assignments", AssignmentListHandler),
        (f"assignments/{ACTIONS}", HttpActionHandler),
        ("courses", CourseListHandler),
        ("nbgrader_version", NbGraderVersionHandler),
    )
    server.web_app.add_handlers(".*$", [(url_path_join(base_url, path), handler) for path, handler in routes])
