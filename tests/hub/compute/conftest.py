"""A real ledger on a real database: SQLite always, PostgreSQL where its programs are."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, text

from hub.compute.lease import HOUR_US, MICRO, Grant, Lease, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import Policy
from hub.compute.subsidy import SubsidyBook
from hub.compute.tables import metadata
from hub.compute.tariff import PriceList
from hub.db import open_engine

POSTGRES = Path("/usr/lib/postgresql/15/bin")
NOON_US = 1_795_320_000 * MICRO  # 2026-11-22 12:00 in UTC+8

TARIFF = {
    "id": "2026-09",
    "from": "2026-09-01T00:00:00+08:00",
    "until": "2027-01-01T00:00:00+08:00",
    "price": [
        {"profile": "cpu", "yuan_per_hour": "0.50"},
        {"profile": "gpu", "yuan_per_hour": "28", "gpus": "1"},
        {"profile": "own-chip", "yuan_per_hour": "20", "gpus": "0.143", "hardware_origin": "domestic"},
    ],
}
NEXT_TARIFF = {
    "id": "2027-01",
    "from": "2027-01-01T00:00:00+08:00",
    "price": [{"profile": "cpu", "yuan_per_hour": "1"}],
}
PROGRAMME = {
    "id": "city-2026",
    "from": "2026-09-01T00:00:00+08:00",
    "until": "2028-01-01T00:00:00+08:00",
    "title": {"zh": "市级补贴", "en": "City subsidy"},
    "reference": {"zh": "由运营方填写", "en": "operator to fill in"},
    "rate_percent": "80",
    "courses": ["micro-drama"],
    "payer": [
        {"id": "city", "title": {"zh": "市", "en": "City"}, "share_percent": "66.6667"},
        {"id": "district", "title": {"zh": "区", "en": "District"}, "share_percent": "33.3333"},
    ],
}


class Clock:
    """A fake clock: the only stand-in in these tests."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


class Bench:
    """A ledger and the few gestures every test makes with it."""

    def __init__(self, engine: Engine, policy: Policy, key: Path | None = None) -> None:
        self.engine, self.policy, self.key = engine, policy, key
        self.clock = Clock(NOON_US + 40 * 24 * HOUR_US)
        self.ledger = Ledger(engine, policy, key, clock=self.clock)

    def request(self, learner: str = "li", **given: Any) -> LeaseRequest:
        asked = {
            "id": uuid4(),
            "learner": learner,
            "course": "micro-drama",
            "lab": "first-take",
            "cohort": "autumn",
            "site": "main",
            "profile": "cpu",
            "longest_us": 4 * HOUR_US,
            "requested_us": NOON_US,
        }
        return LeaseRequest(**{**asked, **given})

    def grant(self, yuan: int = 100, learner: str = "li", why: str = "enrolled") -> Grant:
        return self.ledger.grant(learner, "micro-drama", yuan * MICRO, why, NOON_US)

    def session(self, learner: str = "li", hours: float = 1, **given: Any) -> Lease:
        lease = self.ledger.open(self.request(learner, **given))
        start = lease.requested_us
        self.ledger.record_started(lease.id, start, "engine")
        return self.ledger.record_ended(lease.id, start + int(hours * HOUR_US), "engine", "stopped")

    def sql(self, statement: str, **values: Any) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(text(statement), values)

    def rows(self, table: str) -> list[str]:
        with self.engine.begin() as connection:
            return sorted(map(repr, connection.execute(select(metadata.tables[table]))))


def make_policy(tariffs: tuple[Any, ...] = (TARIFF, NEXT_TARIFF), programmes: tuple[Any, ...] = (PROGRAMME,)) -> Policy:
    prices = PriceList.model_validate({"tariff": list(tariffs)})
    return Policy(prices=prices, subsidies=SubsidyBook.model_validate({"programme": list(programmes)}))


@pytest.fixture
def rules() -> dict[str, Any]:
    """The parts of a policy, for tests that change one."""
    return {"tariff": TARIFF, "next": NEXT_TARIFF, "programme": PROGRAMME, "make": make_policy, "noon_us": NOON_US}


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def make(policy: Policy | None = None, key: Path | None = None) -> Bench:
        engine = open_engine(f"sqlite:///{tmp_path / f'ledger{len(benches)}.db'}")
        metadata.create_all(engine)
        benches.append(Bench(engine, policy or make_policy(), key))
        return benches[-1]

    yield make
    for bench in benches:
        bench.engine.dispose()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL cluster of its own: unprivileged owner, free port, gone afterwards."""
    if not (POSTGRES / "initdb").exists():
        pytest.skip(f"no PostgreSQL programs in {POSTGRES}")
    folder = Path(tempfile.mkdtemp(prefix="reelwright-pg-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    owner = _unprivileged(folder)

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **owner)

    data = str(folder / "data")
    run(POSTGRES / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    run(POSTGRES / "pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
    finally:
        run(POSTGRES / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture
def postgres_bench(postgres_url: str) -> Iterator[Bench]:
    engine = open_engine(postgres_url)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    yield Bench(engine, make_policy())
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_bench(request: pytest.FixtureRequest) -> Bench:
    """The same test on both databases."""
    return request.getfixturevalue("bench" if request.param == "sqlite" else "postgres_bench")
