"""The public pages: parse the request, one call, render. Reads the store, never writes."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for

from certs.certificate import Certificate, State
from certs.credential.controller import controller_document, parse_controller
from certs.files import verify_file
from certs.standing import standing, with_record
from certs.store import now_us
from certs.verification import Outcome, Verification

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from certs.certificate import IssuerProfile
    from certs.store import Store

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_KINDS = {"pdf": "application/pdf", "png": "image/png"}
# A full check costs some 40 ms of CPU, a PDF more; beyond this many at once people are asked to come back.
_CHECKS_AT_ONCE = 4
_ANYBODY = {"Access-Control-Allow-Origin": "*"}


def pages(store: Store, profile: IssuerProfile) -> Blueprint:
    """All routes, relative to the prefix."""
    site = _Site(store, profile)
    blueprint = Blueprint(
        "certs", __name__, static_folder=str(Path(__file__).parent / "static"), static_url_path="/static"
    )
    blueprint.add_url_rule("/", "home", site.home)
    blueprint.add_url_rule("/verify", "verify", site.upload, methods=["POST"])
    blueprint.add_url_rule("/issuer", "issuer", site.issuer)
    blueprint.add_url_rule("/status/<int:number>", "status", site.status)
    blueprint.add_url_rule("/<certificate_id>", "page", site.page)
    blueprint.add_url_rule("/<certificate_id>/check", "check", site.check)
    blueprint.add_url_rule("/<certificate_id>.json", "document", site.document)
    blueprint.add_url_rule("/<certificate_id>.<any(pdf, png):kind>", "form", site.form)
    return blueprint


def not_found(_error: Exception) -> ResponseReturnValue:
    """One answer for every address that shows nothing: malformed, never issued, not yet signed, refused."""
    return render_template("certs/missing.html"), 404


def too_large(_error: Exception) -> ResponseReturnValue:
    """The upload is over the limit."""
    return render_template("certs/too_large.html"), 413


class _Site:
    """The views, with what they read from."""

    def __init__(self, store: Store, profile: IssuerProfile) -> None:
        self._store = store
        self._profile = profile
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)

    def home(self) -> ResponseReturnValue:
        asked = request.args.get("id")
        if asked is None:
            return render_template("certs/home.html")
        found = _HEX_ID.search(asked.lower())
        if found is None:
            return render_template("certs/home.html", misread=asked[:80]), 400
        return redirect(url_for("certs.page", certificate_id=found[0], lang=request.args.get("lang")), 303)

    def page(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._issued(certificate_id)
        answer = standing(certificate, self._profile, at_us=now_us())
        return render_template("certs/certificate.html", answer=answer, certificate=certificate, checked=False)

    def check(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._issued(certificate_id)
        answer = self._verify(certificate.document or b"")
        if answer is None:
            return _busy()
        answer = with_record(answer, certificate, at_us=now_us())
        return render_template("certs/certificate.html", answer=answer, certificate=certificate, checked=True)

    def document(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._issued(certificate_id)
        return _file(
            certificate.document or b"", "application/json", f"certificate-{certificate_id[:8]}.json", _ANYBODY
        )

    def form(self, certificate_id: str, kind: str) -> ResponseReturnValue:
        self._issued(certificate_id)
        content = self._store.form(certificate_id, kind)
        return _file(content, _KINDS[kind], f"certificate-{certificate_id[:8]}.{kind}") if content else abort(404)

    def status(self, number: int) -> ResponseReturnValue:
        document = self._store.status_list(number)
        headers = {**_ANYBODY, "Cache-Control": "public, max-age=60"}
        return _file(document, "application/json", f"status-{number}.json", headers) if document else abort(404)

    def issuer(self) -> ResponseReturnValue:
        document = controller_document(self._profile.id, self._store.public_keys())
        return _file(document, "application/json", "issuer.json", _ANYBODY)

    def upload(self) -> ResponseReturnValue:
        data = _uploaded()
        if data is None:
            return render_template("certs/home.html", no_file=True), 400
        answer = self._verify(data)
        if answer is None:
            return _busy()
        ours = self._ours(answer)
        answer = answer if ours is None else with_record(answer, ours, at_us=now_us())
        if request.accept_mimetypes.best == "application/json":
            return jsonify(answer.as_dict())
        return render_template("certs/uploaded.html", answer=answer, ours=ours)

    def _issued(self, certificate_id: str) -> Certificate:
        found = self._store.by_id(certificate_id) if _HEX_ID.fullmatch(certificate_id) else None
        if found is None or found.state is not State.ISSUED:
            abort(404)
        return found

    def _ours(self, answer: Verification) -> Certificate | None:
        """Our own record of an uploaded certificate whose signature holds."""
        signature = answer.step("signature")
        if answer.facts is None or signature is None or signature.outcome is not Outcome.HELD:
            return None
        return (
            self._store.by_id(answer.facts.id.rpartition("/")[2]) if answer.facts.issuer == self._profile.id else None
        )

    def _verify(self, data: bytes) -> Verification | None:
        """The full check, or None when too many run already."""
        if not self._checks.acquire(timeout=5):
            return None
        try:
            lists = self._store.published_lists().items()
            return verify_file(
                data,
                controllers=[parse_controller(controller_document(self._profile.id, self._store.public_keys()))],
                status_lists={self._profile.status_address(number): document for number, document in lists},
                trusted=frozenset(),
                at_us=now_us(),
            )
        finally:
            self._checks.release()


def _uploaded() -> bytes | None:
    if request.mimetype == "multipart/form-data":
        sent = request.files.get("file")
        return sent.read() or None if sent is not None else None
    return request.get_data() or None


def _file(content: bytes, kind: str, name: str, headers: dict[str, str] | None = None) -> Response:
    response = Response(content, mimetype=kind, headers=headers)
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    response.add_etag()
    response.make_conditional(request)
    return response


def _busy() -> ResponseReturnValue:
    return render_template("certs/busy.html"), 503, {"Retry-After": "5"}
