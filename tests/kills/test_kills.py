"""A short walk through the kill points: whatever is killed, no second is lost and none is billed twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

POINTS = 10
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_kills_of_every_part_lose_nothing_and_bill_nothing_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.kills", str(tmp_path / "instance"), str(POINTS), "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["points"], found["lost"], found["billed_twice"], found["wrong"]) == (POINTS, 0, 0, 0)
    assert found["sessions"] > 0
