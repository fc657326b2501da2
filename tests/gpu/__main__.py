"""``python -m tests.gpu``: says what GPU there is, then runs the tests that need one; 0 where there is none to check.

A machine with a GPU and without what it needs to be used is no such machine: then it says what is missing, and fails.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.gpu import there


def main() -> int:
    """Run the check."""
    found = there.look()
    sys.stdout.write(f"gpu-check: {found.words}\n")
    if not found.devices:
        return 0
    if found.missing:
        return 1
    return int(pytest.main(["-m", "gpu", "-ra", str(Path(__file__).parent)]))


if __name__ == "__main__":
    sys.exit(main())
