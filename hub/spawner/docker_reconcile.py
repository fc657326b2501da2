"""Brings the ledger, the GPU pool and Docker into agreement, whatever died in between; run every few seconds."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.utils import kwargs_from_env

from hub.reclaim.rule import is_overdue
from hub.spawner import docker_box
from hub.spawner.docker_witness import SOURCE, DockerWitness, leases_with_containers
from hub.spawner.lease_state import lease_ids, lease_state

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from hub.compute.gpu.store import Pool
    from hub.compute.lease import Lease
    from hub.platform import Platform
    from hub.spawner.docker_settings import DockerSettings

ANSWER_SECONDS = 30
MARGIN_US = 30_000_000
"""A launch may outlast its own limit by this before its lease is taken for abandoned."""

log = logging.getLogger(__name__)


def connect(settings: DockerSettings) -> APIClient:
    """A client of the daemon that ``settings`` names; nothing is asked of it yet."""
    return APIClient(**client_options(settings))


def client_options(settings: DockerSettings) -> dict[str, Any]:
    """How the daemon is reached: the configuration's own word first, then Docker's environment."""
    chosen = {"base_url": settings.host} if settings.host else kwargs_from_env()
    return {"version": "auto", "timeout": ANSWER_SECONDS, **chosen}


def reconcile(platform: Platform, client: APIClient, settings: DockerSettings, pool: Pool | None = None) -> int:
    """Settle leases whose container ended, void those that never got one, end containers that nobody pays for.

    Raises:
        DockerException, requests.RequestException: the daemon does not answer; nothing was changed, try again later.
    """
    now_us = time.time_ns() // 1000
    living = set(lease_ids(leases_with_containers(client, docker_box.instance_label(settings))))
    leases = platform.sessions.labs()
    launching = _launching_since(leases, pool, now_us)
    done = 0
    for lease in leases:
        witness = DockerWitness(client, platform.leases / str(lease.id), settings.network)
        if is_overdue(lease, now_us) and witness.alive():
            log.warning("Ending the lab of lease %s: its longest session is over, and nobody else did", lease.id)
            client.stop(witness.name, timeout=settings.stop_seconds)
        done += _settle(platform, lease, witness, is_late=_is_late(launching[lease.id], settings, now_us))
    for lease_id in living - {lease.id for lease in leases}:
        done += _end_unpaid(
            platform, lease_id, DockerWitness(client, platform.leases / str(lease_id), settings.network)
        )
    if pool is not None:
        done += pool.reconcile(lambda: frozenset(lease.id for lease in platform.sessions.labs()), now_us)
    return done


def _settle(platform: Platform, lease: Lease, witness: DockerWitness, *, is_late: bool) -> int:
    if docker_box.settle(platform.ledger, witness, lease.id):
        return 1
    if lease.state != "opened" or not is_late:
        return 0
    seen = witness.seen()
    if seen is not None and seen.running and seen.started_us is not None:
        # Its hub was killed in mid-start: the lab runs, so its time counts from when Docker started it.
        platform.ledger.record_started(lease.id, seen.started_us, SOURCE)
        return 1
    platform.ledger.void(lease.id, "never started")
    witness.remove()
    return 1


def _end_unpaid(platform: Platform, lease_id: UUID, witness: DockerWitness) -> int:
    state = lease_state(platform.ledger, lease_id)
    if state in {"opened", "running"}:
        return 0  # opened since we read the open ones
    log.warning("Ending the container of lease %s, which is %s", lease_id, state)
    seen = witness.seen()
    if state != "ended" and seen is not None and seen.started_us is not None:
        # It ran and nobody is charged for it: the operator is told, with when.
        until_us = max(seen.started_us, seen.finished_us or time.time_ns() // 1000)
        platform.ledger.observe(lease_id, SOURCE, seen.started_us, until_us)
    witness.remove()
    return 1


def _launching_since(leases: Iterable[Lease], pool: Pool | None, now_us: int) -> dict[UUID, int]:
    """Since when each launch is under way: a lease that waits for a GPU launches only once it has got it."""
    # Who waits is read before who holds: a lease that gets its slice in between is then in both, never in neither.
    waiting = pool.waiting(now_us) if pool is not None else frozenset()
    until = {hold.lease: hold.until_us for hold in pool.holds()} if pool is not None else {}
    return {
        lease.id: now_us if lease.id in waiting else max(lease.requested_us, until.get(lease.id, 0) - lease.longest_us)
        for lease in leases
    }


def _is_late(since_us: int, settings: DockerSettings, now_us: int) -> bool:
    return now_us - since_us > int(settings.launch_seconds * 1_000_000) + MARGIN_US
