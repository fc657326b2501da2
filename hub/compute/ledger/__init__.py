"""The compute ledger and all of its SQL: the door, the chain's entries, the shelves of books, and the audit."""

from hub.compute.ledger.ledger import Ledger
from hub.compute.ledger.pen import now_us

__all__ = ["Ledger", "now_us"]
