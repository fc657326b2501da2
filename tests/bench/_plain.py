"""The limit: notebooks run by plain nbclient in a fresh kernel each, with nothing rebuilt, tested or recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.bench._cpu import counted

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_PROGRAM = """
import sys, nbformat
from nbclient import NotebookClient
print("loaded", flush=True)
sys.stdin.readline()
for file in sys.argv[1:]:
    NotebookClient(nbformat.read(file, 4), timeout=600, allow_errors=True, kernel_name="python3").execute()
"""


def run_plainly(folder: Path, notebooks: Collection[bytes]) -> float:
    """CPU seconds that nbclient takes for ``notebooks``, one after another, its own start not counted."""
    folder.mkdir()
    files = [folder / f"{number}.ipynb" for number in range(len(notebooks))]
    for file, notebook in zip(files, notebooks, strict=True):
        file.write_bytes(notebook)
    command = [sys.executable, "-c", _PROGRAM, *map(str, files)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with (
        counted() as count,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **threads},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        count.take_in(process.pid)
        if process.stdout is not None:
            process.stdout.readline()
        before = count.seconds()
        process.communicate(b"\n")
        cpu = count.seconds() - before
    if process.returncode:
        raise RuntimeError(f"nbclient ended with {process.returncode}")
    return cpu
