"""Installed versions are at or above the last known security fix; constraints name versions only."""

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parent.parent
FLOORS = {
    "jupyterhub": "6.1",
    "jupyter_server": "2.20",
    "nbconvert": "7.17.1",
    "nbgrader": "0.9.5",
    "tornado": "6.5.5",
}


@pytest.mark.parametrize(("package", "floor"), FLOORS.items())
def test_no_package_is_below_its_floor(package: str, floor: str) -> None:
    assert Version(version(package)) >= Version(floor)


def test_constraints_hold_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, pinned = line.partition("==")
        assert name, line
        assert Version(pinned), line
        assert "://" not in line
        assert "@" not in line


def test_what_is_installed_is_what_is_pinned() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, pinned = line.partition("==")
        try:
            installed = Version(version(name))
        except Exception:  # noqa: BLE001, S112 -- pinned for an extra that is not installed here
            continue
        assert Version(installed.public) == Version(pinned), name
