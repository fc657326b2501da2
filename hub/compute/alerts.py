"""VALUE: how much of an allowance is used, and at which levels people are told so. Pure; no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.compute.lease import Account

LEVELS = (50, 70, 80, 100)
"""Percent of an allowance."""


def used_percent(account: Account, accrued_uy: int = 0) -> int:
    """Whole percent of what was granted that ended sessions used, and running ones (``accrued_uy``) so far.

    Rounded down, and 100 where nothing was granted: there is nothing left to use.
    """
    if account.granted_uy <= 0:
        return 100
    return (account.used_uy + accrued_uy) * 100 // account.granted_uy


def alert(account: Account, accrued_uy: int = 0) -> int | None:
    """The highest level that is reached, None below the first, and where nothing was granted."""
    if account.granted_uy <= 0:
        return None
    used = used_percent(account, accrued_uy)
    return max((level for level in LEVELS if used >= level), default=None)
