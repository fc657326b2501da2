"""Addresses outside the portal that its pages link to: the hub, the labs, formgrader and the certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from hub.course import Course, Lab


def notebook_path(learner: str, course_id: str, lab_id: str) -> str:
    """Where the lab's notebook opens in the learner's own server."""
    # The hub quotes names the same way, so that the address is the one it routes.
    return f"/user/{quote(learner, safe='@~')}/lab/tree/{course_id}/{lab_id}/{lab_id}.ipynb"


def start(learner: str, course: Course, lab: Lab) -> str:
    """One click that starts the learner's server for ``lab`` and goes on to the notebook."""
    options = {
        "opt-lab": lab.id,
        "opt-course": course.id,
        "opt-profile": lab.profile,
        "next": notebook_path(learner, course.id, lab.id),
    }
    return f"/hub/spawn/{quote(learner, safe='@~')}?{urlencode(options)}"


def edit(learner: str, course_id: str, lab_id: str, *, as_learner: bool = False) -> str:
    """One click that opens a lab in the making in its instructor's own server, starting that when it does not run."""
    view = "?as=learner" if as_learner else ""
    path = f"/user/{quote(learner, safe='@~')}/reelwright/draft/{course_id}/{lab_id}{view}"
    options = {"opt-lab": lab_id, "opt-course": course_id, "next": path}
    return f"/hub/spawn/{quote(learner, safe='@~')}?{urlencode(options)}"


def reopen(learner: str, course_id: str, lab_id: str, *, own_origins: bool) -> str:
    """The notebook in a server that runs; with an origin per learner only the hub knows which, so it redirects."""
    path = notebook_path(learner, course_id, lab_id)
    return f"/hub{path}" if own_origins else path


def formgrader(course_id: str) -> str:
    """The pages of nbgrader for grading by hand."""
    return f"/services/formgrader-{course_id}/formgrader/"


def formgrader_lab(course_id: str, lab_id: str) -> str:
    """The hand-graded cells of one lab, by notebook."""
    return f"{formgrader(course_id)}gradebook/{lab_id}"


def sign_up(public_url: str) -> str:
    """Where trainees sign up with a class code."""
    return f"{public_url}/hub/signup"


def certificate(public_url: str, certificate_id: str, form: str = "") -> str:
    """The public page of a certificate; ``form`` is ``.pdf``, ``.png``, ``.svg`` or ``.json`` for the files."""
    return f"{public_url}/certs/{certificate_id}{form}"


def share(public_url: str, token: str) -> str:
    """The public page that shows a certificate in part."""
    return f"{public_url}/certs/s/{token}"


def invitation(public_url: str, code: str) -> str:
    """The one-time link with which an invited person signs up."""
    return f"{public_url}/hub/welcome?{urlencode({'code': code})}"
