"""The doctor names what is missing and how to mend it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub import doctor
from hub.config import Config
from hub.platform import Platform

ROOT = Path(__file__).parent.parent.parent


def platform(folder: Path, toml: str = "") -> Platform:
    file = folder / "reelwright.toml"
    file.write_text(f'courses_dir = "{ROOT / "courses"}"\n{toml}', encoding="utf-8")
    return Platform(Config.load(file))


def finding(folder: Path, name: str, toml: str = "") -> doctor.Finding:
    return next(found for found in doctor.examine(platform(folder, toml)) if found.name == name)


def test_a_profile_without_a_price_is_named(tmp_path: Path) -> None:
    found = finding(tmp_path, "prices", '[profiles.huge]\ntitle_zh = "大"\ntitle_en = "Huge"\n')
    assert not found.held
    assert "huge" in found.found
    assert "tariffs.toml" in found.mend


def test_a_missing_model_says_how_to_make_it(tmp_path: Path) -> None:
    found = finding(tmp_path, "house model")
    assert not found.held
    assert "labs.model.make" in found.mend


def test_a_course_folder_without_a_course_is_named(tmp_path: Path) -> None:
    file = tmp_path / "reelwright.toml"
    file.write_text('courses_dir = "empty"\n', encoding="utf-8")
    found = next(f for f in doctor.examine(Platform(Config.load(file))) if f.name == "courses")
    assert not found.held
    assert str(tmp_path / "empty") in found.found


@pytest.mark.slow
def test_the_command_exits_one_when_something_needs_mending(tmp_path: Path) -> None:
    platform(tmp_path)
    env = {"REELWRIGHT_CONFIG": str(tmp_path / "reelwright.toml"), "PATH": "/usr/bin:/bin"}
    argv = [sys.executable, "-m", "hub", "doctor", "--json"]
    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["held"] is False
