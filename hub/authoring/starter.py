"""What a new lab begins as: a whole little lab that passes the gate, for its instructor to rewrite."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from hub.authoring.draft import RUBRIC
from hub.course import Slug, Text  # noqa: TC001 -- pydantic reads the fields' types

if TYPE_CHECKING:
    from hub.course import Lab

FOLDER = Path(__file__).parent / "starters"
ORDER = ("code", "film", "written")
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|<>~$-])")


class Starter(BaseModel):
    """A kind of lab, and what suits it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Slug
    title: Text
    about: Text
    minutes: int = Field(ge=1)
    time_limit_seconds: int = Field(ge=5)
    needs_model: bool = False


def starters() -> tuple[Starter, ...]:
    """Every kind of lab that can be begun."""
    read = (tomllib.loads((FOLDER / name / "starter.toml").read_text(encoding="utf-8")) for name in ORDER)
    return tuple(Starter.model_validate(values) for values in read)


def first_files(starter: Starter, lab: Lab) -> dict[str, bytes]:
    """The files that ``lab`` begins with, its own titles in them."""
    folder = FOLDER / starter.id
    notebook = json.loads((folder / "starter.ipynb").read_text(encoding="utf-8"))
    words = {
        "«title-zh»": as_prose(lab.title.zh),
        "«title-en»": as_prose(lab.title.en),
        "«aim-zh»": as_prose(lab.summary.zh),
        "«aim-en»": as_prose(lab.summary.en),
        "«minutes»": str(lab.minutes),
    }
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _filled("".join(cell["source"]), words)
    files = {f"{lab.id}.ipynb": json.dumps(notebook, ensure_ascii=False, indent=1).encode() + b"\n"}
    if (folder / RUBRIC).is_file():
        files[RUBRIC] = (folder / RUBRIC).read_bytes()
    return files


def as_prose(text: str) -> str:
    """``text`` as Markdown that shows exactly these characters: a title is no markup."""
    return MARKDOWN.sub(r"\\\1", text)


def _filled(source: str, words: dict[str, str]) -> str:
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found.group()], source)
