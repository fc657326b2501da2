"""A real JupyterHub with a real proxy and our door, a cohort to sign up for, and a real Chromium."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import sync_playwright

from hub.db import open_engine
from hub.people import tables
from hub.people.person import Person, Site
from hub.people.store import PeopleStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from hub.people.person import Cohort

ROOT = Path(__file__).parents[3]
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
ROSTER = "学号,姓名\n" + "".join(f"S{n:02},学员{n}\n" for n in range(1, 31))

CONFIG = """
import hub.door
from hub.door.refusal import StartRefused
from jupyterhub.spawner import SimpleLocalProcessSpawner

hub.door.apply(c, database_url={database!r}, locale="zh_CN")


class Moody(SimpleLocalProcessSpawner):
    # Waits, refuses or breaks as the person's name says: what a page shows then is what these tests are about.
    async def progress(self):
        yield {{"progress": 40, "message": "正在打开实验环境 · Opening the lab"}}

    async def start(self):
        import asyncio
        if self.user.name.startswith("poor"):
            raise StartRefused(
                ("算力额度不足", "Not enough compute allowance"), label="allowance",
                balance=("剩余 ¥0.42，本次需要 ¥3.00", "¥0.42 is left; this session needs ¥3.00"),
                remedy=("请教师增加额度，或等到下月 1 日", "Ask your instructor for more, or wait until the 1st"),
            )
        await asyncio.sleep(2 if self.user.name.startswith("broken") else 60)
        raise RuntimeError("/srv/secret/path: no such device")


c.JupyterHub.spawner_class = Moody
c.JupyterHub.bind_url = "http://127.0.0.1:{public}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{inner}/"
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.JupyterHub.cleanup_servers = True
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
"""


@dataclass(frozen=True)
class RunningHub:
    """A hub that answers at ``url``, the people it knows, and a cohort whose roster is S01 to S30."""

    url: str
    people: PeopleStore
    cohort: Cohort


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("hub")
    database = f"sqlite:///{folder / 'reelwright.db'}"
    engine = open_engine(database)
    tables.metadata.create_all(engine)
    people = PeopleStore(engine)
    people.put_site(Site("main", "创作基地", "Pilot base"))
    people.put_person(Person("teacher", "王老师", frozenset({"instructor"}), "main"))
    cohort = people.create_cohort("micro-drama", "main", "2026 冬", date(2026, 11, 1), date(2027, 1, 31), "teacher")
    people.import_roster(cohort.id, ROSTER.encode())
    public, inner, api = free_port(), free_port(), free_port()
    proxy = str(ROOT / "node_modules" / ".bin" / "configurable-http-proxy")
    config = CONFIG.format(database=database, public=public, inner=inner, api=api, proxy=proxy)
    (folder / "jupyterhub_config.py").write_text(config, encoding="utf-8")
    log = (folder / "hub.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub"], cwd=folder, stdout=log, stderr=log, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    running = RunningHub(f"http://127.0.0.1:{public}", people, cohort)
    try:
        wait_until_it_answers(f"{running.url}/hub/login", process, folder / "hub.log")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()
        engine.dispose()


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A visitor with an empty browser that asks for English."""
    context = chromium.new_context(locale="en-US")
    yield context.new_page()
    context.close()
