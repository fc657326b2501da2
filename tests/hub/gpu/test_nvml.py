"""The inventory through the unmodified NVIDIA binding, on a stand-in library built against NVIDIA's own header."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ASK = """
import json
from dataclasses import asdict
from hub.compute.gpu.inventory import inventory
from hub.compute.gpu.slice import GpuSettings
settings = GpuSettings(inventory="nvml", classes={"3g.40gb": "h100-half"})
print(json.dumps([asdict(piece) for piece in inventory(settings)]))
"""


def header() -> Path:
    try:
        found = [file for file in files("nvidia-nvml-dev") or [] if file.name == "nvml.h"]
    except PackageNotFoundError:
        pytest.skip("NVIDIA's header is not installed (pip: nvidia-nvml-dev)")
    return Path(str(found[0].locate()))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-in library in it."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler (gcc) to build the stand-in driver with")
    folder = tmp_path_factory.mktemp("driver")
    built = folder / "libnvidia-ml.so.1"
    argv = ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-DNVML_NO_UNVERSIONED_FUNC_DEFS"]
    subprocess.run([*argv, f"-I{header().parent}", "-o", built, HERE / "fake_nvml.c"], check=True)
    return folder


def ask(library_folder: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LD_LIBRARY_PATH": library_folder, "PYTHONPATH": str(HERE.parents[2])}
    return subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=False)


def test_whole_gpus_and_mig_slices_are_found_and_a_cut_gpu_is_no_slice_itself(driver: Path) -> None:
    done = ask(str(driver))
    assert done.returncode == 0, done.stderr
    found = [(piece["kind"], piece["gpu_class"], piece["memory_mb"]) for piece in json.loads(done.stdout)]
    assert found == [("whole", "h100-80gb-hbm3", 81_559), ("mig", "h100-half", 40_338), ("mig", "h100-half", 40_338)]
    whole, *parts = json.loads(done.stdout)
    assert whole["uuid"] == "GPU-11111111-2222-3333-4444-555555555555"
    assert {part["parent"] for part in parts} == {"GPU-66666666-7777-8888-9999-000000000000"}


def test_a_host_without_the_driver_is_told_what_to_do(tmp_path: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this host has the driver")
    done = ask(str(tmp_path))
    assert done.returncode != 0
    assert "the NVIDIA driver does not answer" in done.stderr
