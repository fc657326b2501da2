"""What must be there before the processes start, made where it is missing; each step says itself in a line."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from hub import addresses, models
from hub.compute.lease import UnknownLeaseError
from hub.migrate import upgrade
from hub.people.person import Site
from hub.spawner.engine import EngineNotReady, engine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.course import Course, Lab
    from hub.people.person import Role
    from hub.platform import Platform

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
HUB_CONFIG = ROOT / "jupyterhub_config.py"
LEAST_FREE_BYTES = 1 << 30
INVITATION_DAYS = 7
SEEN_MARK = "checked"
"""A file in a lease's folder: what its witness saw was compared with the ledger."""


class NotReady(Exception):  # noqa: N818 -- it names the state
    """Something the start needs is missing; the message says what and how to get it."""


def everything(platform: Platform, say: Callable[[str], None]) -> None:
    """Make all that a start needs, in order.

    Raises:
        NotReady: something cannot be made here.
    """
    proxy_program()
    stores(platform, say)
    addresses.choose(platform.addresses_file, len(platform.courses))
    for course in platform.courses:
        release_course(platform, course, say)
    engine_ready(platform, say)


def stores(platform: Platform, say: Callable[[str], None]) -> None:
    """Make folders, database and house model.

    Raises:
        NotReady: the disk is too full.
    """
    folders(platform)
    say("database: " + upgrade(platform.config.database_url))
    site = platform.config.site
    platform.people.put_site(Site(site.id, site.name_zh, site.name_en))
    if models.ensure(platform.config.models_dir):
        say("model: made the house model")


def folders(platform: Platform) -> None:
    """Make the data folder and refuse a disk that would fill up in mid-course.

    Raises:
        NotReady: less than 1 GiB is free.
    """
    data = platform.config.data_dir
    for folder in (data, platform.log, platform.leases, platform.homes, platform.gradebooks, data / "blobs"):
        folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(data).free
    if free < LEAST_FREE_BYTES:
        raise NotReady(
            f"{data}: {free >> 20} MiB free, expected at least 1024 MiB; free space or set data_dir elsewhere"
        )


def proxy_program() -> list[str]:
    """The command that runs configurable-http-proxy.

    Raises:
        NotReady: it is not installed.
    """
    local = ROOT / "node_modules" / ".bin" / "configurable-http-proxy"
    program = str(local) if local.is_file() else shutil.which("configurable-http-proxy")
    if program is None:
        raise NotReady("configurable-http-proxy is not installed; run `make setup` (or npm install) first")
    return [program]


def release_course(platform: Platform, course: Course, say: Callable[[str], None], *, record: bool = False) -> None:
    """Release every lab whose source or rubric has changed since it was last released, each through the gate.

    A lab that its course records as having passed, just as it is, is not graded again. ``record`` writes that record.

    Raises:
        NotReady: a lab cannot be released; the message says why.
    """
    from grader.release import ReleaseRefusedError, release_lab  # noqa: PLC0415 -- nbgrader takes a second to import
    from hub.gate import RecordError, read_record, release_gate, write_record  # noqa: PLC0415 -- same

    gate = release_gate(platform)
    folder = platform.config.courses_dir / course.id
    try:
        passed = read_record(folder)
    except RecordError as error:
        raise NotReady(str(error)) from error
    for lab in course.labs:
        if not (folder / "source" / lab.id).is_dir():
            continue  # authored in the browser: its instructor releases it
        stamp = platform.gradebooks / course.id / f".released-{lab.id}"
        digest = content_digest(folder, lab)
        if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
            continue
        try:
            made = release_lab(
                folder,
                platform.gradebooks / course.id,
                lab.id,
                store=platform.submissions,
                rubric=lab.rubric,
                gate=None if passed.get(lab.id) == digest else gate,
                **platform.lab_environment(),
            )
        except ReleaseRefusedError as error:
            raise NotReady(f"{course.id}/{lab.id} cannot be released: {error} / {error.zh}") from error
        stamp.write_text(digest, encoding="ascii")
        passed[lab.id] = digest
        say(f"released {course.id}/{lab.id} as version {made.version[:12]}")
    if record:
        write_record(folder, {lab.id: passed[lab.id] for lab in course.labs if lab.id in passed})


def content_digest(course_folder: Path, lab: Lab) -> str:
    """SHA-256 over the names and bytes of all that a release of ``lab`` is made from."""
    files = [file for file in (course_folder / "source" / lab.id).rglob("*") if file.is_file()]
    if lab.rubric:
        files.append(course_folder / lab.rubric)
    digest = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(course_folder)}\0{content}\n".encode())
    return digest.hexdigest()


def engine_ready(platform: Platform, say: Callable[[str], None]) -> None:
    """Make what the engine needs, and settle what the last run left open.

    Raises:
        NotReady: the engine cannot place labs here.
    """
    engine = engine_of(platform)
    try:
        engine.make_ready(say)
    except EngineNotReady as error:
        raise NotReady(str(error)) from error
    if settled := engine.reconcile():
        say(f"ledger: settled {settled} lease(s) left from the last run")
    say(f"isolation of labs: {engine.isolation()}")


def observe_unbilled(platform: Platform) -> int:
    """Report sessions that a witness saw and the ledger does not charge: the lease was voided, or never opened.

    Each is written into the chain once as a difference (:meth:`hub.compute.ledger.Ledger.differences`), and charged
    nothing: nobody guesses. Returns how many were found.
    """
    found, engine = 0, engine_of(platform)
    for folder in platform.leases.iterdir():
        lease_id, mark = _uuid(folder.name), folder / SEEN_MARK
        if lease_id is None or mark.exists():
            continue
        witness = engine.witness(lease_id)
        started_us = witness.started_us()
        if started_us is None or witness.alive():
            continue
        try:
            state = platform.ledger.lease(lease_id).state
        except UnknownLeaseError:
            state = "void"
        ending = witness.ending()
        if state == "void" and ending is not None:
            platform.ledger.observe(lease_id, engine.source, started_us, max(started_us, ending.at_us))
            log.warning("lease %s ran and is not charged: it is void or unknown to the ledger", lease_id)
            found += 1
        if state in {"void", "ended"}:
            mark.touch()
    return found


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def announce(platform: Platform, say: Callable[[str], None]) -> None:
    """Print the address, and the first administrator's one-time link while there is no administrator."""
    say(f"ready: {platform.config.server.public_url}/")
    if platform.people.people("admin"):
        return
    if platform.people.has_invitation("admin"):
        say("no administrator yet; `reelwright user invite --role admin` prints a new one-time link")
        return
    say(f"first administrator, open this link once: {invitation_link(platform, 'admin', None, 'reelwright')}")


def invitation_link(platform: Platform, role: Role, course: str | None, created_by: str) -> str:
    """A link that lets one person become ``role``, once, within a week."""
    expires = time.time_ns() // 1000 + INVITATION_DAYS * 86_400_000_000
    code = platform.people.invite(role, course, created_by, expires)
    return f"{platform.config.server.public_url}/hub/welcome?code={code}"
