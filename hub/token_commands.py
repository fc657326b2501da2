"""``reelwright token``: who may read what through the API."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from hub.compute.lease import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.api.store import Tokens


def token_commands(opened: Callable[[], Tokens]) -> click.Group:
    """The group of token commands, on the tokens that ``opened`` gives when a command runs."""

    @click.group(name="token")
    def token() -> None:
        """Tokens of the read API."""

    @token.command()
    @click.argument("name")
    @click.option(
        "--scope", multiple=True, required=True, help="report, report:site=ID, report:cohort=ID, claims, metrics"
    )
    @click.option("--days", default=90, show_default=True, help="How long it works.")
    def make(name: str, scope: tuple[str, ...], days: int) -> None:
        """Print a new token called NAME; it is shown this once."""
        try:
            _, text = opened().make(name, scope, days, "reelwright")
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        click.echo(text)

    @token.command(name="list")
    def list_tokens() -> None:
        """Print every token: id, name, what it may read, until when, and whether it was revoked."""
        for each in opened().all():
            until = datetime.fromtimestamp(each.expires_us // SECOND_US, UTC).date()
            state = "revoked" if each.revoked_us else f"until {until}"
            click.echo(f"{each.id}\t{each.name}\t{', '.join(map(str, each.scopes))}\t{state}")

    @token.command()
    @click.argument("token_id", type=UUID)
    def revoke(token_id: UUID) -> None:
        """End the token TOKEN_ID for ever; exit status 1 when it was not good."""
        sys.exit(0 if opened().revoke(token_id) else 1)

    return token
