"""What ``reelwright ledger`` does: verify, report, grant, budgets, claims. Each prints and gives the exit status."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from hub.compute import sacct
from hub.compute.budget import Allotment
from hub.compute.checkpoint import CheckpointError, checking_key, parse_checkpoints
from hub.compute.lease import SECOND_US, LedgerError, UnknownLeaseError, format_yuan, micro_yuan, plain_text
from hub.compute.report import FUNDERS_DIMENSIONS

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from uuid import UUID

    from hub.compute.chain import LedgerVerification
    from hub.compute.claim.value import ClaimRequest, ClaimSums
    from hub.compute.ledger import Ledger
    from hub.compute.report import Report, ReportRow

OK = 0
BAD = 1


def verify(ledger: Ledger, *, as_json: bool = False, checkpoints: Path | None = None) -> int:
    """Check the ledger, with checkpoints kept in a file elsewhere if there is one; 1 when anything is bad."""
    try:
        elsewhere = parse_checkpoints(checkpoints.read_text(encoding="utf-8")) if checkpoints else ()
        found = ledger.verify(elsewhere=elsewhere)
    except (CheckpointError, OSError, UnicodeDecodeError) as error:
        click.echo(f"cannot check: {error}", err=True)
        return BAD
    click.echo(json.dumps({**asdict(found), "held": found.held}) if as_json else _verification(found))
    return OK if found.held else BAD


def report(
    ledger: Ledger,
    from_day: date,
    until_day: date,
    *,
    by: tuple[str, ...] = FUNDERS_DIMENSIONS,
    output: Literal["text", "csv", "json"] = "text",
) -> int:
    """Print the funder's report over days, the last one not included; 1 when it cannot be made."""
    if until_day <= from_day:
        click.echo(f"got days from {from_day} until {until_day}, expected the second one to be later", err=True)
        return BAD
    try:
        made = ledger.report(by, from_day.isoformat(), until_day.isoformat())
    except LedgerError as error:
        click.echo(str(error), err=True)
        return BAD
    if output == "json":
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
    else:
        click.echo(made.as_csv() if output == "csv" else _table(made), nl=output == "text")
    return OK


def witness(ledger: Ledger, file: Path) -> int:
    """Compare what ``sacct`` printed into a file with the ledger, one difference a line; 1 when there is any.

    What Slurm saw is kept in the chain, the first word for each session; it changes no charge.
    """
    try:
        jobs = sacct.read_jobs(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError) as error:
        click.echo(f"{file}: {error}", err=True)
        return BAD
    said = [*jobs.refused, *(f"lease {lease}: several jobs name it, expected one" for lease in jobs.disputed)]
    compared = [_compared(ledger, job) for job in jobs.told]
    said += [words for words in compared if words]
    for words in said:
        click.echo(words)
    agree = len(compared) - sum(map(bool, compared))
    click.echo(f"{len(compared)} sessions compared, {agree} agree to the second; {jobs.others} other rows")
    return BAD if said else OK


def _compared(ledger: Ledger, job: sacct.Job) -> str:
    """How Slurm's word of a session differs from the ledger's; empty where it does not."""
    name = f"lease {job.lease} (job {job.job})"
    if job.started_us is None or job.ended_us is None:
        state = _state(ledger, job.lease)
        differs = state in {"ended", "unknown"}
        return f"{name}: Slurm says {plain_text(job.state)}, the ledger says {state}" if differs else ""
    found = ledger.observe(job.lease, sacct.SOURCE, job.started_us, job.ended_us)
    if found is None:
        return ""
    if not (found.started_off_us or found.ended_off_us):
        return f"{name}: {found.reason}"
    start_off, end_off = found.started_off_us / SECOND_US, found.ended_off_us / SECOND_US
    return f"{name}: {found.reason} (start {start_off:+.1f} s, end {end_off:+.1f} s)"


def _state(ledger: Ledger, lease_id: UUID) -> str:
    """The state of a lease in one word, for a person."""
    try:
        return ledger.lease(lease_id).state
    except UnknownLeaseError:
        return "unknown"


def grant(ledger: Ledger, learner: str, course: str, yuan: str, why: str, at_us: int) -> int:
    """Extend an allowance; 1 when the amount is none, or something else was already granted for that reason."""
    try:
        asked = micro_yuan(yuan)
        standing = ledger.grant(learner, course, asked, why, at_us)
    except ValueError as error:
        click.echo(str(error), err=True)
        return BAD
    if standing.micro_yuan != asked:
        click.echo(
            f"{learner} was granted {format_yuan(standing.micro_yuan)} yuan for {why!r} before; expected another "
            f"reason for another amount",
            err=True,
        )
        return BAD
    left = ledger.account(learner, course).left_uy
    click.echo(f"{learner} has {format_yuan(left)} yuan left in {course} (grant {why!r}: {format_yuan(asked)} yuan)")
    return OK


def checkpoint(ledger: Ledger, day: date) -> int:
    """Sign where the chain ends and print it as one line of JSON, to be kept elsewhere; 1 when it cannot be signed."""
    try:
        made = ledger.checkpoint(day)
    except CheckpointError as error:
        click.echo(str(error), err=True)
        return BAD
    click.echo(json.dumps(made.as_row()))
    return OK


def checkpoints(ledger: Ledger) -> int:
    """Print every checkpoint as a line of JSON, oldest day last."""
    for made in ledger.checkpoints():
        click.echo(json.dumps(made.as_row()))
    return OK


