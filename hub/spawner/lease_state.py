"""What the ledger says of labs that an engine found."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hub.compute.lease import UnknownLeaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.compute.lease import LeaseState
    from hub.compute.ledger import Ledger


def lease_ids(names: Iterable[str]) -> list[UUID]:
    """The ids among label values; a label that is none was not written by us."""
    found = []
    for name in names:
        try:
            found.append(UUID(name))
        except ValueError:
            continue
    return found


def lease_state(ledger: Ledger, lease_id: UUID) -> LeaseState:
    """The state of a lease; ``void`` for one that this ledger does not know, as after an older backup was restored."""
    try:
        return ledger.lease(lease_id).state
    except UnknownLeaseError:
        return "void"
