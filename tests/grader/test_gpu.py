"""A GPU for a box on this host: its own device file and what all share, no other GPU's; a missing one is our fault."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.grade import grade
from grader.sandbox import gpu
from grader.sandbox.box import BoxEnded, SandboxUnavailable, open_sandbox
from grader.sandbox.warm import WarmSandbox

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, solution

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE, OTHER = "GPU-11111111-0000-4000-8000-000000000001", "GPU-22222222-0000-4000-8000-000000000002"
LOOK = """import os
names = sorted(name for name in os.listdir('/dev') if name.startswith('nvidia'))
seen = os.environ.get('CUDA_VISIBLE_DEVICES')
"""


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What NVIDIA's driver shows of two GPUs; the device files are copies of /dev/null's."""
    if os.geteuid() != 0:
        pytest.skip("device files need root")
    for number, uuid in enumerate((MINE, OTHER)):
        folder = tmp_path / "gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        told = f"Model: \t\t Test\nIRQ:   \t\t 1\nGPU UUID: \t {uuid}\nDevice Minor: \t {number}\n"
        (folder / "information").write_text(told)
    monkeypatch.setattr(gpu, "GPUS", tmp_path / "gpus")
    made = []
    try:
        for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
            node = Path("/dev", name)
            os.mknod(node, 0o20666, os.makedev(1, 3))
            made.append(node)
        yield
    except FileExistsError:
        pytest.skip("this host has NVIDIA devices of its own")
    finally:
        for node in made:
            node.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["bubblewrap", "unshare", "auto"])
def test_the_learners_box_gets_the_named_gpu_and_no_other(two_gpus: None, engine: str) -> None:
    lab = Lab(
        solution("w", f"### BEGIN SOLUTION\n{LOOK}\n### END SOLUTION"),
        check("own", f"assert (names, seen) == (['nvidia-uvm', 'nvidia0', 'nvidiactl'], {MINE!r}), (names, seen)"),
        check("none", "import os\nassert not [name for name in os.listdir('/dev') if name.startswith('nvidia')]"),
    )
    try:
        sandbox = open_sandbox(engine, warm=engine == "auto")  # type: ignore[arg-type]
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    verdict = grade(replace(lab.job(lab.submission(w=LOOK), FAST), gpu=MINE), sandbox)
    assert [cell.score for cell in verdict.cells] == [1, 1], verdict
    failure = grade(replace(lab.job(lab.submission(w=LOOK), FAST), gpu="GPU-33"), sandbox).failure
    assert failure is not None
    assert failure.kind == "infrastructure"
    if isinstance(sandbox, WarmSandbox):
        sandbox.close()


def test_a_gpu_that_is_not_here_is_named_beside_those_that_are(two_gpus: None) -> None:
    assert gpu.device_nodes("") == []
    with pytest.raises(BoxEnded, match=f"'GPU-33' is not here, expected one of .'{MINE}', '{OTHER}'"):
        gpu.device_nodes("GPU-33")
    with pytest.raises(BoxEnded, match="docker"):
        gpu.device_nodes("MIG-44")
