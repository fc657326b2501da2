from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labs.skill import SkillError, open_skill, skill_digest

if TYPE_CHECKING:
    from pathlib import Path

SAID = "---\nname: shout\nversion: 1.0.0\ndescription: Says it louder.\n---\n\n# shout\n\nSay it louder.\n"


@pytest.fixture
def skill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    folder = tmp_path / "shout"
    folder.mkdir()
    (folder / "SKILL.md").write_text(SAID, encoding="utf-8")
    (folder / "skill.py").write_text("def run(words):\n    return words.upper()\n", encoding="utf-8")
    pin(folder)
    return folder


def pin(folder: Path) -> None:
    (folder.parent / "skill.lock").write_text(json.dumps({"sha256": skill_digest(folder)}), encoding="utf-8")


def test_the_pinned_skill_runs(skill: Path) -> None:
    found = open_skill(skill, skill.parent / "skill.lock")
    assert (found.name, found.version, found.run("cut")) == ("shout", "1.0.0", "CUT")
    assert found.instructions.startswith("# shout")


def test_a_letter_more_is_another_skill(skill: Path) -> None:
    with (skill / "SKILL.md").open("a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(SkillError, match="pin another version on purpose"):
        open_skill(skill, skill.parent / "skill.lock")


def test_what_is_no_skill_is_refused_by_name(skill: Path) -> None:
    lock = skill.parent / "skill.lock"
    (skill / "skill.py").write_text("x = 1\n", encoding="utf-8")
    pin(skill)
    with pytest.raises(SkillError, match="has no function run"):
        open_skill(skill, lock)
    (skill / "SKILL.md").write_text("no front matter", encoding="utf-8")
    pin(skill)
    with pytest.raises(SkillError, match="expected front matter"):
        open_skill(skill, lock)
    lock.write_text("[]", encoding="utf-8")
    with pytest.raises(SkillError, match="expected a JSON object"):
        open_skill(skill, lock)
    with pytest.raises(SkillError, match="no skill folder"):
        skill_digest(skill / "gone")
