"""Secrets are made once, kept, and refused when others can read them."""

import stat
from pathlib import Path

import pytest

from hub.secrets import SecretError, Secrets


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    value = Secrets(tmp_path / "s").text("key")
    assert len(value) == 64
    assert Secrets(tmp_path / "s").text("key") == value
    assert stat.S_IMODE((tmp_path / "s" / "key").stat().st_mode) == 0o600


def test_a_readable_secret_is_refused_with_the_remedy(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.text("key")
    secrets.path("key").chmod(0o644)
    with pytest.raises(SecretError, match=r"mode is 0644, expected 0600.*chmod 600"):
        secrets.text("key")
