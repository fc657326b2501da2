"""Engine ``docker``: a container per learner on a real daemon, walled in, timed by Docker itself.

A learner's container can reach one address, the gate (:mod:`hub.spawner.docker_gate`), and it can write to two places:
its volume and memory. It holds no capability, cannot gain any, and carries no secret but the learner's own token.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
from dockerspawner import DockerSpawner  # type: ignore[import-untyped]
from traitlets import default

from hub.compute.gpu.slice import Place
from hub.door.refusal import StartRefused
from hub.spawner import docker_box, docker_gpu, docker_refusals
from hub.spawner.docker_reconcile import client_options
from hub.spawner.docker_settings import LABEL_LEARNER, DockerSettings, ImageNotAllowed
from hub.spawner.docker_witness import SOURCE, UNREACHABLE, DockerWitness, container_name, leases_with_containers
from hub.spawner.lab import LeasedLab
from hub.spawner.lease_state import lease_ids, lease_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping
    from uuid import UUID

    from hub.compute.gpu.slice import Hold
    from hub.compute.gpu.store import Pool
    from hub.config import ProfileConfig
    from hub.spawner.witness import Ending

LOOK_EVERY_SECONDS = 0.05
SAY_PLACE_SECONDS = 3.0
DOCKER_THREADS = 16
LAB = ["python", "-m", "labs.start", "--", "jupyterhub-singleuser"]


class DockerLab(LeasedLab, DockerSpawner):
    """One learner's lab as a container."""

    source = SOURCE
    settings: ClassVar[DockerSettings]
    pool: ClassVar[Pool | None] = None
    queue_minutes: ClassVar[int] = 60
    place: Place | None = None
    """Where this start stands in the queue for a GPU; None when it waits for none."""
    told: Mapping[str, str] = MappingProxyType({})
    """What our toolkit is told in the environment of the lab being started."""
    _executor = ThreadPoolExecutor(DOCKER_THREADS, thread_name_prefix="docker")

    async def launch(self, lease_id: UUID) -> tuple[str, int, int]:
        """Make and start the container; returns once the lab's server answers.

        Raises:
            StartRefused: it did not start; what was begun is taken away again.
        """
        try:
            profile = self._profile()
            hold = await self._gpu(lease_id, profile.gpu_class) if profile.gpu_class else None
            await self._end_leftovers()
            self._prepare(lease_id, profile, hold)
            await self._docker_answers(DockerSpawner.start(self))
            return await self._answering(self.witness(lease_id))
        except BaseException:
            await asyncio.shield(self._take_away(lease_id))
            raise

    def witness(self, lease_id: UUID) -> DockerWitness:
        """What Docker and the record folder know of a lease."""
        return DockerWitness(self.client, self.platform.leases / str(lease_id), self.settings.network)

    def ending(self, lease_id: UUID) -> Ending | None:
        """How Docker says the lab ended; None while it runs, and while Docker cannot be asked."""
        witness = self.witness(lease_id)
        ending = witness.ending()
        self.is_seen = witness.is_seen
        return ending

    async def halt(self, lease_id: UUID, *, now: bool) -> None:
        """Ask the lab to end, and have Docker kill it after the grace; the container stays until its end is recorded.

        Raises:
            StartRefused: the daemon does not answer; the lab runs on and may be stopped again.
        """
        grace = 1 if now else self.settings.stop_seconds
        seen = await self._docker_answers(asyncio.to_thread(self.witness(lease_id).seen))
        if seen is not None and seen.running:
            await self._docker_answers(self.docker("stop", container_name(lease_id), timeout=grace))

    async def poll(self) -> int | None:
        """As every engine's, with two things of Docker's own: take up a lab by its label, remove an ended container."""
        if self.lease_id is None and self.server is not None:
            await self._take_up()
        lease_id = self.lease_id
        status = await super().poll()
        if status is not None and lease_id is not None:
            await self._take_away(lease_id)
        return status

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Say what every engine says, then, for as long as it waits for a GPU, where the start stands in the queue."""
        async for step in super().progress():
            yield step
        while True:  # the hub ends this when the start has ended
            if (place := self.place) is not None:
                yield {"progress": 60, "message": f"{place.in_locale('zh_CN')} · {place.in_locale('en')}"}
            await asyncio.sleep(SAY_PLACE_SECONDS)

    async def get_url(self) -> str:
        """Where the lab answers now: a restarted container may have another address."""
        if self.lease_id is not None:
            seen = await asyncio.to_thread(self.witness(self.lease_id).seen)
            if seen is not None and seen.address:
                return f"http://{seen.address}:{self.port}{self.server.base_url}"
        url: str = await super().get_url()
        return url

    def get_env(self) -> dict[str, str]:
        """What the lab is told: JupyterHub's own variables, with the learner's token, and where the intake is."""
        return {**super().get_env(), **self.told}

    @default("client_kwargs")
    def _client_kwargs(self) -> dict[str, object]:
        return client_options(self.settings)

    def _profile(self) -> ProfileConfig:
        options = self._options()
        lab = self.platform.lab_or_draft(options.course, options.lab)  # who may start a draft was settled before
        profile: ProfileConfig = self.platform.config.profiles[lab.profile]
        return profile

    def _prepare(self, lease_id: UUID, profile: ProfileConfig, hold: Hold | None) -> None:
        settings = self.settings
        try:
            self.image = settings.image_for(profile.image)
        except ImageNotAllowed as error:
            self.log.error("Profile of %s: %s", self.user.name, error)  # noqa: TRY400 -- the sentence says it all
            remedy = docker_refusals.ASK
            raise StartRefused(docker_refusals.IMAGE_MISSING, label="image", remedy=remedy, status_code=503) from error
        self.object_name, self.object_id = container_name(lease_id), ""
        self.pull_policy = "never" if settings.pull == "never" else "ifnotpresent"
        self.cmd, self.port, self.ip = LAB, docker_box.PORT, "0.0.0.0"  # noqa: S104 -- inside a network of its own
        self.remove, self.use_internal_ip, self.network_name = False, True, settings.network
        self.hub_connect_url = settings.gate_url
        self.volumes = {f"reelwright-{settings.instance}-home-{{username}}": docker_box.HOME}
        self.read_only_volumes = {settings.models or str(self.platform.config.models_dir): docker_box.MODELS}
        self.mem_limit, self.cpu_limit = profile.memory_mb << 20, profile.cpus
        self.extra_create_kwargs = docker_box.create_options(settings, lease_id, self.user.name)
        self.extra_host_config = docker_box.host_options(settings, profile.memory_mb)
        self.told = docker_box.environment(settings, lease_id, self.user.name) | self.person_environment()
        self.told |= self.take_env()
        self.told |= docker_box.outside(settings, lease_id, profile)
        if hold is not None:
            self.extra_host_config = {**self.extra_host_config, **docker_gpu.device_options(hold)}
            self.told = {**self.told, **docker_gpu.device_environment(hold)}

    async def _gpu(self, lease_id: UUID, gpu_class: str) -> Hold:
        ledger = self.platform.ledger
        lease = await asyncio.to_thread(ledger.lease, lease_id)
        request = await asyncio.to_thread(docker_gpu.request_for, ledger, lease, gpu_class)
        self.place = Place(ahead=0, wait_us=0)
        try:
            return await docker_gpu.take_turn(self.pool, request, self.queue_minutes, self._stands_at)
        finally:
            self.place = None

    def _stands_at(self, place: Place) -> None:
        self.place = place

    async def _answering(self, witness: DockerWitness) -> tuple[str, int, int]:
        deadline = time.monotonic() + self.settings.launch_seconds
        async with httpx.AsyncClient(timeout=2, trust_env=False) as web:
            while time.monotonic() < deadline:
                seen = await self._docker_answers(asyncio.to_thread(witness.seen))
                if seen is None or not seen.running or seen.started_us is None:
                    await self._say_why(witness)
                    raise docker_refusals.ended_refusal(out_of_memory=bool(seen and seen.out_of_memory))
                await asyncio.to_thread(witness.beat, seen)
                if await _answers(web, f"http://{seen.address}:{self.port}{self.server.base_url}api"):
                    return seen.address, self.port, seen.started_us
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        await self._say_why(witness)
        raise docker_refusals.slow_refusal()

    async def _say_why(self, witness: DockerWitness) -> None:
        said = await asyncio.to_thread(witness.log_tail)
        self.log.error("Lab of %s did not start: %s", self.user.name, said)

    async def _end_leftovers(self) -> None:
        """End containers of this learner that no session holds: a hub killed in mid-start leaves one.

        Their leases are settled by what Docker saw, so that nothing is charged twice or lost.
        """
        for lease_id in await self._docker_answers(asyncio.to_thread(self._labelled)):
            self.log.warning("Ending the left-over lab of lease %s", lease_id)
            await self.halt(lease_id, now=True)
            await asyncio.to_thread(docker_box.settle, self.platform.ledger, self.witness(lease_id), lease_id)

    async def _take_up(self) -> None:
        try:
            found = await asyncio.to_thread(self._labelled)
        except UNREACHABLE as error:
            self.log.warning("Docker does not answer, so no lab of %s can be taken up: %s", self.user.name, error)
            return
        for lease_id in found:
            seen = await asyncio.to_thread(self.witness(lease_id).seen)
            if seen is not None and seen.running and seen.started_us is not None:
                await self._hold(lease_id, seen.id, seen.started_us)
                return

    async def _hold(self, lease_id: UUID, container_id: str, started_us: int) -> None:
        ledger = self.platform.ledger
        if await asyncio.to_thread(lease_state, ledger, lease_id) not in {"opened", "running"}:
            return
        await asyncio.to_thread(ledger.record_started, lease_id, started_us, self.source)
        self.lease_id, self.object_id, self.object_name = lease_id, container_id, container_name(lease_id)
        self.log.info("Took up the lab of %s again by its label: lease %s", self.user.name, lease_id)

    def _labelled(self) -> list[UUID]:
        wanted = {**docker_box.instance_label(self.settings), LABEL_LEARNER: self.user.name}
        return lease_ids(leases_with_containers(self.client, wanted))

    async def _take_away(self, lease_id: UUID) -> None:
        """Remove the container, then give its GPU back: never the other way round."""
        try:
            await asyncio.to_thread(self.witness(lease_id).remove)
        except UNREACHABLE as error:
            self.log.warning("Container of lease %s stays until Docker answers again: %s", lease_id, error)
            return
        if self.pool is not None:
            await asyncio.to_thread(self.pool.release, lease_id)

    async def _docker_answers(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except UNREACHABLE as error:
            self.log.error("Docker, for %s: %s", self.user.name, error)  # noqa: TRY400 -- a long trace says no more
            raise docker_refusals.engine_refusal(error) from error


async def _answers(web: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await web.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
