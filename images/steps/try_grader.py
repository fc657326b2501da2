# ruff: noqa: INP001 -- a step of an image build, run as a file
"""Imports, in the image being built, the grader's side of the box: what runs there needs nothing of the hub."""

import importlib
import pkgutil
import sys

NOT_IN_THE_BOX = ("sqlalchemy", "flask", "hub", "certs")
OUTSIDE = "grader.sandbox.container"
"""Speaks with the Docker daemon, so it never runs in a box."""


def main() -> int:
    """Import what the box runs; a part that wants what is not in the box ends the build."""
    package = importlib.import_module("grader.sandbox")
    names = [found.name for found in pkgutil.iter_modules(package.__path__, "grader.sandbox.")]
    for name in set(names) - {OUTSIDE}:
        importlib.import_module(name)
    found = [name for name in NOT_IN_THE_BOX if name in sys.modules]
    sys.stdout.write(f"grader.sandbox: {len(names)} modules, loaded beside them: {found or 'nothing of the hub'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
