"""What else can be killed on engine ``local``: a lab's shim, the lab in its box, and everything at once."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from hub.spawner.witness import Witness
from tests.kills.processes import Victims, waited

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.kills.judge import Span


class LocalVictims(Victims):
    """The engine here is the shim with its box; each lab has its own."""

    deck: ClassVar[tuple[str, ...]] = (
        "hub", "spawner", "everything", *3 * ("meter",), *4 * ("shim",), *3 * ("lab",),
    )  # fmt: skip

    def hit(self, victim: str, rng: random.Random) -> bool:
        if not waited(self._running):
            return False
        if victim == "everything":
            self.world.kill("hub")
            self.world.kill("steward")
            self._end("shim_pid", self._running())
            self.world.start("steward")
            self.world.start("hub")
            return True
        return self._end("shim_pid" if victim == "shim" else "pid", rng.choices(self._running() or [None]))

    def _running(self) -> list[Path]:
        folders = self.world.platform.leases.iterdir()
        return [one for one in folders if Witness(one).alive() and (one / "started.json").exists()]

    def _end(self, whom: str, folders: list[Path | None]) -> bool:
        ended = 0
        for folder in filter(None, folders):
            with suppress(ProcessLookupError):
                os.kill(json.loads((folder / "started.json").read_text())[whom], signal.SIGKILL)
                ended += 1
                if whom == "shim_pid":
                    self.killed[folder.name] = time.time_ns() // 1000
        return ended > 0

    def settle(self) -> None:
        for folder in self._running():
            Witness(folder).stop()
        waited(lambda: not self._running(), 60)

    def diaries(self) -> dict[str, Span]:
        files = {file.stem: file for file in self.world.platform.homes.glob("*/*.diary")}
        told = {
            name: (file.read_text(encoding="ascii"), file.stat().st_mtime_ns // 1000) for name, file in files.items()
        }
        return {name: (int(first), last) for name, (first, last) in told.items() if first}
