"""What only a real GPU can show: the pool's inventory is the driver's, and the toolkit draws and trains on it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from labs.model.make import make_model
from labs.takes import generate
from tests.gpu import there

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

DRAW_ON_CPU = """
import sys
import numpy as np
from labs.takes import generate
np.save(sys.argv[1], generate(sys.argv[2], 7, sys.argv[1] + ".mp4", frames=9).frames)
"""
PROMPT = "close shot, push in, a red umbrella"
LEAST_PSNR_DB = 30.0
"""What a viewer cannot tell apart; the same noise on two kinds of processor differs by rounding only."""


@pytest.fixture(scope="module", autouse=True)
def devices() -> Any:
    found = there.look()
    if not found.devices or found.missing:
        pytest.skip(found.words)
    return found.devices


@pytest.fixture(autouse=True)
def _house(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path_factory.mktemp("models")
    make_model(models / "house")
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models))


def test_the_inventory_is_what_the_drivers_own_tool_lists(devices: Any) -> None:
    listed = subprocess.run([shutil.which("nvidia-smi") or "nvidia-smi", "-L"], capture_output=True, check=True)
    for piece in devices:
        assert piece.uuid in listed.stdout.decode()
        assert piece.memory_mb > 0


def test_a_take_is_drawn_on_the_gpu_and_the_same_seed_gives_the_same_film(tmp_path: Path) -> None:
    first = generate(PROMPT, 7, tmp_path / "first.mp4", frames=9)
    again = generate(PROMPT, 7, tmp_path / "again.mp4", frames=9)
    assert first.record.device.startswith("cuda")
    assert hashlib.sha256(first.frames.tobytes()).digest() == hashlib.sha256(again.frames.tobytes()).digest()


def test_the_gpus_film_looks_like_the_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu = generate(PROMPT, 7, tmp_path / "gpu.mp4", frames=9).frames
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    subprocess.run([sys.executable, "-c", DRAW_ON_CPU, str(tmp_path / "cpu.npy"), PROMPT], check=True)
    on_cpu = np.load(tmp_path / "cpu.npy")
    error = float(np.mean((on_gpu.astype(float) - on_cpu.astype(float)) ** 2))
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > LEAST_PSNR_DB


def test_every_stage_of_training_runs_on_the_gpu(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "labs.model.train", str(tmp_path), "--device", "cuda", "--trial"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "candidate" / "model_index.json").is_file()
