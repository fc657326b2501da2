"""A learner's first JupyterLab settings: the interface speaks their language unless they chose one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from labs.language import LOCALE_VARIABLE

TRANSLATION = Path("lab", "user-settings", "@jupyterlab", "translation-extension", "plugin.jupyterlab-settings")


def choose_language(home: Path) -> Path | None:
    """Write JupyterLab's language once for a zh_CN learner and return the file; None when there was nothing to do.

    A settings file that is already there, whatever it says, is the learner's own and stays.

    Raises:
        OSError: the settings cannot be written.
    """
    if os.environ.get(LOCALE_VARIABLE) != "zh_CN":
        return None
    folder = Path(os.environ.get("JUPYTER_CONFIG_DIR") or home / ".jupyter")
    settings = folder / TRANSLATION
    settings.parent.mkdir(parents=True, exist_ok=True)
    try:
        with settings.open("x", encoding="utf-8") as file:
            file.write(json.dumps({"locale": "zh_CN"}) + "\n")
    except FileExistsError:
        return None
    return settings