def budgets(ledger: Ledger) -> int:
    """Print every budget, one a line."""
    for one in ledger.budgets.all():
        told = (one.allotted_uy, one.held_uy, one.spent_uy, one.left_uy)
        allotted, held, spent, left = map(format_yuan, told)
        click.echo(f"{one.scope}\t{one.who}\tallotted {allotted}\theld {held}\tspent {spent}\tleft {left}")
    return OK


def allot(ledger: Ledger, whose: tuple[str, str], yuan: str, why: str, by: str, at_us: int) -> int:
    """Give to a budget, or take back with a minus; 1 when it cannot be."""
    scope, who = whose
    try:
        amount = micro_yuan(yuan.removeprefix("-")) * (-1 if yuan.startswith("-") else 1)
        given = Allotment(scope=scope, who=who, micro_yuan=amount, why=why, by=by, at_us=at_us)
        standing = ledger.budgets.allot(given)
    except (ValueError, LedgerError) as error:
        click.echo(str(error), err=True)
        return BAD
    click.echo(f"{scope} {who} has {format_yuan(standing.left_uy)} yuan left of {format_yuan(standing.allotted_uy)}")
    return OK


def issue_vouchers(ledger: Ledger, count: int, course: str, yuan: str, until_us: int, why: str, by: str) -> int:
    """Print the codes of new vouchers, one a line; 1 when they cannot be issued."""
    try:
        codes = ledger.vouchers.issue(count, course, micro_yuan(yuan), until_us, why, by)
    except (ValueError, LedgerError) as error:
        click.echo(str(error), err=True)
        return BAD
    for code in codes:
        click.echo(code)
    return OK


def vouchers(ledger: Ledger) -> int:
    """Print every voucher, one a line; a code itself is not known any more."""
    for one in ledger.vouchers.all():
        taken = f"turned in by {one.learner}" if one.learner else "free"
        click.echo(f"{one.subject[:16]}\t{one.course}\t{format_yuan(one.micro_yuan)}\t{taken}\t{one.why}")
    return OK


def preview_claim(ledger: Ledger, request: ClaimRequest) -> int:
    """Print what freezing a claim would give now; 1 when it cannot be claimed."""
    try:
        found = ledger.claims.preview(request)
    except LedgerError as error:
        click.echo(str(error), err=True)
        return BAD
    click.echo(f"{_claimed(found.sums)}; {found.claimed_before} lines of these days stand in earlier claims")
    return OK


def freeze_claim(ledger: Ledger, request: ClaimRequest) -> int:
    """Claim for ever what can be claimed, and print the claim's id; 1 when it cannot be."""
    try:
        frozen = ledger.claims.freeze(request)
    except LedgerError as error:
        click.echo(str(error), err=True)
        return BAD
    click.echo(f"claim {frozen.request.id}: {_claimed(frozen.sums)}; entry {frozen.seq}, digest {frozen.digest}")
    return OK


def write_pack(ledger: Ledger, claim_id: UUID, file: Path) -> int:
    """Write the evidence pack of a claim to a file; 1 when it cannot be made."""
    try:
        file.write_bytes(ledger.claims.pack(claim_id))
    except (LedgerError, OSError) as error:
        click.echo(str(error), err=True)
        return BAD
    click.echo(f"{file}: evidence pack of claim {claim_id}")
    return OK


def check_evidence(file: Path, key_file: Path) -> int:
    """Check an evidence pack with the public key in a file; 1 when anything is wrong, one problem a line."""
    from hub.compute.claim.check import check_pack  # noqa: PLC0415 - it loads the typesetter

    try:
        problems = check_pack(file.read_bytes(), checking_key(key_file))
    except (CheckpointError, OSError) as error:
        click.echo(f"cannot check: {error}", err=True)
        return BAD
    for problem in problems:
        click.echo(problem)
    if not problems:
        click.echo("the pack holds: files, entry, signature and sums")
    return BAD if problems else OK


def _claimed(sums: ClaimSums) -> str:
    return (
        f"{sums.lines} lines, {sums.people} learners, {sums.sessions} sessions ({sums.estimated_sessions} estimated), "
        f"{format_yuan(sums.due_uy)} yuan due"
    )


def _verification(found: LedgerVerification) -> str:
    lines = [f"entries: {found.entries}", f"head: {found.head}", f"checkpoints held: {found.checkpoints_held}"]
    lines += [f"not checked: {what}" for what in found.unchecked]
    if found.first_bad:
        return "\n".join([*lines, f"BAD: entry {found.first_bad.seq}: {found.first_bad.reason}"])
    return "\n".join([*lines, "every entry holds, and the books are what the entries make them"])


def _table(made: Report) -> str:
    lines = [_row(row, made) for row in made.rows] or ["no sessions in these days"]
    if made.total:
        lines.append(f"total: {_sums(made.total.total_uy, made.total.subsidised_uy)}")
    return "\n".join(lines)


def _row(row: ReportRow, made: Report) -> str:
    name = "  ".join([row.programme or "(no programme)", *(row.where[dimension] for dimension in made.dimensions)])
    if row.sums is None:
        return f"{name}  suppressed (it, or what it would give away, is about fewer than five learners)"
    payers = ", ".join(f"{payer} {format_yuan(paid)}" for payer, paid in row.sums.paid_uy.items())
    counts = f"{row.sums.learners} learners, {row.sums.sessions} sessions, {row.sums.seconds} s"
    return f"{name}  {counts}, {_sums(row.sums.total_uy, row.sums.subsidised_uy)} ({payers or 'no payer'})"


def _sums(total_uy: int, subsidised_uy: int) -> str:
    return f"{format_yuan(total_uy)} yuan at list price, {format_yuan(subsidised_uy)} yuan subsidised"
