"""A grading instance of its own in a temporary folder: real database, released labs, worker processes, intake."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx
import waitress
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grader.app import create_app
from grader.submission import Window
from grader.unpack import pack
from hub import prepare
from hub.config import Config
from hub.migrate import upgrade
from hub.platform import Platform
from hub.serve import rules_of
from tests.bench._cpu import counted
from tests.bench._lab import COURSE, COURSE_TOML, LAB_TOML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from grader.verdict import LabVersion
    from tests.bench._cpu import CpuCount

DAY_US = 86_400_000_000
GIVE_UP_SECONDS = 1800.0


class Instance:
    """One course of bench labs, released, with nobody on its roster."""

    def __init__(self, folder: Path, labs: Mapping[str, bytes]) -> None:
        course = folder / "courses" / COURSE
        for lab, source in labs.items():
            (course / "source" / lab).mkdir(parents=True)
            (course / "source" / lab / f"{lab}.ipynb").write_bytes(source)
        text = COURSE_TOML + "".join(LAB_TOML % lab for lab in labs)
        (course / "course.toml").write_text(text, encoding="utf-8")
        (folder / "reelwright.toml").write_text("", encoding="utf-8")
        self.platform = Platform(Config.load(folder / "reelwright.toml"))
        prepare.folders(self.platform)
        self.platform.config.models_dir.mkdir(parents=True)
        upgrade(self.platform.config.database_url)
        prepare.release_course(self.platform, self.platform.courses[0], lambda _line: None)
        now_us = time.time_ns() // 1000
        self.window = Window(now_us - DAY_US, now_us + DAY_US, now_us + DAY_US)

    def version(self, lab: str) -> LabVersion:
        """The released version of a lab."""
        store = self.platform.submissions
        found = store.lab_version(COURSE, lab, store.current_lab_version(COURSE, lab) or "")
        if found is None:
            raise RuntimeError(f"{lab} was not released")
        return found

    @contextlib.contextmanager
    def workers(self, count: int) -> Iterator[CpuCount]:
        """Run so many ``reelwright serve worker`` processes; gives the count of their CPU seconds."""
        env, log = self.platform.child_env(), self.platform.log
        processes: list[subprocess.Popen[bytes]] = []
        with counted() as cpu, contextlib.ExitStack() as ends:
            ends.callback(_stop, processes)
            for number in range(count):
                command = [sys.executable, "-m", "hub", "serve", "worker", str(number)]
                with (log / f"worker-{number}.log").open("wb") as stream:
                    processes.append(subprocess.Popen(command, env=env, stdout=stream, stderr=stream))
                cpu.take_in(processes[-1].pid)
            yield cpu

    @contextlib.contextmanager
    def intake(self) -> Iterator[str]:
        """Serve the intake under waitress; gives its address. A learner's token is the learner's name."""
        app = create_app(
            self.platform.submissions,
            identify=lambda token: token,
            window_of=lambda _course, _lab, _learner: self.window,
            labs_of=lambda _learner: [(COURSE, lab.id, lab.id, lab.id) for lab in self.platform.courses[0].labs],
            rules_of=lambda course, lab: rules_of(self.platform, course, lab),
            receipt_key=Ed25519PrivateKey.generate(),
            max_bytes=1 << 24,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = waitress.create_server(app, host="127.0.0.1", port=port, threads=16)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/services/intake/api/courses/{COURSE}/labs"
        finally:
            server.close()

    def until_posted(self) -> None:
        """Wait until everything is graded and in the gradebook."""
        store, deadline = self.platform.submissions, time.monotonic() + GIVE_UP_SECONDS
        while store.queue_depth() or store.unposted():
            if time.monotonic() > deadline:
                raise RuntimeError(f"grading took more than {GIVE_UP_SECONDS:.0f} s; see {self.platform.log}")
            time.sleep(0.05)

    def queue(self, lab: str, notebooks: Mapping[str, bytes]) -> None:
        """Hand in a notebook for each learner at once."""
        rules, version = rules_of(self.platform, COURSE, lab), self.version(lab).version
        for learner, notebook in notebooks.items():
            archive = pack({f"{lab}.ipynb": notebook})
            self.platform.submissions.add(
                COURSE, lab, learner, archive, window=self.window, rules=rules, version=version
            )

    def scores(self, lab: str) -> dict[str, float]:
        """Every learner's automatic points."""
        results = self.platform.submissions.class_results(COURSE)
        return {result.learner: result.auto_score for result in results if result.lab == lab}


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(60)


def submit_and_wait(address: str, lab: str, learner: str, notebook: bytes) -> float:
    """Hand in over HTTP as a lab does and ask for the score until it is there; seconds from first to last."""
    headers, begun = {"Authorization": f"token {learner}"}, time.monotonic()
    url = f"{address}/{lab}/submissions"
    with httpx.Client(headers=headers, timeout=60) as client:
        client.post(url, content=pack({f"{lab}.ipynb": notebook})).raise_for_status()
        while time.monotonic() - begun < GIVE_UP_SECONDS:
            if client.get(url).raise_for_status().json()["submissions"][-1]["score"] is not None:
                return time.monotonic() - begun
            time.sleep(0.1)
    raise RuntimeError(f"{learner}'s submission was not graded")


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
