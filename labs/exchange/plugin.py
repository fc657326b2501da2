"""nbgrader's Exchange plugin classes: list, fetch, submit and fetch feedback, over HTTP instead of a shared folder.

Configured as ``c.ExchangeFactory.list = "labs.exchange.plugin.HttpList"`` and so on. They only translate: nbgrader's
course directory and paths on one side, :mod:`labs.exchange` on the other. Only this module and ``assignment_list``
import nbgrader.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbgrader.exchange import abc
from nbgrader.exchange.abc import ExchangeError
from traitlets import Bool

from labs.exchange.client import Intake
from labs.exchange.fetch import fetch_lab, has_newer_release, is_fetched, lab_folder
from labs.exchange.results import feedback_folder, fetch_results, is_current, summary
from labs.exchange.submit import submit_lab
from labs.language import LabError, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labs.exchange.answers import Attempt, OpenLab

NEWER = Words(
    "· 有新版本：取回后放在旁边的文件夹，您的文件不动",
    "· a newer release: Fetch puts it in a folder beside yours, your files stay as they are",
)


class HttpExchange(abc.Exchange):
    """What the four share: whose home it is, and how a refusal reaches the learner."""

    path_includes_course = Bool(True, help="Labs lie in <home>/<course>/<lab>; off, they lie in <home>/<lab>.").tag(
        config=True
    )

    @property
    def home(self) -> Path:
        """The folder that labs and receipts lie in."""
        return Path(self.assignment_dir).absolute()

    def folder(self, course: str, lab: str) -> Path:
        """Where a lab lies."""
        return lab_folder(self.home, course, lab) if self.path_includes_course else self.home / lab

    def set_timestamp(self) -> None:
        """Nothing to note: the intake stamps the time."""

    def init_src(self) -> None:
        """Nothing to prepare: the intake decides what may be read."""

    def init_dest(self) -> None:
        """Nothing to prepare: the intake decides what may be written."""

    def asked(self) -> tuple[str, str]:
        """The course and lab this call is about."""
        course, lab = self.coursedir.course_id, self.coursedir.assignment_id
        for what, value in (("course", course), ("assignment", lab)):
            if not value:
                self.fail(str(Words(f"没有指明 --{what}", f"no --{what} given")))
        return course, lab

    @contextmanager
    def intake(self) -> Iterator[Intake]:
        """The intake; its refusals, and anything a learner can put right, become nbgrader's own error."""
        try:
            with Intake.from_environment() as intake:
                yield intake
        except LabError as error:
            self.fail(str(error.words))
        except OSError as error:
            self.fail(str(Words(f"写不了文件：{error}", f"cannot write a file: {error}")))

    def fail(self, msg: str) -> NoReturn:
        """Log ``msg`` and stop with it as nbgrader's ExchangeError, without the noise of what caused it."""
        self.log.error(msg)
        raise ExchangeError(msg) from None


class HttpFetchAssignment(HttpExchange, abc.ExchangeFetchAssignment):
    """Fetches a released lab; files that are already there stay as they are."""

    def copy_files(self) -> None:
        """Bring in what is missing from the lab's folder."""
        course, lab = self.asked()
        folder = self.folder(course, lab)
        with self.intake() as intake:
            written = fetch_lab(intake, course, lab, home=self.home, folder=folder)
        self.log.info("Fetched %s %s: %s", course, lab, ", ".join(map(str, written)) or "nothing was missing")


class HttpSubmit(HttpExchange, abc.ExchangeSubmit):
    """Hands a lab in and keeps the receipt under ``receipts/``."""

    def copy_files(self) -> None:
        """Pack, send, keep the receipt."""
        course, lab = self.asked()
        with self.intake() as intake:
            done = submit_lab(intake, course, lab, folder=self.folder(course, lab), home=self.home)
        if done.left_out:
            self.log.warning("Not handed in (hidden, linked or model files): %s", ", ".join(done.left_out))
        if done.receipt_file is None:
            self.log.error("The attempt was taken, but its receipt could not be written to disk: %s", done.receipt)
        self.log.info("Submitted as: %s %s, attempt %d", course, lab, done.receipt.attempt)


