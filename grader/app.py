"""Wires the intake: the service that learners' labs fetch from and hand in to. It knows people by the hub's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from grader.check.intake_check import inspect_notebook
from grader.desk import Desk
from grader.web import intake_pages, render_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from flask import Blueprint

    from grader.store import Store
    from grader.submission import LabRules, Window


def create_app(
    store: Store,
    *,
    identify: Callable[[str], str | None],
    window_of: Callable[[str, str, str], Window | None],
    labs_of: Callable[[str], Sequence[tuple[str, str, str, str]]],
    rules_of: Callable[[str, str], LabRules],
    receipt_key: Ed25519PrivateKey,
    max_bytes: int,
    inspect: Callable[[bytes, bytes], None] = inspect_notebook,
    more: Sequence[Callable[[Callable[[str], str]], Blueprint]] = (),
    compute_of: Callable[[str], Mapping[str, Any]] = lambda _learner: {"accounts": [], "sessions": []},
    prefix: str = "/services/intake",
) -> Flask:
    """Make the intake.

    Args:
        store: where submissions go.
        identify: the learner behind a hub token; None when there is none.
        window_of: when a learner may hand a lab in; None when the learner has no such course or lab.
        labs_of: the labs of a learner's courses, as course, lab, Chinese and English title.
        rules_of: how attempts at a lab count.
        receipt_key: signs receipts.
        max_bytes: the largest archive that is taken.
        inspect: refuses a notebook that the grader could not grade, given the released one.
        more: other pages for labs; each is made from what gives the learner of an Authorization header, or refuses.
        compute_of: what a learner's notebook is told about the learner's own compute; passed on as it is.
        prefix: the path that the proxy routes here.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = max_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    desk = Desk(
        store=store,
        identify=identify,
        window_of=window_of,
        labs_of=labs_of,
        rules_of=rules_of,
        receipt_key=receipt_key,
        max_bytes=max_bytes,
        inspect=inspect,
        compute_of=compute_of,
    )
    for pages in (intake_pages(desk), *(make(desk.learner) for make in more)):
        app.register_blueprint(pages, url_prefix=prefix)
    render_errors(app)
    return app
