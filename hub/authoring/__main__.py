"""One piece of work on a draft, as a process of its own: ``python -m hub.authoring STEP COURSE LAB BY``.

STEP is ``preview``, ``check`` or ``release``.
Portal and intake start it (:mod:`hub.authoring.bench`, :mod:`hub.authoring.preview`); outcomes go to the shelf.
"""

from __future__ import annotations

import json
import sys

from grader.release import ReleaseRefusedError
from hub.authoring import work
from hub.authoring.preview import REFUSED
from hub.config import Config
from hub.platform import Platform


def main(arguments: list[str]) -> int:
    """Do it; returns the exit status."""
    what, course, lab, by = arguments
    platform = Platform(Config.load())
    if what == "preview":
        try:
            work.preview(platform, course, lab)
        except ReleaseRefusedError as error:
            print(json.dumps({"zh": error.zh, "en": str(error)}))  # noqa: T201 -- read by who started this
            return REFUSED
    elif what == "check":
        work.check(platform, course, lab, by)
    else:
        work.release(platform, course, lab, by)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