class HttpFetchFeedback(HttpExchange, abc.ExchangeFetchFeedback):
    """Writes scores with their reasons, and released feedback, into the lab's folder."""

    def copy_files(self) -> None:
        """Write the results of every attempt that has any."""
        course, lab = self.asked()
        with self.intake() as intake:
            written = fetch_results(intake, course, lab, self.folder(course, lab))
        self.log.info("Results in: %s", ", ".join(map(str, written)) or "no attempt is graded yet")


class HttpList(HttpExchange, abc.ExchangeList):
    """Lists open labs, or with ``cached`` or ``inbound`` the learner's attempts at them."""

    def copy_files(self) -> None:
        """Listing copies nothing."""

    def list_files(self) -> list[dict[str, Any]]:
        """Nbgrader's rows: one a lab, or one a lab with its attempts."""
        with self.intake() as intake:
            labs = [lab for lab in intake.labs().labs if self._is_asked(lab)]
            if self.inbound or self.cached:
                return [self._attempts(intake, lab) for lab in labs if lab.attempts_used]
            now_us = time.time_ns() // 1000
            return [row for lab in labs for row in self._rows(lab, now_us)]

    def remove_files(self) -> NoReturn:
        """Refuse: every attempt is kept."""
        self.fail(str(Words("提交过的内容都会保留，不能删除", "every attempt is kept; none can be removed")))

    def _is_asked(self, lab: OpenLab) -> bool:
        course, name = self.coursedir.course_id, self.coursedir.assignment_id
        return course in ("", "*", lab.course) and name in ("", "*", lab.lab)

    def _rows(self, lab: OpenLab, now_us: int) -> Iterator[dict[str, Any]]:
        folder = self.folder(lab.course, lab.lab)
        fetched = is_fetched(folder)
        # A closed lab that was fetched stays in view: the learner's own work must never vanish from the list.
        if fetched:
            notebooks = [{"notebook_id": file.stem, "path": str(file)} for file in sorted(folder.glob("*.ipynb"))]
            yield self._row(lab, lab.lab, "fetched", notebooks)
        if not lab.is_open(now_us):
            return
        if not fetched:
            yield self._row(lab, lab.lab, "released", [])
        elif has_newer_release(self.home, lab.course, lab.lab, lab.version):
            # The list shows a row's assignment_id and nothing else: the hint can stand nowhere but in it.
            yield self._row(lab, f"{lab.lab} {NEWER}", "released", [])

    def _row(self, lab: OpenLab, name: str, status: str, notebooks: list[dict[str, str]]) -> dict[str, Any]:
        self.log.info("%s %s%s", lab.course, name, " (already downloaded)" if status == "fetched" else "")
        return {
            "course_id": lab.course,
            "assignment_id": name,
            "status": status,
            "path": str(self.folder(lab.course, lab.lab)),
            "notebooks": notebooks,
        }

    def _attempts(self, intake: Intake, lab: OpenLab) -> dict[str, Any]:
        found = sorted(intake.attempts(lab.course, lab.lab).submissions, key=lambda attempt: attempt.attempt)
        learner = os.environ.get("JUPYTERHUB_USER", "")
        return {
            "course_id": lab.course,
            "assignment_id": lab.lab,
            "student_id": learner,
            "status": "submitted",
            "submissions": [self._attempt(lab, learner, attempt) for attempt in found],
        }

    def _attempt(self, lab: OpenLab, learner: str, attempt: Attempt) -> dict[str, Any]:
        folder = self.folder(lab.course, lab.lab)
        current = attempt.has_result and is_current(folder, attempt)
        # JupyterLab prints `timestamp` as it is and sorts by it: the one place where a learner can read a score.
        when = datetime.fromtimestamp(attempt.received_us / 1e6, tz=_zone(self.timezone))
        timestamp = f"{when:%Y-%m-%d %H:%M:%S} · {summary(attempt)}"
        self.log.info("%s %s %s", lab.course, lab.lab, timestamp)
        return {
            "course_id": lab.course,
            "assignment_id": lab.lab,
            "student_id": learner,
            "status": "submitted",
            "timestamp": timestamp,
            "path": str(folder),
            "notebooks": [],
            "has_local_feedback": current,
            "has_exchange_feedback": attempt.has_result,
            "feedback_updated": not current,
            "local_feedback_path": str(feedback_folder(folder, attempt)) if current else None,
        }


def _zone(name: str) -> tzinfo:
    # TZ may hold what only the C library understands (":/etc/localtime"); a list in UTC is better than none.
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        return UTC
