"""VALUE: why something a learner sent was not taken, in both languages, with what was got and what was expected.

The family::

    Refused                 any of the below; carries the HTTP status that says the same
      made by unpack        the archive is not one we open
      made by web           token, course, window, attempts, size
      made by store         attempts used up
"""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - the person reads "refused", not "error"
    """What was sent is not taken; nothing was recorded and no attempt was used."""

    def __init__(self, status: int, code: str, *, zh: str, en: str, got: str = "", expected: str = "") -> None:
        super().__init__(f"{en} (got {got!r}, expected {expected!r})")
        self.status = status
        self.code = code
        self.zh = zh
        self.en = en
        self.got = got
        self.expected = expected
