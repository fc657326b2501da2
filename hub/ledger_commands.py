"""``reelwright ledger``: verify, report, grant, checkpoint, metrics, and the groups of budgets, vouchers and claims."""

from __future__ import annotations

import sys
import time
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hub.claim_commands import claim_commands
from hub.compute import command
from hub.compute.budget import SCOPES
from hub.compute.metrics import metrics as render_metrics
from hub.compute.report import DIMENSIONS, FUNDERS_DIMENSIONS
from hub.compute.sacct import ASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hub.compute.ledger import Ledger

    Opens = Callable[[], Ledger]

DAY = click.DateTime(["%Y-%m-%d"])
FILE = click.Path(path_type=Path, dir_okay=False)


def ledger_commands(opened: Opens) -> click.Group:
    """The group of ledger commands, on the ledger that ``opened`` gives when a command runs."""

    @click.group(name="ledger")
    def ledger() -> None:
        """The compute ledger."""

    _proof(ledger, opened)
    _figures(ledger, opened)
    ledger.add_command(_budgets(opened))
    ledger.add_command(_vouchers(opened))
    ledger.add_command(claim_commands(opened))
    return ledger


def _proof(ledger: click.Group, opened: Opens) -> None:
    @ledger.command(name="verify")
    @click.option("--json", "as_json", is_flag=True, help="Print entries, head digest and the first bad entry.")
    @click.option("--checkpoints", type=FILE, help="Checkpoints kept elsewhere, one JSON object a line.")
    def verify(as_json: bool, checkpoints: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
        """Recompute the chain of the ledger; exit status 1 names the first bad entry."""
        sys.exit(command.verify(opened(), as_json=as_json, checkpoints=checkpoints))

    @ledger.command()
    @click.argument("day", type=DAY)
    def checkpoint(day: datetime) -> None:
        """Sign where the chain ends under the name of DAY and print it as one line of JSON, to be kept elsewhere."""
        sys.exit(command.checkpoint(opened(), day.date()))

    @ledger.command()
    def checkpoints() -> None:
        """Print every checkpoint, one JSON object a line: what `verify --checkpoints` reads."""
        sys.exit(command.checkpoints(opened()))

    @ledger.command(epilog=f"Make FILE with: {ASK}")
    @click.argument("file", type=FILE)
    def witness(file: Path) -> None:
        """Compare the sessions that Slurm saw, printed by sacct into FILE, with the ledger; it changes no charge."""
        sys.exit(command.witness(opened(), file))


def _figures(ledger: click.Group, opened: Opens) -> None:
    @ledger.command()
    @click.argument("from_day", type=DAY)
    @click.argument("until_day", type=DAY)
    @click.option("--by", multiple=True, type=click.Choice(DIMENSIONS), default=FUNDERS_DIMENSIONS, show_default=True)
    @click.option("--output", type=click.Choice(["text", "csv", "json"]), default="text")
    def report(
        from_day: datetime, until_day: datetime, by: tuple[str, ...], output: Literal["text", "csv", "json"]
    ) -> None:
        """Print the funder's report from FROM_DAY until UNTIL_DAY, the last day not included."""
        sys.exit(command.report(opened(), from_day.date(), until_day.date(), by=by, output=output))

    @ledger.command()
    @click.argument("learner")
    @click.argument("course_id")
    @click.argument("yuan")
    @click.option("--why", required=True, help="The reason, for the ledger.")
    def grant(learner: str, course_id: str, yuan: str, why: str) -> None:
        """Grant LEARNER of COURSE_ID another YUAN of compute."""
        sys.exit(command.grant(opened(), learner, course_id, yuan, why, time.time_ns() // 1000))

    @ledger.command()
    def metrics() -> None:
        """Print the ledger's figures for Prometheus; no learner is named."""
        click.echo(render_metrics(opened()), nl=False)


def _budgets(opened: Opens) -> click.Group:
    @click.group(name="budget")
    def budget() -> None:
        """What sites and classes may spend, at list price."""

    @budget.command(name="list")
    def list_budgets() -> None:
        """Print every budget: allotted, held, spent, left."""
        sys.exit(command.budgets(opened()))

    @budget.command(context_settings={"ignore_unknown_options": True})  # an amount may begin with a minus
    @click.argument("scope", type=click.Choice(SCOPES))
    @click.argument("who")
    @click.argument("yuan")
    @click.option("--why", required=True, help="The reason, for the ledger; each counts once.")
    @click.option("--by", required=True, help="Who decided it.")
    def allot(scope: str, who: str, yuan: str, why: str, by: str) -> None:
        """Give the site or class WHO another YUAN, or take back what is left with a minus."""
        sys.exit(command.allot(opened(), (scope, who), yuan, why, by, time.time_ns() // 1000))

    return budget


def _vouchers(opened: Opens) -> click.Group:
    @click.group(name="voucher")
    def voucher() -> None:
        """Codes that one learner each turns into allowance."""

    @voucher.command()
    @click.argument("count", type=click.IntRange(1, 1000))
    @click.argument("course_id")
    @click.argument("yuan")
    @click.option("--until", type=DAY, required=True, help="The first day (UTC) on which they are no longer taken.")
    @click.option("--why", required=True, help="The reason, for the ledger.")
    @click.option("--by", required=True, help="Who issues them.")
    def issue(count: int, course_id: str, yuan: str, until: datetime, why: str, by: str) -> None:
        """Print COUNT codes for YUAN each in COURSE_ID, one a line; they are shown this once."""
        until_us = int(until.replace(tzinfo=UTC).timestamp()) * 1_000_000
        sys.exit(command.issue_vouchers(opened(), count, course_id, yuan, until_us, why, by))

    @voucher.command(name="list")
    def list_vouchers() -> None:
        """Print every voucher by its digest: amount, reason, and who turned it in."""
        sys.exit(command.vouchers(opened()))

    return voucher
