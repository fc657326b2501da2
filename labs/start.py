"""Starts a learner's server: brings every open lab into the home, then becomes the server itself.

    python -m labs.start [--home FOLDER] -- jupyterhub-singleuser …

A lab that cannot be fetched never stops the start: the reason is written to a notice at the top of the home, where the
learner sees it, and the assignment list's Fetch button can be tried again. No file of the learner's is overwritten.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labs.authoring import AUTHOR_VARIABLE
from labs.authoring import CONFIG_FOLDER as AUTHOR_FOLDER
from labs.exchange.client import Intake
from labs.exchange.fetch import fetch_lab, is_fetched, lab_folder
from labs.language import LabError, Words
from labs.settings import choose_language

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG_FOLDER = Path(__file__).parent / "jupyter_config"
CONFIG_VARIABLE = "JUPYTER_CONFIG_PATH"
ZONE_VARIABLE = "REELWRIGHT_TZ"
NOTICE = "未取回的作业 NOT-FETCHED.md"


def bring_labs(home: Path) -> tuple[LabError | OSError, ...]:
    """Fetch every open lab that is not in ``home`` yet; what went wrong is returned, and written to the notice."""
    problems = tuple(_fetch_missing(home))
    try:
        _write_notice(home / NOTICE, problems)
    except OSError as error:
        problems = (*problems, error)
    return problems


def server_environment(environment: dict[str, str]) -> dict[str, str]:
    """``environment`` with our Jupyter configuration first on Jupyter's search path, and TZ from REELWRIGHT_TZ.

    An instructor's settings go before everybody's.
    """
    rest = environment.get(CONFIG_VARIABLE)
    ours = [AUTHOR_FOLDER, CONFIG_FOLDER] if environment.get(AUTHOR_VARIABLE) else [CONFIG_FOLDER]
    path = os.pathsep.join([*map(str, ours), *([rest] if rest else [])])
    zone = environment.get(ZONE_VARIABLE)
    return environment | {CONFIG_VARIABLE: path} | ({"TZ": zone} if zone else {})


def main(arguments: list[str] | None = None) -> int:
    """Fetch, then become the command; returns only when there is no command (2) or it cannot be run (127)."""
    parser = argparse.ArgumentParser(prog="python -m labs.start", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path.home(), help="where labs lie (default: the home folder)")
    parser.add_argument("command", nargs="+", help="what to become, after --")
    asked = parser.parse_args(arguments)
    for problem in (*bring_labs(asked.home), *_settle_language(asked.home)):
        print(f"labs.start: {problem}", file=sys.stderr, flush=True)  # noqa: T201 - the server's log
    try:
        os.execvpe(asked.command[0], asked.command, server_environment(dict(os.environ)))  # noqa: S606 - no shell meant
    except OSError as error:
        print(f"labs.start: {asked.command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127


def _settle_language(home: Path) -> Iterator[OSError]:
    try:
        choose_language(home)
    except OSError as error:
        yield error


def _fetch_missing(home: Path) -> Iterator[LabError | OSError]:
    try:
        with Intake.from_environment() as intake:
            now_us = time.time_ns() // 1000
            for lab in intake.labs().labs:
                folder = lab_folder(home, lab.course, lab.lab)
                if lab.is_open(now_us) and not is_fetched(folder):
                    try:
                        fetch_lab(intake, lab.course, lab.lab, home=home, folder=folder)
                    except (LabError, OSError) as error:
                        yield error
    except LabError as error:
        yield error


def _write_notice(notice: Path, problems: tuple[LabError | OSError, ...]) -> None:
    if not problems:
        notice.unlink(missing_ok=True)
        return
    reasons = "\n".join(f"- {problem}" for problem in problems)
    advice = Words(
        "有作业没有取回，原因如下。可在 Nbgrader 菜单的作业列表中点 Fetch 再试；您已有的文件没有改动。",
        "Some labs could not be fetched, for the reasons below. Try again with Fetch in the Nbgrader menu's assignment "
        "list; none of your files was changed.",
    )
    notice.write_text(f"# {notice.stem}\n\n{advice.zh}\n\n{advice.en}\n\n{reasons}\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
