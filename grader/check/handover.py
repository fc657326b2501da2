"""Files from the learner's box to the checker's: names parsed, sizes capped, bytes copied, nothing opened here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Any

from grader.verdict import ProducedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

MAX_FILES = 256
MAX_PATH = 240
CHUNK = 4 << 20
_PART = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f\x7f\ud800-\udfff]{1,120}")

Ask = Any
"""Asks the box: takes a request, answers its JSON value."""


def safe_path(path: Any) -> bool:
    """Whether ``path`` is a relative path with ordinary parts, below the folder it is joined to."""
    return (
        isinstance(path, str)
        and 0 < len(path) <= MAX_PATH
        and path.count("/") <= 8  # noqa: PLR2004  deeper is nobody's work
        and all(_PART.fullmatch(part) for part in path.split("/"))
    )


class Handover:
    """What has been copied so far, by path."""

    def __init__(self, protected: Collection[str], disk_mb: int) -> None:
        self._protected = frozenset(protected)
        self._left = disk_mb << 20
        self._marks: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}

    def update(self, ask: Callable[[dict[str, Any]], Any]) -> tuple[dict[str, bytes], list[str]]:
        """Fetch what is new or changed in the box; answers those files, and the paths that are gone."""
        listed = self._listed(ask({"op": "files"}))
        gone = [path for path in self._marks if path not in listed]
        for path in gone:
            self._drop(path)
        fresh = {}
        for path, (size, mark) in listed.items():
            if self._marks.get(path) == mark or size > self._left + len(self._contents.get(path, b"")):
                continue
            content = self._fetch(ask, path, size)
            if content is not None:
                self._drop(path)
                self._marks[path], self._contents[path] = mark, content
                self._left -= len(content)
                fresh[path] = content
        return fresh, gone

    def contents(self) -> dict[str, bytes]:
        """Everything copied by now, by path."""
        return dict(self._contents)

    def put_back(self, files: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
        """Take ``files`` of an earlier moment for what was copied; answers what differs, and what was not there."""
        differs = {path: content for path, content in files.items() if self._contents.get(path) is not content}
        gone = [path for path in self._contents if path not in files]
        self._contents = dict(files)
        return differs, gone

    def released(self, ask: Callable[[dict[str, Any]], Any]) -> dict[str, str]:
        """The change marks of the files that were released with the lab, as they lie in the box now."""
        return {path: mark for path, (_size, mark) in _rows(ask({"op": "files"})).items() if path in self._protected}

    def produced(self) -> tuple[ProducedFile, ...]:
        """Everything copied, as values."""
        return tuple(
            ProducedFile(path, hashlib.sha256(content).hexdigest(), len(content), content)
            for path, content in sorted(self._contents.items())
        )

    def _drop(self, path: str) -> None:
        self._left += len(self._contents.pop(path, b""))
        self._marks.pop(path, None)

    def _listed(self, rows: Any) -> dict[str, tuple[int, str]]:
        # A file released with the lab stays as released, and a folder cannot take its name.
        return {
            path: found
            for path, found in _rows(rows).items()
            if not any(
                path == name or path.startswith(f"{name}/") or name.startswith(f"{path}/") for name in self._protected
            )
        }

    @staticmethod
    def _fetch(ask: Callable[[dict[str, Any]], Any], path: str, size: int) -> bytes | None:
        content = bytearray()
        while len(content) < size:
            part = ask({"op": "read", "path": path, "offset": len(content), "size": CHUNK})
            try:
                chunk = base64.b64decode(part, validate=True) if isinstance(part, str) else b""
            except (binascii.Error, ValueError):
                return None
            if not chunk or len(chunk) > CHUNK:
                return None
            content += chunk
        return bytes(content) if len(content) == size else None


def _rows(rows: Any) -> dict[str, tuple[int, str]]:
    """Size and change mark by path, of as many rows of the box's list as are well made and may be copied."""
    listed: dict[str, tuple[int, str]] = {}
    for row in rows if isinstance(rows, list) else ():
        if len(listed) >= MAX_FILES:
            break
        path, size, mark = row if isinstance(row, list) and len(row) == 3 else ("", 0, "")  # noqa: PLR2004
        if safe_path(path) and type(size) is int and size >= 0 and isinstance(mark, str):
            listed[path] = (size, mark[:80])
    return listed
