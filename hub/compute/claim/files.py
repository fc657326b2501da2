"""The tables of an evidence pack: usage lines, and the same as FinOps FOCUS 1.2 cost and usage. Pure; exact text.

FOCUS is written with its 21 mandatory columns and some of our own (``x_``). A stretch of a session is a row of category
Usage at list price; what the payer owes of it is a row of its own, category Credit, with a negative cost. FOCUS times
are whole seconds, so a row's period is widened to them; the exact times are in the usage lines.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub.compute.lease import SECOND_US, format_yuan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub.compute.claim.value import ClaimLine, ClaimRequest, Note

USAGE_COLUMNS = (
    "lease",
    "segment",
    "line",
    "person",
    "course",
    "lab",
    "cohort",
    "site",
    "profile",
    "day",
    "from_utc",
    "until_utc",
    "microseconds",
    "gpu_microseconds",
    "tariff",
    "programme",
    "payer",
    "list_price_yuan",
    "claimed_yuan",
    "estimated",
)
FOCUS_MANDATORY = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
)
FOCUS_OURS = ("x_Lease", "x_Segment", "x_Person", "x_Course", "x_Lab", "x_Profile", "x_Programme", "x_Payer")
SERVICE = "Reelwright lab"
CURRENCY = "CNY"


def usage_csv(lines: Iterable[ClaimLine]) -> Iterator[str]:
    """The usage lines, row by row, heading first."""
    yield _row(USAGE_COLUMNS)
    for line in lines:
        yield _row(
            (
                str(line.lease),
                *map(str, (line.segment, line.line, line.person)),
                *(line.course, line.lab, line.cohort, line.site, line.profile, line.day),
                *map(exact_utc, (line.from_us, line.until_us)),
                *map(str, (line.until_us - line.from_us, line.gpu_us)),
                *(line.tariff, line.programme, line.payer),
                *map(format_yuan, (line.total_uy, line.amount_uy)),
                "yes" if line.estimated else "no",
            )
        )


def focus_csv(
    request: ClaimRequest, period_us: tuple[int, int], lines: Iterable[ClaimLine], corrections: Iterable[Note]
) -> Iterator[str]:
    """The same as FOCUS 1.2, row by row, heading first; carried corrections are credits taken back."""
    yield _row((*FOCUS_MANDATORY, *FOCUS_OURS))
    shared = {
        "BillingCurrency": CURRENCY,
        "BillingPeriodStart": _utc(period_us[0]),
        "BillingPeriodEnd": _utc(period_us[1]),
        "InvoiceIssuerName": request.operator,
        "ProviderName": request.operator,
        "PublisherName": request.operator,
        "ServiceCategory": "Compute",
        "ServiceName": SERVICE,
        "x_Programme": request.programme,
        "x_Payer": request.payer,
    }
    for line in lines:
        told = {**shared, **_stretch(line)}
        quantity = {"PricingQuantity": _seconds(line.until_us - line.from_us), "PricingUnit": "Seconds"}
        yield _focus(told | quantity | {"ChargeCategory": "Usage"} | _costs(line.total_uy))
        owed = {"ChargeCategory": "Credit", "ChargeDescription": f"Subsidy {line.programme}, part of {line.payer}"}
        yield _focus(told | owed | _costs(-line.amount_uy))
    for note in corrections:
        yield _focus(shared | _correction(request, period_us, note))


def exact_utc(at_us: int) -> str:
    """A moment as UTC with its six decimals."""
    return f"{_moment(at_us):%Y-%m-%dT%H:%M:%S}.{at_us % SECOND_US:06d}Z"


def _stretch(line: ClaimLine) -> dict[str, str]:
    return {
        "BillingAccountId": line.site,
        "BillingAccountName": line.site,
        "ChargeDescription": f"Lab time on {line.profile} at tariff {line.tariff}",
        "ChargePeriodStart": _utc(line.from_us),
        "ChargePeriodEnd": _utc(line.until_us + SECOND_US - 1),
        "x_Lease": str(line.lease),
        "x_Segment": str(line.segment),
        "x_Person": str(line.person),
        "x_Course": line.course,
        "x_Lab": line.lab,
        "x_Profile": line.profile,
    }


def _correction(request: ClaimRequest, period_us: tuple[int, int], note: Note) -> dict[str, str]:
    return {
        "BillingAccountId": request.operator,
        "BillingAccountName": request.operator,
        "ChargeCategory": "Credit",
        "ChargeClass": "Correction",
        "ChargeDescription": f"Correction {note.id} of claim {note.claim}",
        "ChargePeriodStart": _utc(period_us[0]),
        "ChargePeriodEnd": _utc(period_us[1]),
        "x_Lease": note.lease,
        **_costs(note.amount_uy),
    }


def _costs(micro_yuan: int) -> dict[str, str]:
    # Nothing is negotiated or paid ahead, so all four costs of a row are one; for a credit FOCUS asks for that.
    return dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), format_yuan(micro_yuan))


def _focus(cells: dict[str, str]) -> str:
    return _row(cells.get(column, "") for column in (*FOCUS_MANDATORY, *FOCUS_OURS))


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_inert(cell) for cell in cells])
    return text.getvalue()


def _inert(cell: str) -> str:
    # A spreadsheet runs a cell that begins like a formula; names come from people. A negative amount is ours.
    formula = cell.startswith(("=", "+", "@", "\t", "\r")) or (cell.startswith("-") and not _is_amount(cell))
    return f"'{cell}" if formula else cell


def _is_amount(cell: str) -> bool:
    return cell.isascii() and cell[1:].replace(".", "", 1).isdigit()


def _seconds(amount_us: int) -> str:
    return f"{amount_us // SECOND_US}.{amount_us % SECOND_US:06d}"


def _utc(at_us: int) -> str:
    return f"{_moment(at_us):%Y-%m-%dT%H:%M:%S}Z"


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // SECOND_US, tz=UTC)
