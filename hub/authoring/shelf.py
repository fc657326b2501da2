"""Where authored labs lie on disk. Every change replaces a whole file or folder, so that a reader finds old or new.

::

    authored/COURSE/labs/LAB.json       the lab's entry, and who made and released it
    authored/COURSE/source/LAB/         what its instructors sent: the notebook with solutions, files, rubric.toml
    authored/COURSE/rubrics/LAB.toml    the rubric as it was last released
    authored/COURSE/earlier/LAB/        zips of what was sent before, the newest few
    authored/COURSE/outcomes/LAB.json   the last check or release
    authored/COURSE/previews/           learners' versions, by content
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from grader.unpack import pack
from hub.authoring.draft import RUBRIC, Draft, Outcome
from hub.course import Course, CourseError
from hub.spawner.options import SLUG
from labs.authoring.revision import revision_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEPT_EARLIER = 20


class UnknownDraft(KeyError):  # noqa: N818 -- it names the state
    """There is no such lab in the making."""


class Taken(Exception):  # noqa: N818 -- it names the state
    """The id belongs to another lab already."""


class WasReleased(Exception):  # noqa: N818 -- it names the state
    """Learners had the lab: answers and points may hang on it, so it can only be taken back."""


class Moved(Exception):  # noqa: N818 -- it names what happened
    """The draft was changed since the sender fetched it; ``draft`` says by whom and when."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(f"sent by {draft.sent_by!r} meanwhile")
        self.draft = draft


