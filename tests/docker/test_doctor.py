"""The doctor on a real daemon: what holds, and what is said when it does not."""

import os
from typing import Any

import pytest

from hub import doctor
from hub.config import Config
from hub.finding import Finding
from hub.platform import Platform
from tests.daemon import RUNTIME

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def findings(hub: Any, *changes: tuple[str, str]) -> dict[str, Finding]:
    text = (hub.folder / "reelwright.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = hub.folder / "examined.toml"
    file.write_text(text, encoding="utf-8")
    return {finding.name: finding for finding in doctor.examine(Platform(Config.load(file)))}


def test_a_host_that_is_set_up_is_found_so(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{RUNTIME}:{os.environ['PATH']}")  # where this daemon finds NVIDIA's hook
    found = findings(hub)
    for name in (
        "docker daemon", "labs outlive the daemon", "limits of labs", "images", "images are pinned",
        "walls of the labs' network", "GPUs", "docker's disk", "docker's clock",
    ):  # fmt: skip
        assert found[name].held, found[name]
    assert "isolation of labs" not in found


def test_each_lack_is_named_with_what_mends_it(hub: Any) -> None:
    found = findings(
        hub,
        ('gpu_class = "test"\negress', 'gpu_class = "h200"\negress'),
        (f'image = "{hub.settings.image}"', 'image = "reelwright/lab:nowhere"'),
        (f'bridge = "{hub.settings.bridge}"', 'bridge = "rw-else"'),
    )
    assert "reelwright/lab:nowhere" in found["images"].found
    assert "make images" in found["images"].mend
    assert "by tag only" in found["images are pinned"].found
    assert "h200" in found["GPUs"].found
    assert not found["walls of the labs' network"].held
    assert f"bridge: got '{hub.settings.bridge}', expected 'rw-else'" in found["walls of the labs' network"].found


def test_a_daemon_that_does_not_answer_is_one_finding(hub: Any) -> None:
    found = findings(hub, (f'host = "{hub.settings.host}"', 'host = "unix:///nowhere/docker.sock"'))
    assert not found["docker daemon"].held
    assert "docker.host" in found["docker daemon"].mend
    assert "images" not in found
