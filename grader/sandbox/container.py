"""Boxes that are Docker containers of the grader's image: for hosts whose own Python is not the lab's, and for GPUs.

The container has no network, a read-only root, no capability, memory for folders, a user id of its own and the plan's
caps. Its first program is the same as in every box and shuts it further. When the worker dies, the daemon closes the
program's input, and the box ends by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import docker
from docker.errors import DockerException, NotFound
from docker.types import DeviceRequest
from docker.utils import kwargs_from_env

from grader.sandbox.box import BoxEnded, BoxPlan, Containers, SandboxUnavailable
from grader.sandbox.channel import Channel
from grader.sandbox.process_box import fresh_uid
from grader.sandbox.program import program_digest
from grader.sandbox.seccomp_filter import SeccompMissing, seccomp_program
from grader.sandbox.view import HOST_NAME, WORK, box_environment
from grader.verdict import Limits

if TYPE_CHECKING:
    from types import TracebackType

LABEL = "reelwright.box"
FORGOTTEN = timedelta(minutes=15)
"""A container that ended so long ago has no worker any more that would remove it."""
_START_SECONDS = 120.0
_CALL_SECONDS = 60
_END_SECONDS = 10
_PERIOD_US = 100_000
_MIB = 1 << 20
_HEADER = 8
_STDOUT = 1
_COMPLAINT_BYTES = 2000
_OWN_PROCESSES = 2
"""The reaper and the program itself."""
_COMMAND = ["python", "-I", "-m", "grader.sandbox.boot"]
_HOST_ONLY = ("PATH", "TMPDIR")


class ContainerSandbox:
    """Builds each box with one container."""

    name = "docker"

    def __init__(self, containers: Containers) -> None:
        """Find the daemon and the image, remove what dead workers left, and try a box out.

        Raises:
            SandboxUnavailable: one of them is not there, or no box comes up.
        """
        try:
            self._seccomp = seccomp_program()
            self._client = _daemon(containers.host)
            self._image = self._client.inspect_image(containers.image)["Id"]
            self._sweep()
            with self.start(BoxPlan("runner", Limits())) as box:
                box.make_ready()
        except (DockerException, SeccompMissing, BoxEnded, OSError) as error:
            raise SandboxUnavailable(
                f"submissions cannot be graded in containers of {containers.image} ({error}). Start a Docker daemon "
                "and build the image (sh images/build lab grader), or set grader.sandbox to another engine"
            ) from error

    def start(self, plan: BoxPlan) -> ContainerBox:
        """See :class:`grader.sandbox.box.Sandbox`.

        Raises:
            BoxEnded: the daemon did not start one.
        """
        try:
            return ContainerBox(self._client, self._image, plan, self._seccomp)
        except DockerException as error:
            raise BoxEnded("start", str(error)) from error

    def _sweep(self) -> None:
        for found in self._client.containers(
            all=True, filters={"label": LABEL, "status": ["exited", "dead", "created"]}
        ):
            if datetime.fromtimestamp(found["Created"], UTC) < datetime.now(UTC) - FORGOTTEN:
                with contextlib.suppress(DockerException):
                    self._client.remove_container(found["Id"], force=True)


def _daemon(host: str) -> Any:
    """A client of the daemon at ``host``, or of the one that Docker's own environment names."""
    found = {"base_url": host} if host else kwargs_from_env()
    return docker.APIClient(version="auto", timeout=_CALL_SECONDS, **found)


class _Attached(Channel):
    """The lines of a container's program: Docker puts eight bytes before each piece of output, errors among them."""

    def __init__(self, descriptor: int, cpu_seconds: float) -> None:
        super().__init__(descriptor, descriptor, cpu_seconds)
        self._raw, self._left, self._kind = bytearray(), 0, 0
        self.complaint = bytearray()

    def _said(self, chunk: bytes) -> bytes:
        self._raw += chunk
        said = bytearray()
        while self._left or len(self._raw) >= _HEADER:
            if not self._left:
                self._kind, self._left = self._raw[0], int.from_bytes(self._raw[4:_HEADER])
                del self._raw[:_HEADER]
            piece = bytes(self._raw[: self._left])
            if not piece and self._left:
                break
            del self._raw[: len(piece)]
            self._left -= len(piece)
            if self._kind == _STDOUT:
                said += piece
            else:
                self.complaint = (self.complaint + piece)[-_COMPLAINT_BYTES:]
        return bytes(said)


