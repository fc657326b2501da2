"""A draft as learners would get it: made in a process of its own, because nbgrader's converter is slow to import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from grader.unpack import Caps, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.authoring.shelf import Shelf

REFUSED = 3
"""Exit status of a process whose last line says why, as JSON in both languages."""
LONGEST_SECONDS = 120


class PreviewRefused(Exception):  # noqa: N818 -- it names the state
    """No learners' version can be made; the message says why, in English, and :attr:`zh` in Chinese."""

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh


def learners_version(shelf: Shelf, course: str, lab: str, env: Mapping[str, str]) -> dict[str, bytes]:
    """The files learners would get, without solutions and hidden tests; made once for each content.

    Raises:
        PreviewRefused: it cannot be made, or it would give away what is kept back.
    """
    file = shelf.preview(course, lab)
    if not file.is_file():
        _make(course, lab, env)
    return unpack(file.read_bytes(), Caps())


def step(what: str, course: str, lab: str, by: str) -> list[str]:
    """The command line of one piece of work on a draft (:mod:`hub.authoring.__main__`)."""
    return [sys.executable, "-m", "hub.authoring", what, course, lab, by]


def _make(course: str, lab: str, env: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            step("preview", course, lab, ""), env=dict(env), capture_output=True, text=True, check=False,
            timeout=LONGEST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PreviewRefused(
            zh=f"{LONGEST_SECONDS} 秒内没有生成学员版本。", en=f"no learners' version within {LONGEST_SECONDS} s"
        ) from error
    if done.returncode == 0:
        return
    last = (done.stdout if done.returncode == REFUSED else done.stderr).strip().splitlines()[-1:]
    if done.returncode == REFUSED and last:
        raise PreviewRefused(**json.loads(last[0]))
    raise PreviewRefused(zh=f"无法生成学员版本：{''.join(last)}", en=f"no learners' version: {''.join(last)}")
