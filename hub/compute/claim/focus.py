"""Checks a FOCUS 1.2 cost and usage file: the rules of its 21 mandatory columns, row by row. Pure.

Written from the specification and not from what we write, so that it can find us wrong. Columns beyond the mandatory
ones are checked only for their names: known to nobody, they begin with ``x_``.
"""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = dict[str, str]

COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
TIMES = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
NAMES = (
    "BillingAccountId",
    "BillingCurrency",
    "ChargeCategory",
    "InvoiceIssuerName",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
)
NULLABLE = ("BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit")
MANDATORY = frozenset((*COSTS, *TIMES, *NAMES, *NULLABLE))
CHARGE_CATEGORIES = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
SERVICE_CATEGORIES = {
    "AI and Machine Learning",
    "Analytics",
    "Business Applications",
    "Compute",
    "Databases",
    "Developer Tools",
    "Multicloud",
    "Identity",
    "Integration",
    "Internet of Things",
    "Management and Governance",
    "Media",
    "Migration",
    "Mobile",
    "Networking",
    "Security",
    "Storage",
    "Web",
    "Other",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COLUMN = re.compile(r"(x_)?[A-Z][A-Za-z0-9]*")
_MOST_PROBLEMS = 50


def check_focus(text: str) -> tuple[str, ...]:
    """What is wrong with the file, each with its row (the heading is row 1); empty when nothing is."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    problems = list(_heading(rows.fieldnames or ()))
    if problems:
        return tuple(problems)
    for number, row in enumerate(rows, start=2):
        problems += [f"row {number}: {problem}" for problem in _row(row)]
        if len(problems) >= _MOST_PROBLEMS:
            break
    return tuple(problems[:_MOST_PROBLEMS])


def total(text: str, category: str, column: str = "BilledCost") -> Decimal:
    """The sum of a cost over the rows of one charge category."""
    rows = csv.DictReader(io.StringIO(text))
    return sum((Decimal(row[column]) for row in rows if row["ChargeCategory"] == category), Decimal(0))


def _heading(columns: object) -> Iterator[str]:
    names = list(columns) if isinstance(columns, list | tuple) else []
    for name in sorted(MANDATORY - set(names)):
        yield f"column {name} is missing"
    for name in names:
        if names.count(name) > 1 or not _COLUMN.fullmatch(name):
            yield f"column {name!r}: expected Pascal case (ours after x_), each once"
        elif name not in MANDATORY and not name.startswith("x_"):
            yield f"column {name!r}: expected x_ before a name that is ours"


def _row(row: Row) -> Iterator[str]:
    if None in row or None in row.values():
        yield "has another number of cells than the heading"
        return
    for name in (*NAMES, *COSTS, *TIMES):
        if not row[name]:
            yield f"{name} is null"
    for name in TIMES:
        if row[name] and not _TIME.fullmatch(row[name]):
            yield f"{name}: got {row[name]!r}, expected YYYY-MM-DDTHH:mm:ssZ"
    for start, end in (TIMES[:2], TIMES[2:]):
        if not row[start] < row[end]:
            yield f"{start} is not before {end}"
    if not _periods_meet(row):
        yield "the charge period does not touch the billing period"
    yield from _values(row)
    yield from _amounts(row)


def _periods_meet(row: Row) -> bool:
    return row["ChargePeriodStart"] < row["BillingPeriodEnd"] and row["BillingPeriodStart"] < row["ChargePeriodEnd"]


def _values(row: Row) -> Iterator[str]:
    if not _CURRENCY.fullmatch(row["BillingCurrency"]):
        yield f"BillingCurrency: got {row['BillingCurrency']!r}, expected three letters"
    if row["ChargeCategory"] not in CHARGE_CATEGORIES:
        yield f"ChargeCategory: got {row['ChargeCategory']!r}, expected one of {sorted(CHARGE_CATEGORIES)}"
    if row["ServiceCategory"] not in SERVICE_CATEGORIES:
        yield f"ServiceCategory: got {row['ServiceCategory']!r}, expected one of {sorted(SERVICE_CATEGORIES)}"
    if row["ChargeClass"] not in {"", "Correction"}:
        yield f"ChargeClass: got {row['ChargeClass']!r}, expected nothing or Correction"


def _amounts(row: Row) -> Iterator[str]:
    costs = {name: _decimal(row[name]) for name in COSTS}
    for name, value in costs.items():
        if value is None:
            yield f"{name}: got {row[name]!r}, expected a decimal number"
    correction, category = row["ChargeClass"] == "Correction", row["ChargeCategory"]
    needed = category in {"Usage", "Purchase"} and not correction
    quantity = _decimal(row["PricingQuantity"])
    if (needed or row["PricingQuantity"]) and quantity is None:
        yield f"PricingQuantity: got {row['PricingQuantity']!r}, expected a decimal number"
    if bool(row["PricingUnit"]) != bool(row["PricingQuantity"]):
        yield "PricingUnit and PricingQuantity: one is null and the other is not"
    if category == "Tax" and row["PricingQuantity"]:
        yield "PricingQuantity is not null on a tax"
    if category == "Credit":
        if costs["ContractedCost"] != costs["BilledCost"] or costs["ListCost"] != costs["BilledCost"]:
            yield "a credit's contracted and list cost are not its billed cost"
        if not correction and costs["BilledCost"] is not None and costs["BilledCost"] > 0:
            yield "a credit costs something"


def _decimal(cell: str) -> Decimal | None:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
