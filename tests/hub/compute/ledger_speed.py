"""How fast the ledger is; run by hand: ``python tests/hub/compute/ledger_speed.py [LEASES]``. Prints JSON lines.

Writes go through the ledger's own door. The large chain is made by the same pure functions and inserted in bulk: a
hundred thousand durable transactions would measure the disk and not the ledger.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Engine, insert, text

import hub
from hub.compute import books as book
from hub.compute.chain import GENESIS, Entry, canonical, digest_of
from hub.compute.lease import HOUR_US, MICRO, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.ledger.shelves import replace_all
from hub.compute.policy import Policy, load_policy
from hub.compute.tables import chain_head, event, metadata
from hub.db import open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_US = 1_788_278_400 * MICRO
WRITES = 300


def request(number: int) -> LeaseRequest:
    """The lease of one of two hundred learners at one of three sites."""
    return LeaseRequest(
        id=UUID(int=number + 1),
        learner=f"learner{number % 200:03d}",
        course="micro-drama",
        lab=f"lab{number % 7}",
        cohort="autumn",
        site=f"site{number % 3}",
        profile="cpu",
        longest_us=2 * HOUR_US,
        requested_us=START_US + number * 60 * MICRO,
    )


def events(leases: int, policy: Policy) -> Iterator[tuple[str, str, Any]]:
    """Kind, subject and body of every event of so many sessions."""
    yield book.POLICY_ADOPTED, policy.digest, policy.text
    for number in range(leases):
        asked = request(number)
        begun = asked.requested_us
        witness = {"at_us": begun, "source": "speed", "uncertainty_us": 0}
        opened = {"request": book.request_body(asked), "held_uy": MICRO, "policy": policy.digest}
        yield book.OPENED, str(asked.id), opened
        yield book.STARTED, str(asked.id), witness
        ended = {**witness, "at_us": begun + HOUR_US, "reason": "stopped", "measured_us": None}
        yield book.ENDED, str(asked.id), ended


def fill(engine: Engine, leases: int, policy: Policy) -> None:
    """Insert a valid chain of so many sessions and its books."""
    books, rows, previous = book.Books(), list[dict[str, Any]](), GENESIS
    for seq, (kind, subject, body) in enumerate(events(leases, policy), start=1):
        said, at = canonical(body), START_US + seq
        digest = digest_of(previous=previous, seq=seq, kind=kind, subject=subject, recorded_us=at, body=said)
        entry = Entry(seq, kind, subject, at, said, previous, digest)
        books.add(entry)
        rows.append(entry._asdict())
        previous = digest
    with engine.begin() as connection:
        connection.execute(insert(event), rows)
        connection.execute(insert(chain_head).values(id=1, entries=len(rows), digest=previous))
        replace_all(connection, books)


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds it took, and what it gave."""
    begun = time.perf_counter()
    given = what()
    return time.perf_counter() - begun, given


def say(name: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(json.dumps({"name": name, "ours": round(value, 3), "unit": unit}), flush=True)  # noqa: T201


def sessions(ledger: Ledger) -> None:
    """A few hundred sessions through the door, one after the other."""
    for number in range(WRITES):
        lease = ledger.open(request(number))
        ledger.record_started(lease.id, lease.requested_us, "speed")
        ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "speed", "stopped")


def sum_by_sql(engine: Engine) -> None:
    """The database's own limit: the same rows summed by one statement."""
    with engine.begin() as connection:
        asked = "SELECT learner, programme, payer, sum(amount_uy) FROM hub_charge_line GROUP BY 1, 2, 3"
        connection.execute(text(asked)).all()


def main(leases: int) -> None:
    """Measure on a fresh SQLite file each."""
    folder = Path(hub.__file__).parent / "policy"
    policy = load_policy(folder / "tariffs.toml", folder / "subsidies.toml")
    with tempfile.TemporaryDirectory() as there:
        small, large = (open_engine(f"sqlite:///{there}/{name}.db") for name in ("small", "large"))
        metadata.create_all(small)
        metadata.create_all(large)
        ledger = Ledger(small, policy)
        for number in range(200):
            ledger.grant(request(number).learner, "micro-drama", 100 * MICRO, "speed", START_US)
        say("durable events written", 3 * WRITES / timed(lambda: sessions(ledger))[0], "events/s")
        fill(large, leases, policy)
        ledger = Ledger(large, policy)
        seconds, found = timed(lambda: ledger.verify(books=False))
        say("chain verified", found.entries / seconds, "events/s")
        seconds, found = timed(ledger.verify)
        say("chain and books verified", found.entries / seconds, "events/s")
        if not found.held:
            sys.exit(f"expected a ledger that holds, got {found.first_bad}")
        say("report by site", timed(lambda: ledger.report(("site",), "2026-01-01", "2030-01-01"))[0], "s")
        say(
            "report by course, site, profile, day",
            timed(lambda: ledger.report(("course", "site", "profile", "day"), "2026-01-01", "2030-01-01"))[0],
            "s",
        )
        say("the same lines summed by one statement", timed(lambda: sum_by_sql(large))[0], "s")
        small.dispose()
        large.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
