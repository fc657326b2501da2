"""Claims on payers: choose programme and days, preview, freeze once, the evidence pack, and what was said since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from hub.compute.claim.value import NOTE_KINDS, ClaimError, ClaimRequest, Note
from hub.compute.lease import LedgerError, plain_text
from hub.portal.access import only, visitor
from hub.portal.forms import Fields

if TYPE_CHECKING:
    from werkzeug import Response as Redirect

    from hub.compute.claim.value import Claim, NoteKind, Preview
    from hub.portal.app import Portal

Shown = str | tuple[str, int]
MOST_WORDS = 500


@dataclass(frozen=True)
class Asked:
    """A claim as it was typed: the request, None where something is missing, and the problems by field."""

    request: ClaimRequest | None
    problems: dict[str, str]


def pages(portal: Portal) -> Blueprint:
    """Everything under ``/claims``; funders read, administrators claim."""
    blueprint = Blueprint("claims", __name__)
    _read(blueprint, portal)
    _write(blueprint, portal)
    return blueprint


def _read(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get("/claims")
    @only("funder", "admin")
    def overview() -> str:
        return _show(portal, {})

    @blueprint.get("/claims/<uuid:claim_id>")
    @only("funder", "admin")
    def one(claim_id: UUID) -> str:
        return _show_one(portal, claim_id, {})

    @blueprint.get("/claims/<uuid:claim_id>/pack.zip")
    @only("funder", "admin")
    def pack(claim_id: UUID) -> Response:
        _claim(portal, claim_id)
        answer = Response(portal.services.ledger.claims.pack(claim_id), mimetype="application/zip")
        answer.headers["Content-Disposition"] = f'attachment; filename="evidence-{claim_id}.zip"'
        return answer


def _write(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.post("/claims")
    @only("admin")
    def claim() -> Shown | Redirect:
        asked = _asked(portal)
        if asked.request is None:
            return _show(portal, asked.problems), 422
        try:
            if "freeze" not in request.form:
                return _show(portal, {}, preview=portal.services.ledger.claims.preview(asked.request))
            frozen = portal.services.ledger.claims.freeze(asked.request)
        except LedgerError as error:
            return _show(portal, {"claim": str(error)}), 422
        flash(_("The claim is frozen: its lines can never be claimed again. Download the evidence pack."), "good")
        return redirect(url_for("claims.one", claim_id=frozen.request.id), 303)

    @blueprint.post("/claims/<uuid:claim_id>")
    @only("funder", "admin")
    def note(claim_id: UUID) -> Shown | Redirect:
        problems = _note(portal, _claim(portal, claim_id))
        if problems:
            return _show_one(portal, claim_id, problems), 422
        flash(_("It is written into the ledger, beside the claim."), "good")
        return redirect(url_for("claims.one", claim_id=claim_id), 303)


def _asked(portal: Portal) -> Asked:
    fields = Fields(request.form)
    payers = {f"{rule.id} {payer.id}" for rule in portal.subsidies.programme for payer in rule.payer}
    programme, _space, payer = fields.choice("payer", frozenset(payers)).partition(" ")
    first, last = fields.day("first"), fields.day("last")
    words = {name: plain_text(fields.text(name)) for name in ("operator", "contract")}
    invoice = plain_text(request.form.get("invoice", "").strip()[:100])
    if not fields.problems and last < first:
        fields.problems["last"] = _("The last day lies before the first one.")
    if fields.problems:
        return Asked(None, fields.problems)
    try:
        chosen = UUID(request.form.get("once", ""))
    except ValueError:
        chosen = uuid4()
    until = last + timedelta(days=1)
    made = ClaimRequest(
        id=chosen, programme=programme, payer=payer, from_day=first.isoformat(), until_day=until.isoformat(),
        invoice=invoice, **words,
    )  # fmt: skip
    return Asked(made, {})


def _note(portal: Portal, claim: Claim) -> dict[str, str]:
    fields = Fields(request.form)
    # A correction takes money off what is asked for: the operator's word, not the payer's.
    kinds: tuple[NoteKind, ...] = NOTE_KINDS if visitor().holds("admin") else ("query",)
    fields.choice("what", frozenset(kinds))
    what = next((kind for kind in kinds if kind == request.form.get("what")), kinds[0])
    words = plain_text(fields.text("words", most=MOST_WORDS))
    amount = fields.micro_yuan("yuan") if what == "correction" else 0
    if fields.problems:
        return fields.problems
    try:
        said = Note(
            id=uuid4(), claim=claim.request.id, what=what, words=words, by=visitor().name, at_us=portal.clock(),
            amount_uy=amount,
        )  # fmt: skip
        portal.services.ledger.claims.note(said)
    except (ValueError, LedgerError) as error:
        return {"words": str(error)}
    return {}


def _claim(portal: Portal, claim_id: UUID) -> Claim:
    try:
        return portal.services.ledger.claims.one(claim_id)
    except ClaimError:
        abort(404, _("There is no such claim."))


def _show(portal: Portal, problems: dict[str, str], preview: Preview | None = None) -> str:
    return render_template(
        "claims.html",
        claims=portal.services.ledger.claims.all(),
        payers=_payers(portal),
        titles=_titles(portal),
        problems=problems,
        preview=preview,
        once_id=preview.request.id if preview else uuid4(),
    )


def _show_one(portal: Portal, claim_id: UUID, problems: dict[str, str]) -> str:
    claims = portal.services.ledger.claims
    return render_template(
        "claim.html",
        claim=_claim(portal, claim_id),
        notes=claims.notes(claim_id),
        titles=_titles(portal),
        kinds=NOTE_KINDS if visitor().holds("admin") else ("query",),
        problems=problems,
        words=note_words(),
    )


def _payers(portal: Portal) -> list[tuple[str, str]]:
    """Every programme and payer that may be claimed of, each once."""
    return sorted({(rule.id, payer.id) for rule in portal.subsidies.programme for payer in rule.payer})


def _titles(portal: Portal) -> dict[str, dict[str, object]]:
    programmes = {rule.id: rule.title for rule in portal.subsidies.programme}
    payers = {payer.id: payer.title for rule in portal.subsidies.programme for payer in rule.payer}
    return {"programme": dict(programmes), "payer": dict(payers)}


def note_words() -> dict[str, str]:
    """What may be said of a claim, as people call it."""
    return {"query": _("Query"), "answer": _("Answer"), "correction": _("Correction")}
