"""Model folders: the house model is made by the labs' own script, larger ones are adopted, each file by its digest."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from labs.model import ModelFolder
    from labs.model.folder import ClipDefaults

HOUSE = "house"
MANIFEST = "manifest.json"
PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl"})


class ModelError(Exception):
    """The house model cannot be made, or a folder is none that labs could load; the message says why."""


def ensure(models_dir: Path) -> bool:
    """Make the house model when it is not there, or when only an untrained one is; returns whether its script ran.

    Raises:
        ModelError: its script failed, or what lies there is no model.
    """
    if _trained(models_dir / HOUSE / MANIFEST):
        return False
    models_dir.mkdir(parents=True, exist_ok=True)
    # A process of its own: torch stays out of the supervisor.
    command = [sys.executable, "-m", "labs.model.make", str(models_dir / HOUSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ModelError(f"the house model could not be made: {done.stderr.strip().splitlines()[-1:]}")
    return True


def _trained(manifest: Path) -> bool:
    try:
        return json.loads(manifest.read_bytes())["trained"] is True
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{manifest}: expected a model folder's manifest, got {error!r}") from error


def model_digest(models_dir: Path) -> str | None:
    """SHA-256 of the house model's manifest, which holds the digest of every file; None when there is no model."""
    manifest = models_dir / HOUSE / MANIFEST
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else None


def adopt(folder: Path, clip: ClipDefaults) -> ModelFolder:
    """Write the manifest that makes a downloaded diffusers folder a model folder: its pipeline and every file's digest.

    Raises:
        ModelError: it has a manifest already, is no diffusers folder, or its weights are not safetensors.
    """
    from labs.model import open_model  # noqa: PLC0415 -- the portal and the hub read digests only
    from labs.model.make import write_manifest  # noqa: PLC0415

    if (folder / MANIFEST).exists():
        raise ModelError(f"{folder}: it has a {MANIFEST} already; remove it to adopt the folder anew")
    index = folder / "model_index.json"
    try:
        pipeline = json.loads(index.read_bytes())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{index}: expected a diffusers folder's index with _class_name, got {error!r}") from error
    if not isinstance(pipeline, str) or not pipeline.endswith("Pipeline"):
        raise ModelError(f"{index}: got the class {pipeline!r}, expected a diffusers pipeline")
    if pickled := sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLED):
        raise ModelError(f"{folder}: got {pickled[:3]}, expected weights as .safetensors alone (pickles run code)")
    if not any(folder.rglob("*.safetensors")):
        raise ModelError(f"{folder}: it holds no .safetensors")
    write_manifest(folder, name=folder.name, pipeline=pipeline, trained=True, clip=clip)
    return open_model(folder)
