"""The public pages: parse the request, one call, render. Reads the store, never writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for

from certs import batch, wallet
from certs.certificate import Certificate, State
from certs.credential.controller import controller_document
from certs.credential.identity import opens
from certs.desk import Busy, Desk
from certs.forms.code import qr_svg
from certs.links import profile_link

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from certs.certificate import IssuerProfile
    from certs.store import Store
    from certs.verification import Verification

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_KINDS = {"pdf": "application/pdf", "png": "image/png", "svg": "image/svg+xml"}
_ANYBODY = {"Access-Control-Allow-Origin": "*"}
_VC_TYPES = ("application/vc", "application/vc+ld+json", "application/ld+json")
COSTS = {"certs.static": 0.0, "certs.form": 2.0, "certs.check": 3.0, "certs.verify": 4.0, "certs.batch": 30.0}
"""Tokens a request takes of its address's bucket; one where nothing else is said."""


def pages(store: Store, profile: IssuerProfile) -> Blueprint:
    """All routes, relative to the prefix."""
    site = _Site(store, profile)
    blueprint = Blueprint(
        "certs", __name__, static_folder=str(Path(__file__).parent / "static"), static_url_path="/static"
    )
    blueprint.add_url_rule("/", "home", site.home)
    blueprint.add_url_rule("/verify", "verify", site.upload, methods=["POST"])
    blueprint.add_url_rule("/batch", "batch", site.batch, methods=["POST"])
    blueprint.add_url_rule("/issuer", "issuer", site.issuer)
    blueprint.add_url_rule("/status/<int:number>", "status", site.status)
    blueprint.add_url_rule("/log/<multibase>", "log", site.log)
    blueprint.add_url_rule("/s/<token>", "shared", site.shared)
    blueprint.add_url_rule("/<certificate_id>", "page", site.page)
    blueprint.add_url_rule("/<certificate_id>/check", "check", site.check)
    blueprint.add_url_rule("/<certificate_id>/identity", "identity", site.identity, methods=["POST"])
    blueprint.add_url_rule("/<certificate_id>/wallet.svg", "wallet_code", site.wallet_code)
    blueprint.add_url_rule("/<certificate_id>/wallet", "wallet", site.wallet)
    blueprint.add_url_rule("/<certificate_id>/wallet", "exchange", site.exchange, methods=["POST"])
    blueprint.add_url_rule("/<certificate_id>.json", "document", site.document)
    blueprint.add_url_rule("/<certificate_id>.<any(pdf, png, svg):kind>", "form", site.form)
    return blueprint


def not_found(_error: Exception) -> ResponseReturnValue:
    """One answer for every address that shows nothing: malformed, never issued, not yet signed, refused, erased."""
    return render_template("certs/missing.html"), 404


def paused(_error: Exception) -> ResponseReturnValue:
    """The holder shows nothing at this address for now."""
    return render_template("certs/paused.html"), 403


def too_large(_error: Exception) -> ResponseReturnValue:
    """The upload is over the limit."""
    return render_template("certs/too_large.html"), 413


