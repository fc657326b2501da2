"""The ledger as Prometheus metrics, in the text format: for operators. No learner is named, no row is about one.

Sums are over all sessions there ever were: at a million leases, scrape once a minute and not more often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.compute.lease import SECOND_US, format_yuan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub.compute.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What ended sessions at one site on one profile came to."""

    site: str
    profile: str
    sessions: int
    estimated: int
    billed_us: int
    gpu_us: int
    charge_uy: int
    subsidised_uy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The ledger in numbers; ages are in seconds, None where there is nothing to be of any age."""

    entries: int
    leases: dict[str, int]
    held_uy: int
    granted_uy: int
    uses: tuple[Use, ...]
    paid_uy: dict[tuple[str, int], int]
    differences: int
    claims_due_uy: int
    oldest_open_s: int | None
    checkpoint_age_s: int | None
    unsigned_entries: int


def metrics(ledger: Ledger) -> str:
    """Everything there is to scrape, ending with a line break."""
    return "".join(f"{line}\n" for line in _lines(ledger.figures()))


def _lines(found: Figures) -> Iterator[str]:
    yield from _one("ledger_entries", "counter", "Entries of the chain.", found.entries)
    yield from _one("ledger_unsigned_entries", "gauge", "Entries after the last checkpoint.", found.unsigned_entries)
    age = "Seconds since the last checkpoint was signed."
    yield from _one("ledger_checkpoint_age_seconds", "gauge", age, found.checkpoint_age_s)
    yield from _many("leases", "gauge", "Leases by state.", [({"state": k}, n) for k, n in found.leases.items()])
    oldest = "Seconds since the oldest lease that is opened or running was asked for."
    yield from _one("oldest_open_lease_seconds", "gauge", oldest, found.oldest_open_s)
    held = "What opened and running leases hold, at list price."
    yield from _one("held_yuan", "gauge", held, format_yuan(found.held_uy))
    yield from _one("granted_yuan_total", "counter", "All grants.", format_yuan(found.granted_uy))
    yield from _uses(found.uses)
    paid = [({"programme": k, "year": str(year)}, format_yuan(uy)) for (k, year), uy in found.paid_uy.items()]
    yield from _many("programme_paid_yuan_total", "counter", "What programmes paid in a calendar year.", paid)
    yield from _one("claims_due_yuan", "gauge", "What frozen claims ask for.", format_yuan(found.claims_due_uy))
    doubts = "Sessions that a second witness saw otherwise, or that the ledger does not know."
    yield from _one("witness_differences", "gauge", doubts, found.differences)


def _uses(uses: tuple[Use, ...]) -> Iterator[str]:
    told = [({"site": use.site, "profile": use.profile}, use) for use in uses]
    for name, words, value in (
        ("sessions_total", "Ended sessions.", lambda use: use.sessions),
        ("estimated_sessions_total", "Ended sessions whose times are estimates.", lambda use: use.estimated),
        ("lab_seconds_total", "Charged time.", lambda use: use.billed_us // SECOND_US),
        ("gpu_seconds_total", "Charged GPU time.", lambda use: use.gpu_us // SECOND_US),
        ("charged_yuan_total", "Charges at list price.", lambda use: format_yuan(use.charge_uy)),
        ("subsidised_yuan_total", "What programmes paid of them.", lambda use: format_yuan(use.subsidised_uy)),
    ):
        yield from _many(name, "counter", words, [(labels, value(use)) for labels, use in told])


def _one(name: str, kind: str, words: str, value: int | str | None) -> Iterator[str]:
    yield from _many(name, kind, words, [] if value is None else [({}, value)])


def _many(name: str, kind: str, words: str, samples: Sequence[tuple[dict[str, str], int | str]]) -> Iterator[str]:
    full = f"reelwright_{name}"
    yield f"# HELP {full} {words}"
    yield f"# TYPE {full} {kind}"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(said)}"' for label, said in labels.items())
        yield f"{full}{{{told}}} {value}" if told else f"{full} {value}"


def _escaped(said: str) -> str:
    return said.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
