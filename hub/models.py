"""The house model's folder: made by the labs' own script when it is missing, and its digest for certificates."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOUSE = "house"
MANIFEST = "manifest.json"


class ModelError(Exception):
    """The house model cannot be made; the message holds the last words of the script that makes it."""


def ensure(models_dir: Path) -> bool:
    """Make the house model when it is not there; returns whether it was made.

    Raises:
        ModelError: its script failed.
    """
    if (models_dir / HOUSE / MANIFEST).is_file():
        return False
    models_dir.mkdir(parents=True, exist_ok=True)
    # A process of its own: torch stays out of the supervisor.
    command = [sys.executable, "-m", "labs.model.make", str(models_dir / HOUSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ModelError(f"the house model could not be made: {done.stderr.strip().splitlines()[-1:]}")
    return True


def model_digest(models_dir: Path) -> str | None:
    """SHA-256 of the house model's manifest, which holds the digest of every file; None when there is no model."""
    manifest = models_dir / HOUSE / MANIFEST
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else None
