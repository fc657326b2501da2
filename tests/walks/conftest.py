"""A whole instance, started by the command an operator uses, in a folder of its own: once per engine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from hub.config import Config
from hub.spawner import docker_network
from tests.daemon import Daemon, sweep, unused_network

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
START_SECONDS = 180.0
DOCKER = """
[docker]
host = "{host}"
image = "{image}"
instance = "walk"
{network}
"""


@dataclass
class Instance:
    """A running Reelwright."""

    folder: Path
    port: int
    engine: str = "local"
    process: subprocess.Popen[str] | None = None
    printed: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REELWRIGHT_")}
        return {**kept, "REELWRIGHT_CONFIG": str(self.folder / "reelwright.toml")}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``reelwright ...`` beside the instance, as an operator would."""
        argv = [sys.executable, "-m", "hub", *arguments]
        return subprocess.run(argv, env=self.env(), cwd=self.folder, capture_output=True, text=True, check=False)

    def start(self) -> None:
        """Start it and return once it says that it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", "run"], env=self.env(), cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        for line in self.process.stdout:
            self.printed.append(line.rstrip())
            if "ready: " in line:
                break
            assert time.monotonic() < deadline, self.printed
        else:
            raise AssertionError("\n".join([*self.printed, *self.logs()]))

    def stop(self) -> str:
        """Press Ctrl-C, wait until everything has ended, and return what was printed meanwhile."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=90)
        self.process = None
        return said or ""

    def pid_of(self, words: str) -> int:
        """The process of ours whose command line has these words."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = [pid for pid in children if words.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(found) == 1, (words, found)
        return int(found[0])

    def logs(self) -> list[str]:
        """The last lines of every process's log, for a failure's report."""
        tails = []
        for log in sorted((self.folder / "var" / "log").glob("*.log")):
            tails += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:]]
        return tails

    def first_administrators_link(self) -> str:
        """The one-time link that the start printed."""
        assert self.process is not None
        assert self.process.stdout is not None
        if not any("code=" in line for line in self.printed):
            self.printed.append(self.process.stdout.readline().rstrip())
        links = re.findall(r"http\S+/hub/welcome\?code=\S+", "\n".join(self.printed))
        assert len(links) == 1, self.printed
        return str(links[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module", params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A fresh instance with the shipped course, asking for seconds of lab time where the real one asks for minutes."""
    if request.param == "local":
        yield from running(tmp_path_factory.mktemp("instance"), "local", "")
        return
    daemon: Daemon = request.getfixturevalue("daemon")
    folder = tmp_path_factory.mktemp("instance")
    names = {"host": daemon.host, "image": request.getfixturevalue("image"), "network": unused_network("walk")}
    yield from running(folder, "docker", DOCKER.format(**names))
    sweep(daemon.client)
    docker_network.remove(daemon.client, Config.load(folder / "reelwright.toml").docker)


SMALL = """
id = "small"
programme = "small"
version = "1"
skills = []
title = { zh = "小课", en = "Small course" }
summary = { zh = "一个实验。", en = "One lab." }
completion = { min_score = 60 }
allowance = { yuan = "50" }

[[labs]]
id = "one"
title = { zh = "一", en = "One" }
summary = { zh = "一", en = "One" }
minutes = 10
weight = 1
due_after_days = 7
profile = "brief"
"""
SMALL_SETTINGS = """
[site]
locale = "en"
[server]
port = {port}
[policy]
tariffs = "tariffs.toml"
[profiles.cpu]
title_zh = "CPU"
title_en = "CPU"
[profiles.brief]
title_zh = "一分钟"
title_en = "One minute"
longest_session_minutes = 1
"""
SMALL_TARIFFS = """
[[tariff]]
id = "small"
from = 2026-09-01T00:00:00+08:00
[[tariff.price]]
profile = "cpu"
yuan_per_hour = "0.5"
[[tariff.price]]
profile = "brief"
yuan_per_hour = "2700"
"""
"""A minute of the brief profile is worth 45 yuan: one session fits into the allowance of 50, and a second does not."""


@pytest.fixture(scope="module")
def small_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A fresh instance on the local engine with one course of one quick lab."""
    folder = tmp_path_factory.mktemp("small")
    source = folder / "courses" / "small" / "source" / "one"
    source.mkdir(parents=True)
    shutil.copy(ROOT / "hub" / "authoring" / "starters" / "code" / "starter.ipynb", source / "one.ipynb")
    (folder / "courses" / "small" / "course.toml").write_text(SMALL, encoding="utf-8")
    port = free_port()
    (folder / "reelwright.toml").write_text(SMALL_SETTINGS.format(port=port), encoding="utf-8")
    (folder / "tariffs.toml").write_text(SMALL_TARIFFS, encoding="utf-8")
    started = Instance(folder, port)
    started.start()
    yield started
    started.stop()


def running(folder: Path, engine: str, settings: str) -> Iterator[Instance]:
    """The instance, from its start to its end."""
    # The story's course alone: a start tries every lab of every course before it releases it.
    shutil.copytree(ROOT / "courses" / "micro-drama", folder / "courses" / "micro-drama")
    course = folder / "courses" / "micro-drama" / "course.toml"
    text, changed = re.subn(r"min_lab_minutes = [\d.]+", "min_lab_minutes = 0.2", course.read_text(encoding="utf-8"))
    assert changed == 1
    course.write_text(text, encoding="utf-8")
    port = free_port()
    toml = f'engine = "{engine}"\n[server]\nport = {port}\n{settings}'
    (folder / "reelwright.toml").write_text(toml, encoding="utf-8")
    started = Instance(folder, port, engine)
    started.start()
    yield started
    if started.process is not None:
        started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@dataclass
class Person:
    """Somebody at a browser of their own."""

    context: BrowserContext
    page: Page


@pytest.fixture(scope="module")
def people(browser: Browser, instance: Instance) -> Iterator[dict[str, Person]]:
    """The administrator, the instructor, the trainee and the employer, each with their own cookies."""
    everyone = {}
    for name in ("administrator", "instructor", "trainee", "employer", "funder"):
        context = browser.new_context(locale="en-GB", base_url=instance.url, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(60_000)
        page = context.new_page()
        # JupyterLab asks before a reload; Playwright's own answer to that question would be no.
        page.on("dialog", lambda dialog: dialog.accept())
        everyone[name] = Person(context, page)
    yield everyone
    for person in everyone.values():
        person.context.close()