class _Site:
    """The views, with what they read from."""

    def __init__(self, store: Store, profile: IssuerProfile) -> None:
        self._store = store
        self._profile = profile
        self._desk = Desk(store, profile)

    def home(self) -> ResponseReturnValue:
        asked = request.args.get("id")
        if asked is None:
            return render_template("certs/home.html")
        found = _HEX_ID.search(asked.lower())
        if found is None:
            return render_template("certs/home.html", misread=asked[:80]), 400
        return redirect(url_for("certs.page", certificate_id=found[0], lang=request.args.get("lang")), 303)

    def page(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._shown(certificate_id)
        wanted = request.accept_mimetypes.best_match(["text/html", "application/json", *_VC_TYPES], "text/html")
        if wanted in _VC_TYPES:
            return _file(certificate.document or b"", wanted, f"certificate-{certificate_id[:8]}.json", _ANYBODY)
        return self._certificate(certificate, self._desk.standing(certificate))

    def check(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._shown(certificate_id)
        try:
            answer = self._desk.check_stored(certificate)
        except Busy:
            return _busy()
        return self._certificate(certificate, answer, checked=True)

    def identity(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._shown(certificate_id)
        answer = self._desk.standing(certificate)
        digest = answer.facts.identity_sha256 if answer.facts else None
        is_same = digest is not None and opens(digest, request.form.get("number", ""), request.form.get("opening", ""))
        return self._certificate(certificate, answer, identity="same" if is_same else "other")

    def shared(self, token: str) -> ResponseReturnValue:
        share = self._store.by_token(token) if _HEX_ID.fullmatch(token) else None
        if share is None or share.ended_us is not None:
            abort(404)
        certificate = self._issued(share.certificate_id)
        answer = self._desk.standing(certificate)
        return render_template("certs/shared.html", answer=answer, share=share)

    def document(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._shown(certificate_id)
        name = f"certificate-{certificate_id[:8]}.json"
        return _file(certificate.document or b"", "application/json", name, _ANYBODY)

    def form(self, certificate_id: str, kind: str) -> ResponseReturnValue:
        self._shown(certificate_id)
        content = self._store.form(certificate_id, kind)
        return _file(content, _KINDS[kind], f"certificate-{certificate_id[:8]}.{kind}") if content else abort(404)

    def wallet(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._shown(certificate_id)
        wanted = request.accept_mimetypes.best_match(["text/html", "application/json", *_VC_TYPES], "application/json")
        if wanted == "text/html":
            return redirect(url_for("certs.page", certificate_id=certificate_id, lang=request.args.get("lang")), 303)
        if wanted in _VC_TYPES:
            return _file(certificate.document or b"", wanted, f"certificate-{certificate_id[:8]}.json", _ANYBODY)
        return jsonify(wallet.protocols(self._profile, certificate_id)), 200, wallet.ANY_ORIGIN

    def exchange(self, certificate_id: str) -> ResponseReturnValue:
        certificate = self._shown(certificate_id)
        return Response(
            wallet.answer(certificate.document or b""), mimetype="application/json", headers=wallet.ANY_ORIGIN
        )

    def wallet_code(self, certificate_id: str) -> ResponseReturnValue:
        self._shown(certificate_id)
        picture = qr_svg(wallet.interaction_address(self._profile, certificate_id))
        return _file(picture.encode(), "image/svg+xml", f"wallet-{certificate_id[:8]}.svg")

    def status(self, number: int) -> ResponseReturnValue:
        document = self._store.status_list(number)
        # With what the issuer takes to sign it, a revocation is seen everywhere within a minute.
        headers = {**_ANYBODY, "Cache-Control": "public, max-age=30"}
        return _file(document, "application/json", f"status-{number}.json", headers) if document else abort(404)

    def log(self, multibase: str) -> ResponseReturnValue:
        document = self._store.issue_log(multibase[:64])
        return _file(document, "application/jwt", "issue-log.jwt", _ANYBODY) if document else abort(404)

    def issuer(self) -> ResponseReturnValue:
        document = controller_document(self._profile.id, self._store.public_keys())
        return _file(document, "application/json", "issuer.json", _ANYBODY)

    def upload(self) -> ResponseReturnValue:
        data = _uploaded()
        if data is None:
            return render_template("certs/home.html", no_file=True), 400
        try:
            answer, ours = self._desk.check_file(data)
        except Busy:
            return _busy()
        if _wants_json():
            return jsonify(answer.as_dict())
        return render_template("certs/uploaded.html", answer=answer, ours=ours)

    def batch(self) -> ResponseReturnValue:
        request.max_content_length = batch.MAX_BATCH_BYTES + 16 * 1024
        data = _uploaded()
        if data is None:
            return render_template("certs/home.html", no_batch=True), 400
        try:
            rows = self._desk.check_many(data)
        except Busy:
            return _busy()
        except batch.BatchError as error:
            problem = str(error)
            page = jsonify({"problem": problem}) if _wants_json() else render_template("certs/home.html", bad=problem)
            return page, 400
        if _wants_json():
            return jsonify({"rows": [_row(row) for row in rows]})
        return render_template("certs/batch.html", rows=rows)

    def _certificate(
        self, certificate: Certificate, answer: Verification, *, checked: bool = False, identity: str = ""
    ) -> ResponseReturnValue:
        if _wants_json():
            return jsonify(answer.as_dict())
        return render_template(
            "certs/certificate.html",
            answer=answer,
            certificate=certificate,
            checked=checked,
            identity=identity,
            profile_link=profile_link(answer.facts, self._profile) if answer.facts else None,
        )

    def _issued(self, certificate_id: str) -> Certificate:
        found = self._store.by_id(certificate_id) if _HEX_ID.fullmatch(certificate_id) else None
        if found is None or found.state is not State.ISSUED:
            abort(404)
        return found

    def _shown(self, certificate_id: str) -> Certificate:
        found = self._issued(certificate_id)
        if found.paused_us is not None:
            abort(403)
        return found


def busy(seconds: float, status: int) -> ResponseReturnValue:
    """Come back in so many seconds."""
    headers = {"Retry-After": str(int(seconds))}
    if _wants_json():
        return jsonify({"problem": "too many requests", "retry_after_seconds": int(seconds)}), status, headers
    return render_template("certs/busy.html"), status, headers


def _busy() -> ResponseReturnValue:
    return busy(5, 503)


def _row(row: batch.Row) -> dict[str, object]:
    found = row.answer.as_dict() if row.answer is not None else {"verdict": "not_found", "steps": [], "facts": None}
    return {"name": row.name, "id": row.certificate_id, **found}


def _wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


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
