"""SQL: the versions of each lab. The newest release that is not withdrawn is what learners fetch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select, update

from grader.tables import lab_version as table
from grader.unpack import pack
from grader.verdict import LabVersion

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from grader.blobs import Blobs


@dataclass(frozen=True)
class Release:
    """What a learner fetches: a zip with the lab's files at its top level, and its SHA-256."""

    version: str
    digest: str
    content: bytes


@dataclass(frozen=True)
class VersionNote:
    """A version of a lab: when it was last released, and whether it has been withdrawn since."""

    version: str
    released_us: int
    is_withdrawn: bool


def keep(blobs: Blobs, lab: LabVersion) -> dict[str, Any]:
    """Store a lab's bytes before the row that names them; the row's columns that say where they are."""
    bundle = pack({**lab.files, f"{lab.lab}.ipynb": lab.release})
    details = {
        "files": {name: blobs.put(content) for name, content in lab.files.items()},
        "read_only": lab.read_only,
        "environment": dict(lab.environment),
    }
    return {
        "source_sha256": blobs.put(lab.source),
        "release_sha256": blobs.put(lab.release),
        "bundle_sha256": blobs.put(bundle),
        "details": json.dumps(details, sort_keys=True),
    }


def release(connection: Connection, lab: LabVersion, kept: dict[str, Any], rubric_version: str, now_us: int) -> None:
    """Insert the version, or make a known one the newest again."""
    values = {**kept, "rubric_version": rubric_version, "released_us": now_us, "withdrawn_us": None}
    here = and_(table.c.course == lab.course, table.c.lab == lab.lab, table.c.version == lab.version)
    if connection.execute(update(table).where(here).values(values)).rowcount == 0:
        names = {"course": lab.course, "lab": lab.lab, "version": lab.version}
        connection.execute(insert(table).values(**names, **values))


def withdraw(connection: Connection, course: str, lab: str, now_us: int) -> None:
    """Withdraw all versions of a lab."""
    here = and_(table.c.course == course, table.c.lab == lab, table.c.withdrawn_us.is_(None))
    connection.execute(update(table).where(here).values(withdrawn_us=now_us))


def current(connection: Connection, course: str, lab: str) -> Any:
    """The row of the version that learners fetch; None when there is none."""
    here = and_(table.c.course == course, table.c.lab == lab, table.c.withdrawn_us.is_(None))
    return connection.execute(select(table).where(here).order_by(table.c.released_us.desc()).limit(1)).first()


def find(connection: Connection, course: str, lab: str, version: str) -> Any:
    """The row of one version, withdrawn or not; None when there is none."""
    here = and_(table.c.course == course, table.c.lab == lab, table.c.version == version)
    return connection.execute(select(table).where(here)).first()


def known(connection: Connection, course: str, lab: str) -> tuple[VersionNote, ...]:
    """Every version of a lab that was ever released, the newest first."""
    here = and_(table.c.course == course, table.c.lab == lab)
    columns = (table.c.version, table.c.released_us, table.c.withdrawn_us)
    rows = connection.execute(select(*columns).where(here).order_by(table.c.released_us.desc()))
    return tuple(VersionNote(row.version, row.released_us, row.withdrawn_us is not None) for row in rows)


def released(connection: Connection, course: str) -> tuple[str, ...]:
    """The labs of a course that are handed out."""
    here = and_(table.c.course == course, table.c.withdrawn_us.is_(None))
    return tuple(connection.execute(select(table.c.lab).where(here).distinct().order_by(table.c.lab)).scalars())


def released_by(connection: Connection, course: str, at_us: int) -> tuple[str, ...]:
    """The labs of a course that were handed out at that moment, as far as their rows still say."""
    there = and_(
        table.c.course == course,
        table.c.released_us <= at_us,
        or_(table.c.withdrawn_us.is_(None), table.c.withdrawn_us > at_us),
    )
    return tuple(connection.execute(select(table.c.lab).where(there).distinct().order_by(table.c.lab)).scalars())


def rebuild(blobs: Blobs, row: Any) -> LabVersion:
    """The lab version as it was released, its bytes fetched."""
    details = json.loads(row.details)
    return LabVersion(
        course=row.course,
        lab=row.lab,
        version=row.version,
        source=blobs.get(row.source_sha256),
        release=blobs.get(row.release_sha256),
        files={name: blobs.get(digest) for name, digest in details["files"].items()},
        read_only=tuple((host, inside) for host, inside in details["read_only"]),
        environment=details["environment"],
    )


def bundle(blobs: Blobs, row: Any) -> Release:
    """The zip that learners fetch."""
    return Release(row.version, row.bundle_sha256, blobs.get(row.bundle_sha256))
