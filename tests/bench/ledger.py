"""How fast the ledger reports and verifies; the peer is the database itself, summing the same rows in one statement.

``REELWRIGHT_BENCH_LEASES`` says over how many leases to report (a million unless told), ``REELWRIGHT_BENCH_DATABASE``
on which database (a SQLite file of its own unless told; what it names is emptied).
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
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
from hub.compute.ledger.resum import fill
from hub.compute.ledger.shelves import keep_finished, keep_used
from hub.compute.policy import Policy, load_policy
from hub.compute.report import DIMENSIONS
from hub.compute.tables import chain_head, charge_line, event, metadata
from hub.db import open_engine
from hub.portal.charges import page_of_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
EXACT_SPLITS = ROOT / "tests" / "hub" / "compute" / "exact_splits.py"
COMMAND = "make bench ONLY=ledger"
START_US = 1_788_278_400 * MICRO
KILLS = "kill -9 of hub, spawner, meter, shim, lab, all"
SPLITS = "random programmes split exactly, clocks stepped by 1 h and 1 day"
LEARNERS = 5_000
SESSIONS_VERIFIED = 20_000
SESSIONS_WRITTEN = 100
PERIOD = ("2026-01-01", "2030-01-01")
SUM_LINES = "SELECT learner, programme, payer, sum(amount_uy) FROM hub_charge_line GROUP BY 1, 2, 3"
SUM_EVENTS = "SELECT count(*), sum(length(body) + length(digest) + length(previous)) FROM hub_event"

NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :leases)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(CAST(0 AS bigint), :leases - 1))",
}
# A multiplier coprime to the modulus deals the learners out evenly; days grow with the number, as in life.
LINES = """
INSERT INTO hub_charge_line SELECT
  {id}, 0, p.line, 'learner' || (i * 7919 % :learners), 'micro-drama', 'lab' || (i % 7), 'cohort' || (i % 40),
  'site' || (i * 7919 % :learners % 10), CASE i % 3 WHEN 0 THEN 'gpu' ELSE 'cpu' END,
  {day}, i, i + 3600000000, '2026-09', 'city-2026', p.payer,
  1000000 + i % 977, p.leads, p.leads * 3600000000, 0, p.leads * (3000000 + i % 977 * 3), {false}
FROM n CROSS JOIN (SELECT 0 AS line, 'city' AS payer, 1 AS leads UNION ALL SELECT 1, 'district', 0
  UNION ALL SELECT 2, 'learner', 0) AS p
"""
SPELLING = {
    "sqlite": {"id": "printf('%032x', i)", "day": "date('2026-09-01', '+' || (i * 300 / :leases) || ' days')"},
    "postgresql": {
        "id": "lpad(to_hex(i), 32, '0')::uuid",
        "day": "to_char(date '2026-09-01' + (i::bigint * 300 / :leases)::int, 'YYYY-MM-DD')",
    },
}


def run() -> Iterator[dict[str, Any]]:
    """Measure reports, verification and durable writes; one figure at a time."""
    leases = int(os.environ.get("REELWRIGHT_BENCH_LEASES", "1000000"))
    folder = Path(hub.__file__).parent / "policy"
    policy = load_policy(folder / "tariffs.toml", folder / "subsidies.toml")
    with tempfile.TemporaryDirectory() as there:
        named = os.environ.get("REELWRIGHT_BENCH_DATABASE")
        for part in (reports, verification, writes):
            engine = open_engine(named or f"sqlite:///{there}/{part.__name__}.db")
            metadata.drop_all(engine)
            metadata.create_all(engine)
            yield from part(engine, policy, leases)
            engine.dispose()
    yield from proofs()


def proofs() -> Iterator[dict[str, Any]]:
    """Programs that count what is wrong: random programmes and stepped clocks, and kills at random moments.

    The figure is how many were tried, the peer how many of them held. ``REELWRIGHT_BENCH_KILLS`` says how many kills
    (1,000 take most of an hour on two cores); on engine docker, run ``python -m tests.kills`` itself.
    """
    kills = os.environ.get("REELWRIGHT_BENCH_KILLS", "40")
    with tempfile.TemporaryDirectory() as folder:
        for name, program, counted, words in (
            (SPLITS, (str(EXACT_SPLITS),), "programmes", ("100000", "7")),
            (KILLS, ("-m", "tests.kills"), "points", (f"{folder}/kills", kills, "7")),
        ):
            command = [sys.executable, *program, *words]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
            tried = json.loads(done.stdout.splitlines()[-1])[counted]
            yield figure(name, tried, tried, "held", "those of them in which nothing was lost, doubled or inexact")


def reports(engine: Engine, policy: Policy, leases: int) -> Iterator[dict[str, Any]]:
    """The learner by programme report, and the funder's by everything it can be broken down by, over so many leases."""
    fill_lines(engine, leases)
    ledger = Ledger(engine, policy)
    peer, sums = timed(lambda: sql(engine, SUM_LINES))
    ours, rows = timed(lambda: ledger.learners(*PERIOD))
    if sum(row.sums.subsidised_uy + row.sums.learner_uy for row in rows) != sum(int(row[3]) for row in sums):
        raise RuntimeError("expected the report to sum to what the database sums to")
    name = _peer_name(engine)
    yield figure(f"learner by programme report over {leases} leases", ours, peer, "s", name)
    for dimension in DIMENSIONS:
        ours, _ = timed(lambda dimension=dimension: ledger.report((dimension,), *PERIOD))  # type: ignore[misc]
        yield figure(f"funder's report by {dimension} over {leases} leases", ours, peer, "s", name)
    row = ledger.report(("profile",), *PERIOD).rows[0].drill()
    ours, _ = timed(lambda: page_of_lines(ledger, row, PERIOD, b"bench", page=sys.maxsize, size=200))
    yield figure(f"last page of the lines behind a row over {leases} leases", ours, peer, "s", name)