class ContainerBox:
    """One running box."""

    def __init__(self, client: Any, image: str, plan: BoxPlan, seccomp: bytes) -> None:
        self._client, self._is_over = client, False
        uid = fresh_uid()
        made = client.create_container(
            image,
            _COMMAND,
            user=f"{uid}:{uid}",
            hostname=HOST_NAME,
            working_dir="/",
            stdin_open=True,
            environment=_environment(plan),
            labels={LABEL: plan.role},
            host_config=client.create_host_config(**_walls(plan, uid)),
        )
        self._id = made["Id"]
        try:
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._socket = client.attach_socket(self._id, params=streams)
            client.start(self._id)
        except BaseException:
            self._remove()
            raise
        self._channel = _Attached(os.dup(self._socket.fileno()), plan.limits.cpu_seconds)
        walls = {"jail": None, "seccomp": seccomp.hex(), "parent": False, "reaper": True}
        told = {**vars(plan.limits), **walls, "work": WORK, "code": "", "role": plan.role, "uid": 0, "gpu": plan.gpu}
        told["asks_program"] = True
        with contextlib.suppress(BoxEnded):
            self._channel.send(json.dumps(told).encode(), time.monotonic() + _START_SECONDS)

    def make_ready(self) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            answer = self._channel.receive(time.monotonic() + _START_SECONDS)
        except BoxEnded as ended:
            said = self._channel.complaint.decode("utf-8", "replace").strip()
            raise BoxEnded("start", f"{ended.cause}: {said}") from ended
        expected = json.dumps({"ready": True, "program": program_digest()}).encode()
        if answer != expected:
            raise BoxEnded(
                "start",
                f"got {answer[:100]!r}, expected {expected!r}: the image was made of another version of the grader, "
                "build it again (sh images/build grader)",
            )

    def send(self, line: bytes, deadline: float) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            self._channel.send(line, deadline)
        except BoxEnded as ended:
            raise self._at_its_end(ended) from ended

    def receive(self, deadline: float) -> bytes:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            return self._channel.receive(deadline)
        except BoxEnded as ended:
            raise self._at_its_end(ended) from ended

    def explained(self, ended: BoxEnded) -> BoxEnded:
        """See :class:`grader.sandbox.box.Box`; Docker knows of memory only once the whole container has ended."""
        if ended.cause == "died":
            with contextlib.suppress(DockerException, OSError):
                if self._client.inspect_container(self._id)["State"]["OOMKilled"]:
                    return BoxEnded("memory")
        return ended

    def _at_its_end(self, ended: BoxEnded) -> BoxEnded:
        if ended.cause == "died":
            # Whoever only pretends to have ended is not waited for much longer than it takes to end.
            with contextlib.suppress(DockerException, OSError):
                self._client.wait(self._id, timeout=_END_SECONDS)
        return self.explained(ended)

    def end(self) -> None:
        """See :class:`grader.sandbox.box.Box`; the daemon ends a container as it removes it."""

    def kill(self) -> None:
        """End every process of the box and wait until none is left; a second time nothing happens."""
        if self._is_over:
            return
        self._is_over = True
        self._channel.close()
        self._socket.close()
        self._remove()

    def _remove(self) -> None:
        # Where the daemon is gone, the box ends by itself when its input does, and a later start sweeps it up.
        with contextlib.suppress(NotFound, DockerException, OSError):
            self._client.remove_container(self._id, force=True, v=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _environment(plan: BoxPlan) -> dict[str, str]:
    """The image's own, without what belongs to this host; a GPU is named for CUDA, none is kept out."""
    ours = {name: value for name, value in box_environment().items() if name not in _HOST_ONLY}
    gpu = {"NVIDIA_VISIBLE_DEVICES": plan.gpu or "void", **({"CUDA_VISIBLE_DEVICES": plan.gpu} if plan.gpu else {})}
    return {**ours, **gpu, **(plan.environment or {})}


def _walls(plan: BoxPlan, uid: int) -> dict[str, Any]:
    limits = plan.limits
    memory = (limits.memory_mb + limits.disk_mb) * _MIB
    # Over a folder of the image, Docker would take that folder's owner.
    folder = f"rw,nosuid,nodev,mode=1777,uid={uid},gid={uid},size={limits.disk_mb}m"
    walls: dict[str, Any] = {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "ipc_mode": "private",
        "pids_limit": limits.processes + _OWN_PROCESSES,
        "mem_limit": memory,
        "memswap_limit": memory,
        "cpu_period": _PERIOD_US,
        "cpu_quota": _PERIOD_US,
        "tmpfs": {"/tmp": folder, "/home/learner": folder},  # noqa: S108  the box's own
        "shm_size": limits.disk_mb * _MIB,
        "binds": {host: {"bind": inside, "mode": "ro"} for host, inside in plan.read_only},
        # What a hostile program prints must not fill the host's disk.
        "log_config": {"type": "none"},
    }
    if plan.gpu:
        request = DeviceRequest(driver="nvidia", device_ids=[plan.gpu], capabilities=[["gpu"]])
        walls["device_requests"] = [request]
    return walls
