"""Does the comparisons that instructors asked for, one after another, beside whatever else the process does."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from grader.blobs import BlobMissingError
from grader.similarity.compare import alike
from grader.similarity.fingerprint import every_run
from grader.store.likenesses import Likeness

if TYPE_CHECKING:
    from grader.store import Store

log = logging.getLogger(__name__)
MOST_PAIRS = 300
"""The likest pairs that are kept of one comparison; nobody reads more."""


def compare_next(store: Store) -> bool:
    """Do the comparison that waits longest; False when none does. Cut short, it is done anew the next time."""
    asked = store.likenesses.waiting()
    if asked is None:
        return False
    given = frozenset(run for one in store.likenesses.releases(asked.course, asked.lab) for run in every_run(one))
    notebooks = {submission: _notebook(store, digest) for submission, digest in store.likenesses.answers(asked).items()}
    pairs = alike(notebooks, given)[:MOST_PAIRS]
    found = [Likeness(pair.left, pair.right, pair.likeness, pair.shared) for pair in pairs]
    store.likenesses.finish(asked, found, len(notebooks))
    return True


def _notebook(store: Store, digest: str) -> bytes:
    try:
        return store.likenesses.notebook(digest)
    except BlobMissingError:
        log.exception("an answer's bytes are gone; the others are compared without it")
        return b""


class Beside:
    """Comparisons on a thread of their own: whoever asks for a round is never kept waiting by one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Begin with what waits, unless a round is under way; how many rounds were begun (0 or 1)."""
        if (self._thread and self._thread.is_alive()) or self._store.likenesses.waiting() is None:
            return 0
        self._thread = threading.Thread(target=self._round, name="similarity", daemon=True)
        self._thread.start()
        return 1

    def _round(self) -> None:
        try:
            while compare_next(self._store):
                pass
        except Exception:
            log.exception("a comparison of answers failed; it is tried again")
