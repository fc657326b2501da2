"""The choice of a sandbox, and what every engine promises of its boxes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from grader.sandbox.box import Box, BoxEnded, BoxPlan, Sandbox, SandboxUnavailable, open_sandbox
from grader.sandbox.cgroup import make_group
from grader.verdict import Limits

LIMITS = Limits(wall_seconds=30, cpu_seconds=20, memory_mb=600, processes=32, disk_mb=16, output_bytes=10_000)


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    try:
        return open_sandbox(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


def test_there_is_never_silently_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap"):
        open_sandbox("auto")
    with pytest.raises(SandboxUnavailable, match="util-linux"):
        open_sandbox("unshare")


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(SandboxUnavailable, match="'none', expected one of auto, bubblewrap, unshare"):
        open_sandbox("none")  # type: ignore[arg-type]


def test_auto_takes_bubblewrap_where_it_is() -> None:
    try:
        open_sandbox("bubblewrap")
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    assert open_sandbox("auto").name == "bubblewrap"


def ask(box: Box, **request: Any) -> Any:
    deadline = time.monotonic() + 30
    box.send(json.dumps(request).encode(), deadline)
    return json.loads(box.receive(deadline))


def test_a_box_runs_cells_and_forgets_them(sandbox: Sandbox) -> None:
    with sandbox.start(BoxPlan("runner", LIMITS)) as box:
        box.make_ready()
        assert ask(box, op="run", source="open('kept', 'w').write('x')\n1 + 1")["ok"]["outputs"] == [
            {"data": {"text/plain": "2"}}
        ]
        assert [row[0] for row in ask(box, op="files")["ok"]] == ["kept"]
    with sandbox.start(BoxPlan("runner", LIMITS)) as box:
        box.make_ready()
        assert ask(box, op="files")["ok"] == []


def test_read_only_folders_and_environment_are_shown(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    tmp_path.chmod(0o755)
    plan = BoxPlan("runner", LIMITS, ((str(tmp_path), "/models/tiny"),), {"MODEL": "/models/tiny"})
    with sandbox.start(plan) as box:
        box.make_ready()
        read = "import os\nprint(open(os.environ['MODEL'] + '/weights.bin').read())\nopen('/models/tiny/x', 'w')"
        said = ask(box, op="run", source=read)["ok"]
        assert said["outputs"][0]["text"] == "weights\n"
        assert said["limit"] is None
        assert "OSError" in str(said["outputs"])
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]


def test_nobody_is_waited_for_past_the_deadline(sandbox: Sandbox) -> None:
    with sandbox.start(BoxPlan("runner", LIMITS)) as box:
        box.make_ready()
        box.send(json.dumps({"op": "run", "source": "import time; time.sleep(600)"}).encode(), time.monotonic() + 30)
        with pytest.raises(BoxEnded) as ended:
            box.receive(time.monotonic() + 0.5)
        assert ended.value.cause == "time"


def test_a_folder_that_cannot_be_shown_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(OSError, match="/there"):
        sandbox.start(BoxPlan("runner", LIMITS, (("/there/is/no/such/folder", "/models"),)))
    if os.getuid() == 0:
        with pytest.raises(PermissionError, match="expected readable by others"):
            sandbox.start(BoxPlan("runner", LIMITS, ((str(tmp_path), "/models"),)))


def test_limits_must_be_positive() -> None:
    with pytest.raises(ValueError, match="memory_mb: got 0"):
        Limits(memory_mb=0)


def test_a_box_has_no_more_than_one_core_whatever_runs_in_it() -> None:
    group = make_group(Limits())
    if group is None:
        pytest.skip("no control group can be made here")
    try:
        files = [folder / name for folder in group.folders for name in ("cpu.max", "cpu.cfs_quota_us")]
        found = {file.name: file.read_text().split()[0] for file in files if file.exists()}
        if not found and not Path("/sys/fs/cgroup/cpu").exists():
            pytest.skip("the host has no control over CPU time")
        assert set(found.values()) == {"100000"}
    finally:
        group.remove()
