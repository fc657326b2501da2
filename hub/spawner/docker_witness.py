"""What Docker saw of a lab: is it alive, when did it begin, when and how did it end, in Docker's own times.

Docker forgets a container when it is removed, so the end is first written, fsynced, to the lease's folder; the folder
also holds a heartbeat. After a power cut Docker says a container "finished" when the daemon came back (status 255):
then the end lies between the last heartbeat and that time, and the heartbeat is what is charged.
"""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import DockerException, NotFound

from hub.spawner.docker_settings import LABEL_LEASE
from hub.spawner.shim import record
from hub.spawner.witness import Ending, Witness

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from docker import APIClient

SOURCE = "docker"
LOST_STATUS = 255
"""What Docker reports for a container that was running when the daemon's machine went down."""
KILLED_STATUS = 137
UNREACHABLE = (requests.exceptions.RequestException, DockerException)

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_NEVER = "0001-01-01"


def microseconds(text: str) -> int | None:
    """Docker's time (nanoseconds, RFC 3339) in whole microseconds UTC; None for Docker's way to say never.

    Raises:
        ValueError: it is no such time.
    """
    if text.startswith(_NEVER) or not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"got {text!r}, expected a time like 2026-11-22T08:30:00.123456789Z")
    whole, fraction, zone = found.groups()
    moment = datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000 + int((fraction or "").ljust(9, "0")[:6])


def container_name(lease_id: UUID) -> str:
    """The name of a lease's container: nobody else's can have it, and it is found without a search."""
    return f"reelwright-{lease_id}"


@dataclass(frozen=True)
class Seen:
    """A container as Docker describes it."""

    id: str
    running: bool
    started_us: int | None
    finished_us: int | None
    exit_status: int
    out_of_memory: bool
    address: str

    @classmethod
    def of(cls, facts: dict[str, Any], network: str) -> Seen:
        """Read what ``docker inspect`` says."""
        state = facts["State"]
        joined = facts["NetworkSettings"]["Networks"].get(network) or {}
        return cls(
            id=facts["Id"],
            running=bool(state["Running"]),
            started_us=microseconds(state["StartedAt"]),
            finished_us=microseconds(state["FinishedAt"]),
            exit_status=int(state["ExitCode"]),
            out_of_memory=bool(state["OOMKilled"]),
            address=str(joined.get("IPAddress", "")),
        )


class DockerWitness:
    """One lease's container and its record folder ``run/leases/<lease id>/``."""

    def __init__(self, client: APIClient, folder: Path, network: str) -> None:
        self._client, self._folder, self._network = client, folder, network
        self._record = Witness(folder)
        self.name = f"reelwright-{folder.name}"
        self.is_seen = False
        """Whether the last :meth:`ending` saw the lab run."""

    def seen(self) -> Seen | None:
        """The container as it is now; None when there is none (any more).

        Raises:
            DockerException, requests.RequestException: the daemon does not answer.
        """
        try:
            return Seen.of(self._client.inspect_container(self.name), self._network)
        except NotFound:
            return None

    def started_us(self) -> int | None:
        """When the lab began; None when it has not. What was recorded answers for a daemon that does not."""
        try:
            seen = self.seen()
        except UNREACHABLE:
            seen = None
        return self._record.started_us() if seen is None else seen.started_us

    def alive(self) -> bool:
        """Whether the lab runs; a daemon that does not answer has not ended any lab."""
        return self.ending() is None and self.started_us() is not None

    def beat(self, seen: Seen) -> None:
        """Keep that the lab was seen running, and since when."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if seen.started_us is not None and self._record.started_us() != seen.started_us:
            record(
                self._folder / "started.json", {"at_us": seen.started_us, "container": seen.id, "address": seen.address}
            )
        (self._folder / "heartbeat").touch()

    def ending(self) -> Ending | None:
        """How the lab ended; None while it runs, was never started, or cannot be asked about."""
        kept = self._kept()
        if kept is not None:
            return kept
        try:
            seen = self.seen()
        except UNREACHABLE:
            return None
        self.is_seen = seen is not None and seen.running
        if seen is not None and seen.running:
            self.beat(seen)
            return None
        ending = self._removed_by_others() if seen is None else self._finished(seen)
        if ending is not None:
            record(self._folder / "ended.json", asdict(ending))
        return ending

    def remove(self) -> None:
        """Remove the container; its end has been recorded, or it never began. The learner's volume stays."""
        try:
            self._client.remove_container(self.name, force=True)
        except NotFound:
            return

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the lab printed, for the operator."""
        try:
            said: bytes = self._client.logs(self.name, tail=lines)
        except UNREACHABLE as error:
            return f"(no log: {error})"
        return said.decode(errors="replace")

    def _kept(self) -> Ending | None:
        facts = self._record._read("ended.json")  # noqa: SLF001 -- one record format, read in one place
        if facts is None:
            return None
        uncertainty = int(facts["uncertainty_us"])
        return Ending(int(facts["at_us"]), int(facts["exit_status"]), str(facts["reason"]), uncertainty)

    def _finished(self, seen: Seen) -> Ending | None:
        if seen.started_us is None or seen.finished_us is None:
            return None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._record.started_us() is None:
            record(self._folder / "started.json", {"at_us": seen.started_us, "container": seen.id})
        if seen.exit_status == LOST_STATUS:
            last = min(max(seen.started_us, self._beaten_us()), seen.finished_us)
            return Ending(last, seen.exit_status, "lost", seen.finished_us - last)
        # Docker remembers that any process of the container ever was killed for memory, a notebook's kernel too.
        is_killed = seen.out_of_memory and seen.exit_status == KILLED_STATUS
        reason = "out of memory" if is_killed else "exited" if seen.exit_status else "stopped"
        return Ending(max(seen.started_us, seen.finished_us), seen.exit_status, reason, 0)

    def _removed_by_others(self) -> Ending | None:
        started = self._record.started_us()
        if started is None:
            return None
        last = max(started, self._beaten_us())
        return Ending(last, -1, "removed outside of Reelwright", max(0, time.time_ns() // 1000 - last))

    def _beaten_us(self) -> int:
        try:
            return (self._folder / "heartbeat").stat().st_mtime_ns // 1000
        except FileNotFoundError:
            return 0


def leases_with_containers(client: APIClient, filters: dict[str, str]) -> dict[str, str]:
    """Lease id to container id, of every container with these labels, running or not.

    Raises:
        DockerException, requests.RequestException: the daemon does not answer.
    """
    return _labelled(client, filters, among_all=True)


def leases_running(client: APIClient, filters: dict[str, str]) -> dict[str, str]:
    """The same, of containers that run.

    Raises:
        DockerException, requests.RequestException: the daemon does not answer.
    """
    return _labelled(client, filters, among_all=False)


def _labelled(client: APIClient, filters: dict[str, str], *, among_all: bool) -> dict[str, str]:
    labels = [f"{name}={value}" for name, value in filters.items()]
    found = client.containers(all=among_all, filters={"label": [LABEL_LEASE, *labels]})
    return {container["Labels"][LABEL_LEASE]: container["Id"] for container in found}
