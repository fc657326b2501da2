"""The dashboard of funder and operator: months of compute as plots, every number with the charge lines behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from hub.compute.lease import SECOND_US
from hub.portal import plots, words
from hub.portal.access import only

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.compute.report import Report, ReportRow, Sums
    from hub.footage.cost import FilmCosts
    from hub.portal.app import Portal
    from hub.portal.plots import Chart

SHOWN_BY = ("site", "cohort", "lab", "profile")
MOST_MONTHS = 24


@dataclass(frozen=True)
class Point:
    """One row of a breakdown as the page tells it; without figures it is suppressed."""

    label: str
    programme: str
    sums: Sums | None
    busy_percent: float | None
    yuan_per_second: float | None
    lines_url: str


@dataclass(frozen=True)
class Breakdown:
    """The compute of a period by one dimension: a chart of GPU hours, one of lab hours, and the same as a table."""

    dimension: str
    points: tuple[Point, ...]
    gpu_hours: Chart
    lab_hours: Chart


def pages(portal: Portal) -> Blueprint:
    """The one page."""
    blueprint = Blueprint("dashboard", __name__)

    @blueprint.get("/funding/dashboard")
    @only("funder", "admin")
    def overview() -> str:
        first, last = _months(portal)
        begin, end = _first_day(first).isoformat(), _first_day(last + 1).isoformat()
        costs = portal.services.footage.costs(begin, end)
        return render_template(
            "dashboard.html",
            first=_said(first),
            last=_said(last),
            months=[_said(month) for month in range(_this_month(portal) - MOST_MONTHS + 1, _this_month(portal) + 1)],
            total=portal.services.ledger.report((), begin, end).total,
            use=portal.services.ledger.gpu_use((), begin, end).get(()),
            footage=costs.rate(()).get(()),
            breakdowns=[_breakdown(portal, dimension, begin, end, costs) for dimension in SHOWN_BY],
            titles=dimension_words(),
            names={"programme": {rule.id: rule.title for rule in portal.subsidies.programme}},
        )

    return blueprint


def _breakdown(portal: Portal, dimension: str, begin: str, end: str, costs: FilmCosts) -> Breakdown:
    services = portal.services
    made = services.ledger.report((dimension,), begin, end)
    # What is measured by value only would tell of a suppressed programme in it by subtraction.
    partly = {(row.where[dimension],) for row in made.rows if not row.sums}
    use = services.ledger.gpu_use((dimension,), begin, end, besides=partly)
    rates = costs.rate((dimension,), partly)
    named = _namer(portal, dimension)
    points = []
    for row in made.rows:
        value = (row.where[dimension],)
        points.append(
            Point(
                label=named(row.where[dimension]),
                programme=row.programme,
                sums=row.sums,
                busy_percent=use.get(value),
                yuan_per_second=rates.get(value),
                lines_url=_lines_url(made, row) if row.sums else "",
            )
        )
    return Breakdown(
        dimension,
        tuple(points),
        plots.bars([_bar(point, "gpu_seconds") for point in points]),
        plots.bars([_bar(point, "seconds") for point in points]),
    )


def _bar(point: Point, measure: str) -> tuple[str, float | None, str]:
    if point.sums is None:
        return point.label, None, _("not shown")
    seconds = getattr(point.sums, measure)
    return point.label, seconds / 3600, words.span(seconds)


def _lines_url(made: Report, row: ReportRow) -> str:
    last = date.fromisoformat(made.until_day) - timedelta(days=1)
    asked = {"first": made.from_day, "last": last.isoformat(), "by": list(made.dimensions)}
    return url_for("funding.lines", **asked, **row.drill())  # type: ignore[arg-type]


def _namer(portal: Portal, dimension: str) -> Callable[[str], str]:
    locale = str(get_locale())
    if dimension == "profile":
        return lambda known: _device(portal, known, locale)
    if dimension == "cohort":
        titles = {str(cohort.id): cohort.title for cohort in portal.services.people.cohorts()}
        return lambda known: titles.get(known, known) or _("no class")
    if dimension == "lab":
        labs = {lab.id: lab.title.in_locale(locale) for course in portal.courses for lab in course.labs}
        return lambda known: labs.get(known, known) or _("no lab")
    return lambda known: known


def _device(portal: Portal, profile: str, locale: str) -> str:
    known = portal.config.profiles.get(profile)
    return (known.title_zh if locale.startswith("zh") else known.title_en) if known else profile


def _months(portal: Portal) -> tuple[int, int]:
    """The asked-for months as numbers; without any, the last three; never more than two years."""
    this = _this_month(portal)
    first, last = (_month(request.args.get(name, "")) for name in ("first", "last"))
    last = min(last or this, this)
    first = min(first or last - 2, last)
    return max(first, last - MOST_MONTHS + 1), last


def _this_month(portal: Portal) -> int:
    now = datetime.fromtimestamp(portal.clock() / SECOND_US, UTC).astimezone(portal.zone)
    return now.year * 12 + now.month - 1


def _month(typed: str) -> int | None:
    try:
        found = date.fromisoformat(f"{typed}-01")
    except ValueError:
        return None
    return found.year * 12 + found.month - 1


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _said(month: int) -> str:
    return _first_day(month).isoformat()[:7]


def dimension_words() -> dict[str, str]:
    """What the dashboard breaks down by, as people call it."""
    return {"site": _("By site"), "cohort": _("By class"), "lab": _("By lab"), "profile": _("By device")}
