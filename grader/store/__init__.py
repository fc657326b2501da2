"""All the grader's SQL, and the folder of bytes beside it. The submission row is the queue."""

from grader.store.claims import Claim
from grader.store.store import Store

__all__ = ["Claim", "Store"]