class Shelf:
    """All authored labs of an instance."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Something that differs after any lab's entry was added or changed; costs a few stats."""
        found = []
        for folder in sorted(self.root.glob("*/labs")):
            with os.scandir(folder) as entries:
                looked = [(entry.path, entry.stat()) for entry in entries if entry.name.endswith(".json")]
            found += [(path, stat.st_mtime_ns, stat.st_ino) for path, stat in sorted(looked, key=lambda one: one[0])]
        return tuple(found)

    def drafts(self, course: str) -> tuple[Draft, ...]:
        """The course's authored labs, the oldest first.

        Raises:
            CourseError: an entry is damaged.
        """
        files = sorted(self._folder(course, "labs").glob("*.json"))
        return tuple(sorted((_draft(file) for file in files), key=lambda draft: (draft.made_us, draft.lab.id)))

    def draft(self, course: str, lab: str) -> Draft:
        """One authored lab.

        Raises:
            UnknownDraft: there is none of that id.
            CourseError: its entry is damaged.
        """
        file = self._entry(course, lab)
        if not file.is_file():
            raise UnknownDraft(lab)
        return _draft(file)

    def with_labs(self, course: Course) -> Course:
        """``course`` with the authored labs that learners have; a shipped lab of the same id goes before.

        Raises:
            CourseError: an entry is damaged.
        """
        shipped = {lab.id for lab in course.labs}
        added = [draft.lab for draft in self.drafts(course.id) if draft.is_released and draft.lab.id not in shipped]
        if not added:
            return course
        # An absolute path: joined to the folder of the shipped course, it stays what it is.
        placed = [
            lab.model_copy(update={"rubric": str(self._folder(course.id, "rubrics") / f"{lab.id}.toml")})
            if lab.rubric
            else lab
            for lab in added
        ]
        return course.model_copy(update={"labs": (*course.labs, *placed)})

    def add(self, course: str, draft: Draft, files: Mapping[str, bytes]) -> None:
        """Begin a lab.

        Raises:
            Taken: there is one of that id.
        """
        with self._alone(course):
            entry = self._entry(course, draft.lab.id)
            if entry.exists():
                raise Taken(draft.lab.id)
            self._replace_source(course, draft.lab.id, files)
            _write(entry, draft.model_dump_json(indent=1).encode())

    def change(self, course: str, lab: str, /, **changes: object) -> Draft:
        """Write some fields of a lab's entry anew and return it.

        Raises:
            UnknownDraft: there is none of that id.
        """
        with self._alone(course):
            return self._change(course, lab, changes)

    def send(self, course: str, lab: str, files: Mapping[str, bytes], *, by: str, at_us: int, base: str | None) -> str:
        """Take ``files`` as the lab's newest and return their revision; what was there before is kept beside.

        Args:
            course: the course's id.
            lab: the lab's id.
            files: everything, by relative name.
            by: who sends.
            at_us: when.
            base: the revision the sender began from; None to replace whatever is there.

        Raises:
            UnknownDraft: there is none of that id.
            Moved: somebody else sent another revision meanwhile; nothing has changed.
        """
        with self._alone(course):
            draft, before = self.draft(course, lab), self.files(course, lab)
            now = revision_of(before)
            if base is not None and base != now:
                raise Moved(draft)
            if (sent := revision_of(files)) != now:
                self._keep_earlier(course, lab, before, f"{draft.sent_us or draft.made_us:020d}-{now[:12]}.zip")
                self._replace_source(course, lab, files)
            self._change(course, lab, {"sent_by": by, "sent_us": at_us})
            return sent

    def delete(self, course: str, lab: str, *, at_us: int) -> None:
        """Forget a lab that learners never had; what it held is kept with the earlier ones, and its id is free again.

        Raises:
            UnknownDraft: there is none of that id.
            WasReleased: learners have it, or had it once.
        """
        with self._alone(course):
            if self.draft(course, lab).released_revision:
                raise WasReleased(lab)
            files = self.files(course, lab)
            self._keep_earlier(course, lab, files, f"{at_us:020d}-{revision_of(files)[:12]}.zip")
            for preview in self._folder(course, "previews").glob(f"{lab}-{'[0-9a-f]' * 16}.zip"):
                preview.unlink(missing_ok=True)
            (self._folder(course, "outcomes") / f"{_slug(lab)}.json").unlink(missing_ok=True)
            self._entry(course, lab).unlink()
            shutil.rmtree(self._source(course, lab))

    def files(self, course: str, lab: str) -> dict[str, bytes]:
        """What the lab consists of, solutions and hidden tests included, by relative name."""
        folder = self._source(course, lab)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def revision(self, course: str, lab: str) -> str:
        """Digest of the lab's files."""
        return revision_of(self.files(course, lab))

    def content(self, course: str, lab: str) -> str:
        """Digest of what a check looks at: the files, and the limits they are graded under."""
        entry = self.draft(course, lab).lab
        limits = f"{entry.time_limit_seconds} {entry.memory_mb}"
        return hashlib.sha256(f"{self.revision(course, lab)} {limits}".encode()).hexdigest()

    def take_copy(self, course: str, lab: str, folder: Path) -> tuple[str, str]:
        """Copy the lab's files to ``folder/source/LAB``, all of one revision; the content's digest and the revision."""
        with self._alone(course):
            shutil.copytree(self._source(course, lab), folder / "source" / lab)
            return self.content(course, lab), self.revision(course, lab)

    def released(self, course: str, lab: str, *, revision: str, rubric: bytes | None) -> None:
        """Note that learners have the lab from now on, and what its answers are graded by."""
        with self._alone(course):
            if rubric is not None:
                _write(self._folder(course, "rubrics") / f"{lab}.toml", rubric)
            entry = self.draft(course, lab).lab.model_copy(update={"rubric": RUBRIC if rubric is not None else ""})
            self._change(course, lab, {"lab": entry, "is_released": True, "released_revision": revision})

    def outcome(self, course: str, lab: str) -> Outcome | None:
        """The last check or release; None when there was none, or when its record cannot be read."""
        file = self._folder(course, "outcomes") / f"{_slug(lab)}.json"
        try:
            return Outcome.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            return None

    def note(self, course: str, lab: str, outcome: Outcome) -> None:
        """Put ``outcome`` on record, in the place of the last."""
        _write(self._folder(course, "outcomes") / f"{_slug(lab)}.json", outcome.model_dump_json(indent=1).encode())

    def preview(self, course: str, lab: str) -> Path:
        """Where the learners' version of what the lab holds now is, or would be, kept as a zip."""
        return self._folder(course, "previews") / f"{_slug(lab)}-{self.revision(course, lab)[:16]}.zip"

    def keep_preview(self, file: Path, archive: bytes) -> None:
        """Write a preview and forget the lab's earlier ones."""
        for old in file.parent.glob(f"{file.name[:-20]}*.zip"):
            if len(old.name) == len(file.name):
                old.unlink(missing_ok=True)
        _write(file, archive)

    def _change(self, course: str, lab: str, changes: Mapping[str, object]) -> Draft:
        changed = self.draft(course, lab).model_copy(update=dict(changes))
        _write(self._entry(course, lab), changed.model_dump_json(indent=1).encode())
        return changed

    def _replace_source(self, course: str, lab: str, files: Mapping[str, bytes]) -> None:
        target = self._source(course, lab)
        made, old = target.with_name(f".{lab}.new"), target.with_name(f".{lab}.old")
        for leftover in (made, old):
            shutil.rmtree(leftover, ignore_errors=True)
        for name, content in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if target.exists():
            target.replace(old)
        made.replace(target)
        shutil.rmtree(old, ignore_errors=True)

    def _keep_earlier(self, course: str, lab: str, files: Mapping[str, bytes], name: str) -> None:
        folder = self._folder(course, "earlier") / lab
        _write(folder / name, pack(files))
        for old in sorted(folder.glob("*.zip"))[:-KEPT_EARLIER]:
            old.unlink()

    @contextmanager
    def _alone(self, course: str) -> Iterator[None]:
        """Keep other processes of ours from changing a course's labs for a moment."""
        folder = self.root / _slug(course)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _folder(self, course: str, part: str) -> Path:
        return self.root / _slug(course) / part

    def _entry(self, course: str, lab: str) -> Path:
        return self._folder(course, "labs") / f"{_slug(lab)}.json"

    def _source(self, course: str, lab: str) -> Path:
        return self._folder(course, "source") / _slug(lab)


def _slug(name: str) -> str:
    """``name``, when it can be a folder's: it may come from an address."""
    if not SLUG.fullmatch(name):
        raise UnknownDraft(name)
    return name


def _draft(file: Path) -> Draft:
    try:
        return Draft.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise CourseError(f"{file}: not the entry of an authored lab: {error}") from error


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(file)
