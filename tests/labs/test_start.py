from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from labs.settings import TRANSLATION
from labs.start import CONFIG_FOLDER, NOTICE, bring_labs

if TYPE_CHECKING:
    from pathlib import Path

COURSE = "micro-drama"


def start(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labs.start", "--home", str(home), "--", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_open_labs_are_in_the_home_when_the_command_runs(intake: Any, tmp_path: Path) -> None:
    intake.release(COURSE, "one", {"one.ipynb": b"{}"})
    intake.release(COURSE, "over", {"over.ipynb": b"{}"})
    intake.closed.add((COURSE, "over"))
    shown = start(tmp_path, "sh", "-c", "ls micro-drama-is-elsewhere; echo $JUPYTER_CONFIG_PATH; exit 7")
    assert shown.returncode == 7
    assert shown.stdout.split(os.pathsep)[0].strip() == str(CONFIG_FOLDER)
    assert (tmp_path / COURSE / "one" / "one.ipynb").is_file()
    assert not (tmp_path / COURSE / "over").exists()


def test_a_learners_file_is_never_overwritten(intake: Any, tmp_path: Path) -> None:
    intake.release(COURSE, "one", {"one.ipynb": b"released", "data.txt": b"released"})
    (tmp_path / COURSE / "one").mkdir(parents=True)
    (tmp_path / COURSE / "one" / "data.txt").write_text("mine")
    assert bring_labs(tmp_path) == ()
    assert (tmp_path / COURSE / "one" / "data.txt").read_text() == "mine"
    (tmp_path / COURSE / "one" / "one.ipynb").write_text("my work")
    assert bring_labs(tmp_path) == ()
    assert (tmp_path / COURSE / "one" / "one.ipynb").read_text() == "my work"


def test_an_absent_intake_stops_nothing_and_is_said_where_the_learner_looks(
    intake: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    intake.release(COURSE, "one", {"one.ipynb": b"{}"})
    intake.wrong_digest = True
    shown = start(tmp_path, "true")
    assert shown.returncode == 0
    notice = (tmp_path / NOTICE).read_text()
    assert "arrived damaged" in notice
    assert "Some labs could not be fetched" in notice
    intake.wrong_digest = False
    assert bring_labs(tmp_path) == ()
    assert not (tmp_path / NOTICE).exists()
    monkeypatch.setenv("REELWRIGHT_INTAKE_URL", "http://127.0.0.1:9")
    assert start(tmp_path, "true").returncode == 0
    assert "cannot be reached" in (tmp_path / NOTICE).read_text()


def test_chinese_is_chosen_once_and_the_site_zone_is_handed_on(intake: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("JUPYTER_CONFIG_DIR", raising=False)
    monkeypatch.setenv("REELWRIGHT_TZ", "Asia/Shanghai")
    settings = tmp_path / ".jupyter" / TRANSLATION
    assert start(tmp_path, "sh", "-c", "echo $TZ").stdout == "Asia/Shanghai\n"
    assert not settings.exists()
    monkeypatch.setenv("REELWRIGHT_LOCALE", "zh_CN")
    start(tmp_path, "true")
    assert json.loads(settings.read_text()) == {"locale": "zh_CN"}
    settings.write_text('{"locale": "en"} // mine')
    start(tmp_path, "true")
    assert settings.read_text() == '{"locale": "en"} // mine'


def test_a_missing_program_is_named(intake: Any, tmp_path: Path) -> None:
    shown = start(tmp_path, "no-such-program")
    assert shown.returncode == 127
    assert "no-such-program" in shown.stderr
