"""An instance on disk with one small shipped course, and labs that its instructor begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from hub import models, prepare
from hub.authoring.draft import Draft
from hub.authoring.starter import first_files, starters
from hub.config import Config
from hub.course import Lab, Text
from hub.migrate import upgrade
from hub.people.person import Person, Site
from hub.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COURSE = """
id = "small"
programme = "small"
version = "1"
skills = [{ id = "cutting", title = { zh = "剪辑", en = "Cutting" } }]
title = { zh = "小课", en = "Small" }
summary = { zh = "小", en = "Small" }
completion = { min_score = 60 }
allowance = { yuan = "50" }

[[labs]]
id = "one"
title = { zh = "一", en = "One" }
summary = { zh = "一", en = "One" }
minutes = 10
weight = 1
due_after_days = 7
"""


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    source = tmp_path / "courses" / "small" / "source" / "one"
    source.mkdir(parents=True)
    (source.parents[1] / "course.toml").write_text(COURSE, encoding="utf-8")
    (source / "one.ipynb").write_text(nbformat.writes(new_notebook(cells=[new_code_cell("1")])))
    (tmp_path / "reelwright.toml").write_text("")
    opened = Platform(Config.load(tmp_path / "reelwright.toml"))
    prepare.folders(opened)
    opened.config.models_dir.mkdir(parents=True)
    upgrade(opened.config.database_url)
    opened.people.put_site(Site("main", "基地", "Base"))
    for name in ("ines", "otto", "lena"):
        opened.people.put_person(Person(name, name.title(), frozenset({"instructor"}), "main"))
    for name in ("ines", "otto"):
        opened.people.add_instructor("small", name)
    return opened


@pytest.fixture
def begin(platform: Platform) -> Callable[..., Draft]:
    """Begin a lab of a kind, as the form does."""

    def begun(kind: str, lab_id: str = "", **fields: Any) -> Draft:
        starter = next(one for one in starters() if one.id == kind)
        if starter.needs_model:
            models.ensure(platform.config.models_dir)
        values = {
            "id": lab_id or f"my-{kind}", "title": Text(zh="我的实验", en="My lab"), "minutes": 30, "weight": 1,
            "summary": Text(zh="学会一件事", en="Learn one thing"), "due_after_days": 9,
            "time_limit_seconds": starter.time_limit_seconds, **fields,
        }  # fmt: skip
        lab = Lab.model_validate(values)
        draft = Draft(lab=lab, starter=kind, made_by="ines", made_us=1_793_851_200_000_000)
        platform.shelf.add("small", draft, first_files(starter, lab))
        return draft

    return begun
