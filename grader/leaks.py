"""VALUE: does a release give away what the source keeps back? Compares texts; no I/O.

What is kept back: solution regions, whole solution cells without a region, hidden tests and mark schemes, as nbgrader
marks them. A kept-back line found in the released notebook, or most of a kept-back region found in another released
file, is a leak; so is any of nbgrader's markers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.answers import grade_id_of, notebook_cells, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGIONS = {
    "BEGIN SOLUTION": "END SOLUTION",
    "BEGIN HIDDEN TESTS": "END HIDDEN TESTS",
    "BEGIN MARK SCHEME": "END MARK SCHEME",
}
MARKERS = (*REGIONS, *REGIONS.values(), "### AUTOTEST", "### HASHED AUTOTEST")
TELLING_CHARS = 8
"""Shorter lines (``return x``) say too little to be told from honest ones."""
REGION_SHARE = 0.6
"""A file that holds this share of a kept-back region's telling lines holds the region."""


@dataclass(frozen=True)
class Leak:
    """One thing that a release gives away: in which file, from which cell of the source, and the words."""

    file: str
    grade_id: str
    words: str


def find_leaks(source: bytes, release: bytes, files: Mapping[str, bytes]) -> tuple[Leak, ...]:
    """Everything in ``release`` and ``files`` that ``source`` keeps back; empty when the release is clean."""
    kept_back, public = _split(source)
    found = list(_marker_leaks({"the notebook": release, **files}))
    shown = {line.strip() for text in _strings(json.loads(release)) for line in text.splitlines()}
    for grade_id, region in kept_back:
        telling = {line for line in region if len(line) >= TELLING_CHARS} - public
        found += [Leak("the notebook", grade_id, line) for line in sorted(telling & shown)]
        for name, content in files.items():
            lines = {line.strip() for line in content.decode("utf-8", "ignore").splitlines()}
            if telling and len(telling & lines) >= REGION_SHARE * len(telling):
                found.append(Leak(name, grade_id, min(telling & lines)))
    return tuple(found)


def _marker_leaks(files: Mapping[str, bytes]) -> Iterator[Leak]:
    for name, content in files.items():
        text = content.decode("utf-8", "ignore")
        for marker in MARKERS:
            if marker in text:
                yield Leak(name, "", marker)


def _split(source: bytes) -> tuple[list[tuple[str, list[str]]], set[str]]:
    """The kept-back regions of the source's cells by grade id, and every line that is shown anyway."""
    kept_back: list[tuple[str, list[str]]] = []
    public: set[str] = set()
    for entry in notebook_cells(source):
        regions, shown = _regions(source_of(entry))
        if not regions and _is_solution(entry):
            regions, shown = [shown], []
        kept_back += [(grade_id_of(entry), region) for region in regions]
        public.update(shown)
    return kept_back, public


def _regions(text: str) -> tuple[list[list[str]], list[str]]:
    regions: list[list[str]] = []
    shown: list[str] = []
    end = ""
    for line in map(str.strip, text.splitlines()):
        begins = next((marker for marker in REGIONS if marker in line), "")
        if begins and not end:
            end = REGIONS[begins]
            regions.append([])
        elif end and end in line:
            end = ""
        elif end:
            regions[-1].append(line)
        else:
            shown.append(line)
    return regions, shown


def _is_solution(entry: dict[str, Any]) -> bool:
    metadata = entry.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return isinstance(nbgrader, dict) and nbgrader.get("solution") is True


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        # A notebook may split one text into lines; a marker or a solution must not hide between two of them.
        if value and all(isinstance(inner, str) for inner in value):
            yield "".join(value)
        else:
            for inner in value:
                yield from _strings(inner)
