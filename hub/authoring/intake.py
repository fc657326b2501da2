"""The intake's side of authoring: an instructor's own lab fetches a draft with its token and sends it back.

What is sent is a draft: it need not pass the gate yet, but it must be files that could be a lab.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from grader.check.notebook import NotebookRefused, parse_notebook
from grader.refusal import Refused
from grader.unpack import Caps, pack, unpack
from hub.authoring.draft import RUBRIC
from hub.authoring.preview import PreviewRefused, learners_version
from hub.authoring.shelf import Moved, UnknownDraft
from hub.course import CourseError
from hub.portal.rubric import parse_rubric
from labs.authoring.revision import revision_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.platform import Platform

SHA256_CHARS = 64


def draft_pages(platform: Platform, person: Callable[[str], str]) -> Blueprint:
    """The routes for instructors' labs; ``person`` gives whom an Authorization header stands for, or refuses."""
    pages = Blueprint("drafts", __name__)
    shelf = platform.shelf

    def author(course: str) -> str:
        name = person(request.headers.get("Authorization", ""))
        if name not in platform.people.instructors(course):
            raise Refused(
                403, "not_an_author", zh="只有本课程的教师可以打开制作中的实验。",
                en="Only the course's instructors open its labs in the making.", got=course,
            )  # fmt: skip
        return name

    def begun(course: str, lab: str) -> None:
        try:
            shelf.draft(course, lab)
        except UnknownDraft as error:
            raise Refused(
                404, "unknown_draft", zh="没有这个制作中的实验。", en="There is no such lab in the making.", got=lab
            ) from error  # fmt: skip

    @pages.get("/api/courses/<course>/drafts/<lab>")
    def fetch(course: str, lab: str) -> Response:
        author(course)
        begun(course, lab)
        return _zip(files := shelf.files(course, lab), revision_of(files))

    @pages.get("/api/courses/<course>/drafts/<lab>/as-learner")
    def as_learner(course: str, lab: str) -> Response:
        author(course)
        begun(course, lab)
        try:
            files = learners_version(platform.shelf, course, lab, platform.child_env())
        except PreviewRefused as error:
            raise Refused(422, "no_preview", zh=error.zh, en=str(error)) from error
        return _zip(files, revision_of(files))

    @pages.put("/api/courses/<course>/drafts/<lab>")
    def send(course: str, lab: str) -> Response:
        by = author(course)
        begun(course, lab)
        files = unpack(request.get_data(cache=False), Caps())
        check_files(lab, files)
        at_us = platform.submissions.now_us()
        try:
            revision = shelf.send(course, lab, files, by=by, at_us=at_us, base=_base())
        except Moved as moved:
            raise _moved(moved) from moved
        page = f"{platform.portal_url}courses/{course}/labs/{lab}"
        return jsonify(revision=revision, sent_us=at_us, page=page)

    return pages


def check_files(lab: str, files: dict[str, bytes]) -> None:
    """Refuse what could not be the files of ``lab``.

    Raises:
        Refused: no notebook of the lab's name, a second notebook, a notebook that is none, or a rubric that is none.
    """
    notebooks = sorted(name for name in files if name.endswith(".ipynb"))
    if notebooks != [f"{lab}.ipynb"]:
        raise Refused(
            422, "notebooks", zh="一个实验恰好有一个笔记本，文件名与实验编号相同。",
            en="A lab has exactly one notebook, called like the lab.",
            got=", ".join(notebooks)[:200] or "none", expected=f"{lab}.ipynb",
        )  # fmt: skip
    try:
        parse_notebook(files[f"{lab}.ipynb"])
    except NotebookRefused as error:
        raise Refused(422, error.code, zh=error.zh, en=error.en, got=error.got, expected=error.expected) from error
    if RUBRIC in files:
        try:
            parse_rubric(files[RUBRIC], RUBRIC)
        except CourseError as error:
            raise Refused(
                422, "rubric", zh=f"{RUBRIC} 不是可用的评分标准。", en=f"{RUBRIC} is not a rubric that can be used.",
                got=str(error)[:500], expected="title, criteria, levels with points",
            ) from error  # fmt: skip


def _base() -> str | None:
    base = request.args.get("base", "")
    if base == "any":
        return None
    if len(base) != SHA256_CHARS or not base.isalnum():
        raise Refused(
            400, "bad_base", zh="没有说明是在哪个版本上修改的。", en="It does not say which revision was edited.",
            got=base[:80], expected="base=REVISION, or base=any to replace whatever is there",
        )  # fmt: skip
    return base


def _moved(moved: Moved) -> Refused:
    by, expected = moved.draft.sent_by, "the revision that was fetched, or base=any"
    return Refused(
        409, "moved", zh=f"{by} 在此期间送回了另一个版本。您的文件没有改动。",
        en=f"{by} has sent another version meanwhile. Your files are as they were.", expected=expected,
    )  # fmt: skip


def _zip(files: dict[str, bytes], revision: str) -> Response:
    content = pack(files)
    answer = Response(content, mimetype="application/zip")
    answer.headers["X-Reelwright-Version"] = revision
    answer.headers["X-Reelwright-Digest"] = hashlib.sha256(content).hexdigest()
    return answer
