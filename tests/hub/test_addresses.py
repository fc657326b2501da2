"""Addresses: kept while free, chosen anew when not, and a taken public port is said plainly."""

import socket
from pathlib import Path

import pytest

from hub import addresses


def test_addresses_are_kept_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    first = addresses.choose(file, courses=2)
    assert addresses.choose(file, courses=2) == first
    assert addresses.load(file) == first
    assert first.formgrader(1) == f"http://127.0.0.1:{first.formgrader_base + 1}"


def test_a_taken_address_moves_the_run(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    first = addresses.choose(file, courses=1)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first.hub))
        other.listen()
        assert addresses.choose(file, courses=1).hub != first.hub


def test_a_taken_public_port_names_the_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(addresses.PortTaken, match=rf"127\.0\.0\.1:{port} is already in use.*server\.port"):
            addresses.require_free("127.0.0.1", port)
