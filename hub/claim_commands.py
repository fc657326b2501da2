"""``reelwright ledger claim``: what is asked of a payer, frozen once, and the evidence pack that goes with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click

from hub.compute import command
from hub.compute.claim.value import ClaimError, ClaimRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hub.compute.ledger import Ledger

DAY = click.DateTime(["%Y-%m-%d"])
FILE = click.Path(path_type=Path, dir_okay=False)


def claim_commands(ledger: Callable[[], Ledger]) -> click.Group:
    """The group of claim commands, on the ledger that ``ledger`` opens when a command runs."""

    @click.group(name="claim")
    def claim() -> None:
        """Claims on a payer of a subsidy programme."""

    def freezing(action: Callable[[Ledger, ClaimRequest], int], name: str, text: str) -> None:
        @claim.command(name=name, help=text)
        @click.argument("programme")
        @click.argument("payer")
        @click.argument("from_day", type=DAY)
        @click.argument("until_day", type=DAY)
        @click.option("--operator", required=True, help="Who claims, as the contract names them.")
        @click.option("--contract", required=True, help="The contract's reference.")
        @click.option("--invoice", default="", help="The invoice's reference, when there is one.")
        def run(from_day: datetime, until_day: datetime, **words: str) -> None:
            days = {"from_day": from_day.date().isoformat(), "until_day": until_day.date().isoformat()}
            try:
                request = ClaimRequest(id=uuid4(), **days, **words)
            except (ClaimError, ValueError) as error:
                raise click.UsageError(str(error)) from error
            sys.exit(action(ledger(), request))

    freezing(command.preview_claim, "preview", "Print what freezing this claim would give now; UNTIL_DAY not included.")
    freezing(command.freeze_claim, "freeze", "Claim for ever what can be claimed, and print the claim's id.")

    @claim.command()
    @click.argument("claim_id", type=UUID)
    @click.argument("file", type=FILE)
    def pack(claim_id: UUID, file: Path) -> None:
        """Write the evidence pack of CLAIM_ID to FILE."""
        sys.exit(command.write_pack(ledger(), claim_id, file))

    @claim.command()
    @click.argument("file", type=FILE)
    @click.argument("key", type=FILE)
    def check(file: Path, key: Path) -> None:
        """Check the evidence pack FILE with the public key in KEY; exit status 1 when anything is wrong."""
        sys.exit(command.check_evidence(file, key))

    return claim
