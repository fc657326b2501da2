"""The walls of a local lab, tried from inside with a real bubblewrap."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hub
from hub.spawner import box

pytestmark = pytest.mark.skipif(box.strength() == "none", reason="bubblewrap is not installed")

LOOK = """
import json, os, sys
from pathlib import Path
seen = {}
for name, path in json.loads(sys.argv[1]).items():
    try:
        p = Path(path)
        seen[name] = sorted(os.listdir(p)) if p.is_dir() else p.read_text()[:20]
    except OSError as error:
        seen[name] = type(error).__name__
seen["uid"] = os.getuid()
seen["processes"] = sum(entry.isdigit() for entry in os.listdir("/proc"))
import labs
Path.home().joinpath("mine").write_text("x")
print(json.dumps(seen))
"""


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    return tmp_path / "homes"


def look(homes: Path, learner: str, paths: dict[str, str]) -> dict[str, object]:
    home, uid = box.home_for(homes, learner)
    walls = box.Walls(home=home, models=homes.parent / "models", uid=uid)
    argv = box.argv(walls, [sys.executable, "-c", LOOK, json.dumps(paths)])
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_learner_sees_neither_neighbours_nor_solutions_nor_secrets(homes: Path) -> None:
    neighbour, _ = box.home_for(homes, "neighbour")
    (neighbour / "answer.txt").write_text("secret")
    (homes.parent / "secrets").mkdir()
    (homes.parent / "secrets" / "key").write_text("secret")
    repository = Path(hub.__file__).parent.parent
    seen = look(
        homes,
        "learner",
        {
            "neighbour": str(neighbour / "answer.txt"),
            "secret": str(homes.parent / "secrets" / "key"),
            "sources": str(repository / "courses"),
            "platform": str(repository / "hub"),
        },
    )
    assert seen["neighbour"] == "FileNotFoundError"
    assert seen["secret"] == "FileNotFoundError"
    assert seen["sources"] == "FileNotFoundError"
    assert seen["platform"] == "FileNotFoundError"
    assert (homes / "learner" / "mine").read_text() == "x"


def test_a_learner_sees_only_their_own_processes(homes: Path) -> None:
    seen = look(homes, "learner", {})
    assert isinstance(seen["processes"], int)
    assert seen["processes"] <= 3


def test_a_learner_reads_what_programs_need_of_the_system(homes: Path) -> None:
    seen = look(homes, "learner", {"people": "/etc/passwd", "passwords": "/etc/shadow"})
    assert str(seen["people"]).startswith("root:")
    assert seen["passwords"] == "FileNotFoundError"


def test_models_are_there_to_read_and_not_to_write(homes: Path) -> None:
    models = homes.parent / "models"
    models.mkdir()
    (models / "card").write_text("house")
    assert look(homes, "learner", {"model": str(models / "card")})["model"] == "house"
    home, uid = box.home_for(homes, "learner")
    argv = box.argv(box.Walls(home, models, uid), ["sh", "-c", f"echo x > {models}/card"])
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
    assert (models / "card").read_text() == "house"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each learner a user of their own")
def test_each_learner_has_a_user_of_their_own_and_keeps_it(homes: Path) -> None:
    first, second = box.home_for(homes, "first")[1], box.home_for(homes, "second")[1]
    assert first != second
    assert box.home_for(homes, "first")[1] == first
    assert look(homes, "first", {})["uid"] == first