def verification(engine: Engine, policy: Policy, _leases: int) -> Iterator[dict[str, Any]]:
    """Checking the chain alone, and with every book made again from it."""
    fill_chain(engine, SESSIONS_VERIFIED, policy)
    ledger = Ledger(engine, policy)
    peer, _ = timed(lambda: sql(engine, SUM_EVENTS))
    for name, books in (("chain verified", False), ("chain and books verified", True)):
        ours, found = timed(lambda books=books: ledger.verify(books=books))  # type: ignore[misc]
        if not found.held:
            raise RuntimeError(f"expected a ledger that holds, got {found.first_bad}")
        yield figure(name, found.entries / ours, found.entries / peer, "events/s", _peer_name(engine))


def writes(engine: Engine, policy: Policy, _leases: int) -> Iterator[dict[str, Any]]:
    """Whole sessions through the ledger's door, each event durable before the next."""
    ledger = Ledger(engine, policy)
    for number in range(200):
        ledger.grant(request(number).learner, "micro-drama", 100 * MICRO, "bench", START_US)
    ours, _ = timed(lambda: sessions(ledger))
    peer, _ = timed(lambda: commits(engine))
    rates = (3 * SESSIONS_WRITTEN / ours, 3 * SESSIONS_WRITTEN / peer)
    yield figure("durable events written", *rates, "events/s", "the database committing one row at a time")


def figure(name: str, ours: float, peer: float, unit: str, peer_name: str) -> dict[str, Any]:
    """One line of the bench."""
    ratio = ours / peer if unit.endswith("/s") else peer / ours
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "ratio": round(ratio, 3),
        "unit": unit,
        "peer_name": peer_name,
        "command": COMMAND,
    }


def _peer_name(engine: Engine) -> str:
    return f"{engine.dialect.name} summing the same rows in one statement"


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds it took, and what it gave."""
    gc.collect()
    begun = time.perf_counter()
    given = what()
    return time.perf_counter() - begun, given


def sql(engine: Engine, statement: str) -> Any:
    """All rows of a statement."""
    with engine.begin() as connection:
        return connection.execute(text(statement)).all()


def fill_lines(engine: Engine, leases: int) -> None:
    """Charge lines of so many leases, made by the database itself: three payers each, over three hundred days."""
    name = engine.dialect.name
    statement = LINES.format(false="0" if name == "sqlite" else "false", **SPELLING[name])
    if name == "sqlite":
        statement = statement.replace("INSERT INTO hub_charge_line", f"INSERT INTO hub_charge_line {NUMBERS[name]}")
    else:
        statement = NUMBERS[name] + statement
    with engine.begin() as connection:
        indexes = sorted(charge_line.indexes, key=lambda index: str(index.name))
        for index in indexes:
            index.drop(connection)
        connection.execute(text(statement), {"leases": leases, "learners": LEARNERS})
        for index in indexes:
            index.create(connection)
        fill(connection)
    if name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE hub_charge_line"))


def fill_chain(engine: Engine, leases: int, policy: Policy) -> None:
    """A valid chain of so many sessions and its books."""
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
        keep_finished(connection, books.take())
        keep_used(connection, books.used)
        fill(connection)


def events(leases: int, policy: Policy) -> Iterator[tuple[str, str, Any]]:
    """Kind, subject and body of every event of so many sessions."""
    yield book.POLICY_ADOPTED, policy.digest, policy.text
    for number in range(leases):
        asked = request(number)
        begun = asked.requested_us
        witness = {"at_us": begun, "source": "bench", "uncertainty_us": 0}
        opened = {"request": book.request_body(asked), "held_uy": MICRO, "policy": policy.digest}
        yield book.OPENED, str(asked.id), opened
        yield book.STARTED, str(asked.id), witness
        ended = {**witness, "at_us": begun + HOUR_US, "reason": "stopped", "measured_us": None}
        yield book.ENDED, str(asked.id), ended


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


def sessions(ledger: Ledger) -> None:
    """Some sessions through the door, one after the other."""
    for number in range(SESSIONS_WRITTEN):
        lease = ledger.open(request(number))
        ledger.record_started(lease.id, lease.requested_us, "bench")
        ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "bench", "stopped")


def commits(engine: Engine) -> None:
    """As many rows as :func:`sessions` writes events, each in a transaction of its own."""
    for number in range(3 * SESSIONS_WRITTEN):
        with engine.begin() as connection:
            row = {"day": f"{number:010d}", "entries": 0, "digest": "", "signed_us": 0, "key_id": "", "signature": ""}
            connection.execute(insert(metadata.tables["hub_checkpoint"]).values(row))
