"""The funder's page: subsidised compute in a period, to read and to download, and whether the ledger holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from hub.compute.report import DIMENSIONS
from hub.portal import forms
from hub.portal.access import only, visitor
from hub.portal.charges import chosen_row, page_of_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.compute.chain import LedgerVerification
    from hub.compute.report import Report, ReportRow
    from hub.portal.app import Portal

MICRO = 1_000_000
LONGEST_DAYS = 3 * 366
LINES_A_PAGE = 200
MOST_PAGES = 1_000_000


@dataclass(frozen=True)
class Period:
    """The days asked for, the last one included, and what the report is broken down by."""

    first: date
    last: date
    by: tuple[str, ...]

    def query(self) -> dict[str, str | list[str]]:
        """The same question as a form's fields."""
        return {"first": self.first.isoformat(), "last": self.last.isoformat(), "by": list(self.by)}

    def lines_url(self, row: ReportRow, page: int = 1) -> str:
        """Where the charge lines behind ``row`` are; only a row that may be shown has such an address."""
        return url_for("funding.lines", **{**self.query(), **row.drill(), "page": page})  # type: ignore[arg-type]


def pages(portal: Portal) -> Blueprint:
    """The report as a page, CSV and JSON, and the check of the ledger."""
    blueprint = Blueprint("funding", __name__)

    @blueprint.get("/funding")
    @only("funder", "admin")
    def report() -> str | tuple[str, int]:
        return _show(portal)

    @blueprint.post("/funding")
    @only("funder", "admin")
    def check() -> str | tuple[str, int]:
        return _show(portal, checked=portal.services.ledger.verify())

    @blueprint.get("/funding/lines")
    @only("funder", "admin")
    def lines() -> str | tuple[str, int]:
        period, problems = _period(portal)
        return _show(portal) if problems else _show_lines(portal, period)

    @blueprint.get("/funding.<any(csv,json):form>")
    @only("funder", "admin")
    def download(form: str) -> Response | str | tuple[str, int]:
        period, problems = _period(portal)
        if problems:
            return _show(portal)
        answer = jsonify(_report(portal, period).as_json()) if form == "json" else _csv(_report(portal, period))
        name = f"compute-{period.first}-{period.last}.{form}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    return blueprint


def _show(portal: Portal, checked: LedgerVerification | None = None) -> str | tuple[str, int]:
    period, problems = _period(portal)
    shown = render_template(
        "funding.html",
        period=period,
        problems=problems,
        report=None if problems else _report(portal, period),
        dimensions=dimension_words(),
        names=_names(portal),
        lines_url=period.lines_url,
        checkpoint=next(reversed(portal.services.ledger.checkpoints()), None),
        checked=checked,
    )
    return (shown, 422) if problems else shown


def _show_lines(portal: Portal, period: Period) -> str:
    row = chosen_row(_report(portal, period).rows, request.args.get)
    if row is None:
        abort(404, _("The report of this period has no such row."))
    if row.sums is None:
        abort(403, _("Fewer than five trainees stand behind this row: neither its figures nor its lines are shown."))
    until = period.last + timedelta(days=1)
    # What is no page number leads to the first page: it is no form that somebody could correct.
    asked = forms.Fields(request.args).whole("page", 1, MOST_PAGES) or 1
    days = (period.first.isoformat(), until.isoformat())
    found = page_of_lines(portal.services.ledger, row.drill(), days, portal.session.key, page=asked, size=LINES_A_PAGE)
    return render_template(
        "charges.html",
        period=period,
        row=row,
        found=found,
        dimensions=dimension_words(),
        names=_names(portal),
        lines_url=period.lines_url,
    )


def _period(portal: Portal) -> tuple[Period, dict[str, str]]:
    """The period in the query; without one, the month that runs."""
    today = datetime.fromtimestamp(portal.clock() / MICRO, UTC).astimezone(portal.zone).date()
    usual: Mapping[str, str] = {"first": today.replace(day=1).isoformat(), "last": today.isoformat()}
    fields = forms.Fields({**usual, **request.args.to_dict()})
    first, last = fields.day("first"), fields.day("last")
    if not fields.problems and not timedelta() <= last - first <= timedelta(days=LONGEST_DAYS):
        fields.problems["last"] = _("Expected a day after the first one, at most three years later.")
    if not fields.problems and not visitor().holds("admin"):
        # Whole months: two periods that differ by days would tell of those days, and of who worked on them.
        first, last = (
            first.replace(day=1),
            (last.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1),
        )
    by = tuple(name for name in DIMENSIONS if name in request.args.getlist("by"))
    return Period(first, last, by if "first" in request.args else ("course",)), fields.problems


def _report(portal: Portal, period: Period) -> Report:
    until = period.last + timedelta(days=1)
    return portal.services.ledger.report(period.by, period.first.isoformat(), until.isoformat())


def _csv(report: Report) -> Response:
    # The mark tells spreadsheets that the text is UTF-8.
    return Response("\ufeff" + report.as_csv(), mimetype="text/csv")


def _names(portal: Portal) -> dict[str, object]:
    """Titles of courses, programmes and payers by id, each a text in both languages."""
    courses = {course.id: course.title for course in portal.courses}
    programmes = {programme.id: programme.title for programme in portal.subsidies.programme}
    payers = {payer.id: payer.title for programme in portal.subsidies.programme for payer in programme.payer}
    return {"course": courses, "programme": programmes, "payer": payers}


def dimension_words() -> dict[str, str]:
    """What a report may be broken down by, as people call it."""
    return {"course": _("Course"), "site": _("Site"), "profile": _("Machine"), "day": _("Day")}
