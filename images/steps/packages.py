# ruff: noqa: INP001 -- a step of an image build, run as a file
"""Prints the list of packages of the image it runs in, Python's and Debian's, as a CycloneDX 1.5 document.

Usage: packages.py NAME. The order is fixed and nothing in it is random, so the same image gives the same list.
"""

from __future__ import annotations

import json
import sys
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path

DEBIAN = Path("/var/lib/dpkg")


def main() -> int:
    """Print the document."""
    parts = sorted([*python_parts(), *debian_parts()], key=lambda part: part["purl"])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"reelwright/{sys.argv[1]}"}},
        "components": parts,
    }
    json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
    return 0


def python_parts() -> list[dict[str, str]]:
    """Every installed Python distribution, each once."""
    found = {dist.metadata["Name"].lower().replace("_", "-"): dist.version for dist in distributions()}
    return [part(name, version, f"pkg:pypi/{name}@{version}") for name, version in found.items()]


def debian_parts() -> list[dict[str, str]]:
    """Every Debian package: of an unpacked base (one file each), or of an installed one (the status file)."""
    folder, status = DEBIAN / "status.d", DEBIAN / "status"
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())] if folder.is_dir() else []
    if status.is_file():
        texts += [text for text in status.read_text(encoding="utf-8").split("\n\n") if text.strip()]
    heads = [HeaderParser().parsestr(text) for text in texts]
    return [
        part(head["Package"], head["Version"], f"pkg:deb/debian/{head['Package']}@{head['Version']}")
        for head in heads
        if head["Package"]
    ]


def part(name: str, version: str, purl: str) -> dict[str, str]:
    """One component."""
    return {"type": "library", "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    sys.exit(main())
