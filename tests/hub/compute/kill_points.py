"""Kills the hub, the shim or the lab with -9 at random moments, then settles: ``kill_points.py FOLDER POINTS SEED``.

The hub here is a process that does what the spawner and the steward do: open a lease, start the real shim, record what
it wrote, and settle by the shim's records whatever an earlier hub left behind. Prints one JSON object; exits 1 when a
session was lost, billed twice, or is wrong without being flagged, or a flagged one by more than a heartbeat.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from hub.compute.lease import HOUR_US, MICRO, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import Policy
from hub.compute.subsidy import SubsidyBook
from hub.compute.tables import metadata
from hub.compute.tariff import PriceList
from hub.db import open_engine
from hub.spawner import shim
from hub.spawner.witness import HEARTBEAT_US, Witness

PRICE = {"profile": "cpu", "yuan_per_hour": "3600"}  # a thousandth of a yuan a microsecond: any wrong one shows
TARIFF = {"id": "always", "from": "2020-01-01T00:00:00+08:00", "price": [PRICE]}
POLICY = Policy(prices=PriceList.model_validate({"tariff": [TARIFF]}), subsidies=SubsidyBook())
WHO = {"learner": "li", "course": "c", "lab": "l", "cohort": "k", "site": "s", "profile": "cpu"}
LAUNCH_US = 5 * MICRO
VICTIMS = ("hub", "shim", "lab", "everything")


def now_us() -> int:
    return time.time_ns() // 1000


class World:
    """One folder with a ledger and the shims' records."""

    def __init__(self, folder: Path) -> None:
        self.leases = folder / "leases"
        self.leases.mkdir(exist_ok=True)
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.kills = folder / "kills"

    def ledger(self) -> Ledger:
        return Ledger(open_engine(self.url), POLICY)

    # ---- what the killed process does ---------------------------------------------------------------------------

    def hub(self, rng: random.Random) -> None:
        ledger = self.ledger()
        self.settle(ledger)
        while True:
            self.session(ledger, rng)
            self.settle(ledger)

    def settle(self, ledger: Ledger) -> None:
        for lease in ledger.open_leases():
            witness = Witness(self.leases / str(lease.id))
            if witness.alive():
                continue
            ending, started_us = witness.ending(), witness.started_us()
            if ending is None or started_us is None:
                if now_us() - lease.requested_us < LAUNCH_US:
                    continue  # its shim may still be on its way, as the steward knows too
                ledger.void(lease.id, "never started")
            else:
                ledger.record_started(lease.id, started_us, "shim")
                ledger.record_ended(lease.id, ending.at_us, "shim", ending.reason, ending.uncertainty_us)

    def session(self, ledger: Ledger, rng: random.Random) -> None:
        lease_id = uuid4()
        ledger.open(LeaseRequest(id=lease_id, longest_us=HOUR_US, requested_us=now_us(), **WHO))
        witness = Witness(self.leases / str(lease_id))
        witness.folder.mkdir()
        # The lab dies with its shim, as it does in the spawner's box.
        lab = ["setpriv", "--pdeathsig", "KILL", "sleep", str(rng.uniform(0.02, 0.3))]
        started = subprocess.Popen(
            [sys.executable, "-I", shim.__file__, str(witness.folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a shim whose hub died before it said what to launch complains
            start_new_session=True,
        )
        started.stdin.write(json.dumps({"argv": lab, "env": {"PATH": os.environ["PATH"]}, "cwd": "/"}).encode())
        started.stdin.close()
        while witness.started_us() is None and started.poll() is None:
            time.sleep(0.002)
        if (begun := witness.started_us()) is not None:
            ledger.record_started(lease_id, begun, "shim")
        if rng.random() < 0.5:
            started.wait()

    # ---- the killer ---------------------------------------------------------------------------------------------

    def kill(self, victim: str, hub: int) -> bool:
        """Kill, and note when; False when there is nobody to kill. ``everything`` is the hub and every shim at once."""
        shims = [folder for folder in self.leases.iterdir() if Witness(folder).alive()]
        records = [
            (folder, json.loads((folder / "started.json").read_text()))
            for folder in shims
            if (folder / "started.json").exists()
        ]
        pids = {
            "hub": [hub],
            "shim": [facts["shim_pid"] for _, facts in records[:1]],
            "lab": [facts["pid"] for _, facts in records[:1]],
            "everything": [hub, *(facts["shim_pid"] for _, facts in records)],
        }[victim]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        with self.kills.open("a") as kills:
            for folder, _ in records if victim in {"shim", "everything"} else ():
                kills.write(f"{folder.name} {now_us()}\n")
        return bool(pids)


def run(world: World, points: int, rng: random.Random) -> dict[str, int]:
    """So many kills; how often each was hit."""
    hit, hub = dict.fromkeys(VICTIMS, 0), 0
    while sum(hit.values()) < points:
        if not hub:
            hub = os.fork()
            if not hub:
                world.hub(rng)
        rng.random()  # so that the next hub does not deal the same hand
        time.sleep(rng.uniform(0.0, 0.35))
        victim = rng.choice(VICTIMS)
        hit[victim] += world.kill(victim, hub)
        if victim in {"hub", "everything"}:
            os.waitpid(hub, 0)
            hub = 0
    if hub:
        os.kill(hub, signal.SIGKILL)
        os.waitpid(hub, 0)
    return hit


def judge(world: World) -> dict[str, int]:
    """What the ledger says, beside what the shims' records and the killer's notes say."""
    while any(Witness(folder).alive() for folder in world.leases.iterdir()):
        time.sleep(0.05)
    ledger, patience = world.ledger(), time.monotonic() + 2 * LAUNCH_US / MICRO
    while ledger.open_leases() and time.monotonic() < patience:
        world.settle(ledger)
        time.sleep(0.1)
    killed = {name: int(at) for name, at in (line.split() for line in world.kills.read_text().splitlines())}
    engine = open_engine(world.url)
    with engine.begin() as connection:
        asked = "SELECT subject, count(*) AS n FROM hub_event WHERE kind = 'lease.ended' GROUP BY subject"
        ends = {row.subject: row.n for row in connection.execute(text(asked))}
    told = {
        "sessions": 0,
        "never_ran": 0,
        "lost": 0,
        "billed_twice": 0,
        "wrong_unflagged": 0,
        "flagged": 0,
        "flagged_worst_us": 0,
    }
    sessions = {str(session.lease.id): session for session in ledger.sessions("li", "c")}
    spent = 0
    for folder in world.leases.iterdir():
        witness, name = Witness(folder), folder.name
        if witness.started_us() is None:
            told["never_ran"] += 1
            told["wrong_unflagged"] += ledger.lease(UUID(name)).state != "void"
            continue
        told["sessions"] += 1
        told["billed_twice"] += ends.get(name, 0) > 1
        if name not in sessions or sessions[name].lease.state != "ended":
            told["lost"] += 1
            continue
        spent += sessions[name].charge_uy
        judge_one(sessions[name], witness, killed.get(name), told)
    told["billed_twice"] += spent != ledger.account("li", "c").spent_uy
    told["lost"] += len(ledger.open_leases())
    told["chain_broken"] = int(not ledger.verify().held)
    told["entries"] = ledger.verify(books=False).entries
    return told


def judge_one(session: Any, witness: Witness, killed_us: int | None, told: dict[str, int]) -> None:
    """Compare one session: to the microsecond where its end was seen, within a heartbeat where it was not."""
    seen = (witness.folder / "ended.json").exists()
    truth_us = json.loads((witness.folder / "ended.json").read_text())["at_us"] if seen else killed_us
    off_us = abs(session.lease.ended_us - (truth_us if truth_us is not None else session.lease.ended_us))
    if session.estimated:
        told["flagged"] += 1
        told["flagged_worst_us"] = max(told["flagged_worst_us"], off_us)
        told["wrong_unflagged"] += off_us > HEARTBEAT_US
    else:
        told["wrong_unflagged"] += off_us > 0 or not seen


def main(folder: Path, points: int, seed: int) -> int:
    """Everything on one fresh folder."""
    folder.mkdir(parents=True, exist_ok=True)
    world, begun = World(folder), time.monotonic()
    engine = open_engine(world.url)
    metadata.create_all(engine)
    Ledger(engine, POLICY).grant("li", "c", 10**9 * MICRO, "bench", now_us())
    engine.dispose()
    world.kills.touch()
    hit = run(world, points, random.Random(seed))  # noqa: S311 - which moment, not which secret
    told = judge(world)
    print(json.dumps({"points": sum(hit.values()), **hit, **told, "seconds": round(time.monotonic() - begun)}))  # noqa: T201
    return int(any(told[name] for name in ("lost", "billed_twice", "wrong_unflagged", "chain_broken")))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
