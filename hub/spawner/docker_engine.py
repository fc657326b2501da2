"""Engine ``docker`` as the platform sees it: containers of a daemon, settled by Docker's own times."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from docker.errors import ImageNotFound

from hub.compute.gpu.inventory import inventory
from hub.compute.gpu.slice import GpuError
from hub.spawner import docker_box, docker_network, docker_probe, docker_reconcile
from hub.spawner.docker import DockerLab
from hub.spawner.docker_witness import (
    UNREACHABLE,
    DockerWitness,
    container_name,
    leases_running,
    leases_with_containers,
)
from hub.spawner.engine import EngineNotReady
from hub.spawner.lease_state import lease_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from docker import APIClient

    from hub.platform import Platform

MARGIN_SECONDS = 60
STOPPED_AT_ONCE = 16
log = logging.getLogger(__name__)


class DockerEngine:
    """Labs as containers."""

    source = DockerLab.source
    has_gate = True

    def __init__(self, platform: Platform) -> None:
        self._platform, self._settings = platform, platform.config.docker
        config = platform.config
        waits = 60 * config.gpu.queue_minutes if any(p.gpu_class for p in config.profiles.values()) else 0
        self.start_seconds = int(self._settings.launch_seconds) + MARGIN_SECONDS + waits

    @cached_property
    def client(self) -> APIClient:
        """The daemon; asked for its version when first used."""
        return docker_reconcile.connect(self._settings)

    def lab_class(self) -> type:
        """:class:`DockerLab` with this platform, its settings and its GPU pool."""
        config = self._platform.config
        facts = {
            "platform": self._platform, "settings": self._settings, "pool": self._platform.pool,
            "queue_minutes": config.gpu.queue_minutes,
        }  # fmt: skip
        return type("Lab", (DockerLab,), facts)

    def isolation(self) -> str:
        """A container each, always."""
        return "containers"

    def warning(self) -> str:
        """Nothing to warn of."""
        return ""

    def make_ready(self, say: Callable[[str], None]) -> None:
        """The labs' network, its firewall and the GPU inventory; a missing image is said and stops nobody else's lab.

        Raises:
            EngineNotReady: the daemon, the network, the firewall or the GPU driver stands in the way.
        """
        settings = self._settings
        try:
            self.client.ping()
            docker_network.ensure_network(self.client, settings)
            self._close_host()
            self._platform.pool.sync(inventory(self._platform.config.gpu), time.time_ns() // 1000)
            for image in missing_images(self._platform, self.client):
                say(f"docker: the daemon has no image {image}; labs on it are refused until `make images` made it")
        except UNREACHABLE as error:
            raise EngineNotReady(f"docker: {error}; start the daemon, or set docker.host") from error
        except (docker_network.NetworkRefused, GpuError) as error:
            raise EngineNotReady(f"docker: {error}") from error

    def _close_host(self) -> None:
        has_egress = self._platform.config.has_egress
        if self._settings.firewall == "set":
            docker_network.ensure_firewall(self._settings, has_egress=has_egress)
        else:
            docker_probe.ensure_closed(self.client, self._settings, has_egress=has_egress)

    def witness(self, lease_id: UUID) -> DockerWitness:
        """The daemon, and the record folder of a lease."""
        return DockerWitness(self.client, self._platform.leases / str(lease_id), self._settings.network)

    def reconcile(self) -> int:
        """Bring ledger, GPU pool and daemon into agreement; a daemon that does not answer is asked again later."""
        try:
            return docker_reconcile.reconcile(self._platform, self.client, self._settings, self._platform.pool)
        except UNREACHABLE as error:
            log.warning("Leases are settled when Docker answers again: %s", error)
            return 0

    def beat(self) -> None:
        """Keep that every container of this instance that runs was seen; a daemon that does not answer shows none."""
        try:
            found = leases_running(self.client, docker_box.instance_label(self._settings))
        except UNREACHABLE:
            return
        for lease_id in lease_ids(found):
            folder = self._platform.leases / str(lease_id)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "heartbeat").touch()

    def end_labs(self) -> int:
        """Stop every container of this instance, several at a time."""
        try:
            found = leases_with_containers(self.client, docker_box.instance_label(self._settings))
        except UNREACHABLE as error:
            log.warning("Labs run on, as Docker does not answer: %s", error)
            return 0
        with ThreadPoolExecutor(STOPPED_AT_ONCE) as several:
            return sum(several.map(self._stop, lease_ids(found)))

    def _stop(self, lease_id: UUID) -> int:
        try:
            self.client.stop(container_name(lease_id), timeout=self._settings.stop_seconds)
        except UNREACHABLE as error:
            log.warning("The lab of lease %s was not stopped: %s", lease_id, error)
            return 0
        return 1


def missing_images(platform: Platform, client: APIClient) -> tuple[str, ...]:
    """Images that a profile runs on and the daemon does not have.

    Raises:
        DockerException, requests.RequestException: the daemon does not answer.
    """
    config = platform.config
    wanted = {config.docker.image_for(profile.image) for profile in config.profiles.values()}
    return tuple(sorted(image for image in wanted if not _has(client, image)))


def _has(client: Any, image: str) -> bool:
    try:
        client.inspect_image(image)
    except ImageNotFound:
        return False
    return True
