"""Engine ``local``: a process per learner on this host, each in its own box, witnessed by a shim.

For a laptop, a demonstration and CI. The shim outlives the hub; a restarted hub takes its labs up again by lease.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jupyterhub.utils import random_port

from hub.door.refusal import StartRefused
from hub.spawner import box, shim
from hub.spawner.lab import LeasedLab
from hub.spawner.witness import LOST, Ending, Witness

if TYPE_CHECKING:
    from uuid import UUID

START_SECONDS = 15.0
STOP_SECONDS = shim.GRACE_SECONDS + 5.0


class LocalLab(LeasedLab):
    """One learner's lab as a boxed process of this host."""

    source = "local-shim"

    async def launch(self, lease_id: UUID) -> tuple[str, int, int]:
        """Start the shim, which starts the lab; returns when the shim has written down the start."""
        self.port = random_port()
        home, uid = box.home_for(self.platform.homes, self.user.name)
        walls = box.Walls(home=home, models=self.platform.config.models_dir, uid=uid)
        await self._end_leftovers(lease_id)
        launch = {"argv": box.argv(walls, self.command()), "env": self._lab_env(home, lease_id), "cwd": str(home)}
        witness = self.witness(lease_id)
        witness.folder.mkdir(mode=0o700, parents=True)
        process = await asyncio.to_thread(_start_shim, witness.folder, json.dumps(launch))
        try:
            return "127.0.0.1", self.port, await self._begun(witness, process)
        except BaseException:
            process.kill()
            await asyncio.shield(asyncio.to_thread(box.end_left_over, lease_id))
            raise

    def command(self) -> list[str]:
        """What runs behind the walls."""
        return [sys.executable, "-m", "labs.start", "--", "jupyterhub-singleuser", *self.get_args()]

    def witness(self, lease_id: UUID) -> Witness:
        """The record folder of a lease."""
        return Witness(self.platform.leases / str(lease_id))

    def ending(self, lease_id: UUID) -> Ending | None:
        """What the shim saw of the end; where it saw none, what it may have left behind is ended first."""
        ending = self.witness(lease_id).ending()
        if ending is not None and ending.reason == LOST:
            box.end_left_over(lease_id)
        return ending

    async def halt(self, lease_id: UUID, *, now: bool) -> None:  # noqa: ARG002 -- the shim always asks before it kills
        """Ask the shim to end the lab, and wait until it has."""
        witness = self.witness(lease_id)
        witness.stop()
        for _ in range(int(STOP_SECONDS / 0.1)):
            if not witness.alive():
                return
            await asyncio.sleep(0.1)
        self.log.error("Lab of lease %s did not end within %.0f s", lease_id, STOP_SECONDS)

    async def _end_leftovers(self, starting: UUID) -> None:
        """End labs of this learner that no session holds: a hub killed in mid-start leaves one. The steward settles."""
        for lease in await asyncio.to_thread(self.platform.sessions.labs):
            if lease.learner == self.user.name and lease.id != starting and self.witness(lease.id).alive():
                self.log.warning("Ending the left-over lab of lease %s", lease.id)
                await self.halt(lease.id, now=True)

    async def _begun(self, witness: Witness, process: subprocess.Popen[str]) -> int:
        for _ in range(int(START_SECONDS / 0.05)):
            started_us = witness.started_us()
            if started_us is not None:
                return started_us
            if process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        self.log.error("Lab of %s did not start: %s", self.user.name, witness.log_tail())
        why = ("实验环境未能启动。", "The lab did not start.")
        remedy = ("请稍后再试；仍不行请告知管理员。", "Try again; if it stays so, tell your administrator.")
        raise StartRefused(why, label="launch", remedy=remedy, status_code=503)

    def _lab_env(self, home: Path, lease_id: UUID) -> dict[str, str]:
        programs = Path(sys.executable).parent
        return {
            **self.get_env(),
            "HOME": str(home),
            "USER": self.user.name,
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **self.person_environment(),
            "REELWRIGHT_INTAKE_URL": f"{self.platform.addresses.url('intake')}/services/intake",
            "REELWRIGHT_MODELS": str(self.platform.config.models_dir),
            box.LEASE_VARIABLE: str(lease_id),
            **self.take_env(),
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_NUM_THREADS": "1",
        }


def _start_shim(folder: Path, launch: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(Path(shim.__file__)), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=(folder / "shim.log").open("ab"),
        text=True, start_new_session=True, cwd="/", env={"PATH": os.environ.get("PATH", os.defpath)},
    )  # fmt: skip
    if process.stdin is None:  # pragma: no cover -- PIPE was asked for
        raise RuntimeError("the shim has no standard input")
    process.stdin.write(launch)
    process.stdin.close()
    return process
