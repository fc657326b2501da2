"""Which files a lab in the making consists of, as one digest; the lab and the platform compute it alike."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def revision_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the names and the contents' own SHA-256 digests, in the order of the names."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()
