"""Kill points: ``python -m tests.kills FOLDER POINTS SEED [local|docker]``; prints JSON, exits 1 when the books fail.

What runs is the instance's own: JupyterHub with our spawner and a proxy, the steward (it reconciles and meters), shims
and boxes or a Docker daemon with its containers, and learners who open and close labs without end. One of them is
ended with -9 at a random moment, again and again. Then the books are compared with what happened.

With ``docker`` it starts a daemon of its own, in a network of its own; that wants root.
"""

from __future__ import annotations

import os
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import hub.serve
import hub.traits  # noqa: F401 -- a fork of this process should not have to import it
from hub import prepare
from hub.spawner import docker_reconcile, local_engine
from hub.spawner.engine import engine_of
from tests.daemon import own_daemon
from tests.kills.containers import CONFIG, DockerVictims, fetched, leave_network, make_image
from tests.kills.judge import as_json, judge
from tests.kills.local import LocalVictims
from tests.kills.world import World

if TYPE_CHECKING:
    from tests.kills.judge import Verdict
    from tests.kills.processes import Victims

PAUSE_SECONDS = 0.6


def main(folder: Path, points: int, seed: int, engine: str = "local") -> int:
    """Everything on one fresh folder."""
    begun = time.monotonic()
    with ExitStack() as stack:
        if engine == "docker":
            (folder / "docker").mkdir(parents=True)
            busybox = fetched(folder / "docker")
            leave_network()
            daemon = stack.enter_context(own_daemon(folder / "docker"))
            make_image(daemon, busybox)
            victims: Victims = DockerVictims(World(folder, "docker", CONFIG.format(host=daemon.host)), daemon)
        else:
            victims = LocalVictims(World(folder, "local"))
        hit = killed(victims, points, random.Random(seed))  # noqa: S311 - which moment, not which secret
        told = judged(victims)
    seconds, cpu = round(time.monotonic() - begun), round(sum(os.times()[:4]))
    print(as_json(told, engine=engine, points=sum(hit.values()), hit=hit, seconds=seconds, cpu_seconds=cpu))  # noqa: T201
    return int(not told.holds)


def killed(victims: Victims, points: int, rng: random.Random) -> dict[str, int]:
    """The instance, and so many kills of it; how often each part was hit."""
    world = victims.world
    world.prepare()
    proxy = world.start_proxy()
    try:
        for name in ("steward", "hub"):
            world.start(name)
        world.wait_for_hub()
        world.start("traffic")
        return _kills(victims, points, rng)
    finally:
        for name in tuple(world.pids):
            world.kill(name)
        victims.settle()
        proxy.kill()
        proxy.wait()


def _kills(victims: Victims, points: int, rng: random.Random) -> dict[str, int]:
    hit, deal = dict.fromkeys(sorted(set(victims.deck)), 0), list[str]()
    while sum(hit.values()) < points:
        deal = deal or rng.sample(victims.deck, len(victims.deck))
        time.sleep(rng.uniform(0.0, PAUSE_SECONDS))
        victim = deal.pop()
        hit[victim] += victims.kill(victim, rng)
    return hit


def judged(victims: Victims) -> Verdict:
    """What the books say once everything that was left open is settled, as the steward settles it."""
    platform = victims.world.platform
    # Nobody is left who could still be launching.
    local_engine.LAUNCH_US, docker_reconcile.MARGIN_US = 0, -(10**12)
    while engine_of(platform).reconcile():
        pass
    prepare.observe_unbilled(platform)
    return judge(platform, victims.diaries(), victims.killed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
