"""What the API answers: parsed, asked of the ledger once, rendered as JSON or CSV.

Periods are whole months (``2026-11``), the last one included. Reports are suppressed as a funder's are; charge lines
name nobody and say no time of day.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, g, jsonify, request

from hub.compute.lease import LedgerError, format_yuan
from hub.compute.metrics import metrics
from hub.compute.report import DIMENSIONS, inert
from hub.portal.charges import chosen_row, page_of_lines

if TYPE_CHECKING:
    from uuid import UUID

    from hub.api.token import Scope
    from hub.compute.claim.value import Claim
    from hub.compute.ledger import Ledger
    from hub.compute.report import Report
    from hub.portal.charges import AnonymousLine, LinePage

MOST_MONTHS = 36
LINES_A_PAGE = 50_000
_MOST_DIGITS = 10
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


def answers(ledger: Ledger, pseudonym_key: bytes) -> Blueprint:
    """Every address of version 1."""
    blueprint = Blueprint("v1", __name__)

    @blueprint.get("/report.<any(json,csv):form>")
    def report(form: str) -> Response:
        made = _report(ledger, _scope("report"))
        return jsonify(made.as_json()) if form == "json" else Response(made.as_csv(), mimetype="text/csv")

    @blueprint.get("/lines.<any(json,csv):form>")
    def lines(form: str) -> Response:
        rows = [asdict(line) for line in _lines(ledger, _scope("report"), pseudonym_key)]
        return jsonify(rows) if form == "json" else _table(rows)

    @blueprint.get("/claims.json")
    def claims() -> Response:
        _scope("claims")
        return jsonify([_claim(each) for each in ledger.claims.all()])

    @blueprint.get("/claims/<uuid:claim_id>/pack.zip")
    def pack(claim_id: UUID) -> Response:
        _scope("claims")
        try:
            return Response(ledger.claims.pack(claim_id), mimetype="application/zip")
        except LedgerError as error:
            abort(404, str(error))

    @blueprint.get("/metrics")
    def scrape() -> Response:
        _scope("metrics")
        return Response(metrics(ledger), content_type="text/plain; version=0.0.4; charset=utf-8")

    return blueprint


def _scope(kind: str) -> Scope:
    scope: Scope | None = g.token.scope(kind)
    return scope or abort(403, f"this token may not read {kind}; it may read {', '.join(map(str, g.token.scopes))}")


def _report(ledger: Ledger, scope: Scope) -> Report:
    asked = tuple(name for name in DIMENSIONS if name in request.args.getlist("by"))
    if unknown := set(request.args.getlist("by")) - set(DIMENSIONS):
        abort(422, f"by: got {sorted(unknown)}, expected some of {list(DIMENSIONS)}")
    # What a narrower token sees is cut out of the whole, so that two tokens together tell no more than one report.
    narrower = (scope.dimension,) if scope.dimension and scope.dimension not in asked else ()
    made = ledger.report((*narrower, *asked), *_period())
    return made.narrowed({scope.dimension: scope.value}) if scope.dimension else made


def _lines(ledger: Ledger, scope: Scope, key: bytes) -> Any:
    made = _report(ledger, scope)
    row = chosen_row(made.rows, request.args.get)
    if row is None:
        abort(404, f"the report has no such row; name programme and {list(made.dimensions)} as in a row of it")
    if row.sums is None:
        abort(403, "this row is suppressed, and so are its lines")
    return _some(page_of_lines(ledger, row.drill(), _period(), key, page=_page(), size=LINES_A_PAGE))


def _page() -> int:
    asked = request.args.get("page", "1")
    if not asked.isascii() or not asked.isdigit() or not 0 < len(asked) < _MOST_DIGITS or int(asked) < 1:
        abort(422, f"page: got {asked[:40]!r}, expected a number from 1 on")
    return int(asked)


def _some(found: LinePage) -> tuple[AnonymousLine, ...]:
    if "page" not in request.args and found.last_page > 1:
        abort(422, f"there are {found.count} lines: name page, from 1 to {found.last_page}, {LINES_A_PAGE} lines each")
    if "page" in request.args and int(request.args["page"]) > found.last_page:
        abort(404, f"there is no such page, the last one is {found.last_page}")
    return found.lines


def _period() -> tuple[str, str]:
    first, last = (_month(name) for name in ("first", "last"))
    if not 0 <= last - first < MOST_MONTHS:
        abort(422, f"last: expected a month from first on, at most {MOST_MONTHS} in all")
    begin, end = (date(month // 12, month % 12 + 1, 1).isoformat() for month in (first, last + 1))
    return begin, end


def _month(name: str) -> int:
    found = _MONTH.fullmatch(request.args.get(name, ""))
    if found is None:
        abort(422, f"{name}: got {request.args.get(name, '')[:40]!r}, expected a month such as '2026-11'")
    return int(found[1]) * 12 + int(found[2]) - 1


def _claim(frozen: Claim) -> dict[str, Any]:
    return {
        **frozen.request.as_body(),
        "entry": frozen.seq,
        "digest": frozen.digest,
        "frozen_us": frozen.frozen_us,
        "lines": frozen.sums.lines,
        "due_yuan": format_yuan(frozen.sums.due_uy),
    }


def _table(rows: list[dict[str, Any]]) -> Response:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({name: inert(cell) if isinstance(cell, str) else cell for name, cell in row.items()})
    return Response(text.getvalue(), mimetype="text/csv")
