"""What an operator types wrong is answered in one line that says what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub.migrate import upgrade

ROOT = Path(__file__).parent.parent.parent


def reelwright(folder: Path, *arguments: str, toml: str = "") -> subprocess.CompletedProcess[str]:
    file = folder / "reelwright.toml"
    file.write_text(f'courses_dir = "{ROOT / "courses"}"\n{toml}', encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REELWRIGHT_")}
    env = {**kept, "REELWRIGHT_CONFIG": str(file)}
    argv = [sys.executable, "-m", "hub", *arguments]
    return subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def says(done: subprocess.CompletedProcess[str], *words: str) -> bool:
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return all(word in done.stderr for word in words)


def test_an_unknown_key_stops_the_start(tmp_path: Path) -> None:
    done = reelwright(tmp_path, "run", toml="[server]\nprot = 8000\n")
    assert says(done, "server.prot: unknown key", "docs/operators.md")


def test_a_taken_port_stops_the_start_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = reelwright(tmp_path, "run", toml=f"[server]\nport = {port}\n")
    assert says(done, f"127.0.0.1:{port} is already in use", "server.port")
    assert not (tmp_path / "var").exists()


def test_a_readable_secret_stops_the_start_with_the_remedy(tmp_path: Path) -> None:
    secrets = tmp_path / "var" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "proxy-token").write_text("ab" * 32)
    (secrets / "proxy-token").chmod(0o644)
    (tmp_path / "var" / "models" / "house").mkdir(parents=True)
    (tmp_path / "var" / "models" / "house" / "manifest.json").write_text('{"trained": true}')
    done = reelwright(tmp_path, "run", toml="[server]\nport = 18999\n")
    assert says(done, "mode is 0644, expected 0600", "chmod 600")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("user", "invite", "--role", "instructor", "--course", "nowhere"), ("got 'nowhere'", "micro-drama")),
        (("course", "release", "nowhere"), ("got 'nowhere'", "micro-drama")),
        (("verify", "absent.json"), ("absent.json",)),
        (("serve", "nothing"), ("nothing", "portal")),
    ],
)
def test_a_wrong_argument_names_what_is_known(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert says(reelwright(tmp_path, *arguments), *words)


def test_a_claim_over_an_unknown_programme_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    upgrade(f"sqlite:///{tmp_path / 'var' / 'reelwright.db'}")
    days = ("2026-10-01", "2026-11-01")
    done = reelwright(
        tmp_path, "ledger", "claim", "preview", "nowhere", "nobody", *days, "--operator", "base", "--contract", "c-1"
    )
    assert says(done, "nowhere")


def test_metrics_are_printed_without_an_instance_running(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    upgrade(f"sqlite:///{tmp_path / 'var' / 'reelwright.db'}")
    done = reelwright(tmp_path, "ledger", "metrics")
    assert done.returncode == 0, done.stderr
    assert "# TYPE" in done.stdout
