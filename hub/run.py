"""Starts everything this instance is made of, watches it, and stops what it started.

The order: 1. the public port is free; 2. folders, secrets and addresses; 3. the database at its newest schema; 4. the
model; 5. the labs released; 6. the processes, the proxy first; 7. the address, and the first administrator's link.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import httpx

from hub import addresses, prepare
from hub.spawner.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub.platform import Platform

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
RESTART_SECONDS = 2.0


class StartFailed(Exception):  # noqa: N818 -- it names what happened
    """A part did not come up; the message says which, and where its log lies."""


@dataclass
class Child:
    """One process of ours: how it is started, how we know that it answers, and the process itself."""

    name: str
    argv: list[str]
    env: dict[str, str]
    log: Path
    ready_url: str = ""
    process: subprocess.Popen[bytes] | None = None
    ended_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process in a session of its own, so that a terminal's Ctrl-C reaches only us."""
        stream: IO[bytes] = self.log.open("ab")
        with stream:
            self.process = subprocess.Popen(
                self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )

    def wait_ready(self) -> None:
        """Return once the process answers.

        Raises:
            StartFailed: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while self.ready_url and not _answers(self.ready_url):
            if self.process is None or self.process.poll() is not None:
                raise StartFailed(f"{self.name} ended at its start; its last words are in {self.log}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} did not answer within {READY_SECONDS:.0f} s; see {self.log}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ask the process to end, and end it after a grace."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run(platform: Platform, say: Callable[[str], None]) -> None:
    """Run the instance until it is asked to stop (Ctrl-C or SIGTERM).

    Raises:
        PortTaken: another program listens on the public port.
        StartFailed: a part did not come up.
    """
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, _frame: asked.append(signum))
    server = platform.config.server
    addresses.require_free(server.bind, server.port)
    prepare.everything(platform, say)
    children = _children(platform)
    try:
        for child in children:
            if asked:
                return
            say(f"starting {child.name}")
            child.start()
            child.wait_ready()
        prepare.announce(platform, say)
        while not asked:
            _restart_fallen(children, platform, say)
            time.sleep(0.5)
    finally:
        say("stopping")
        for child in reversed(children):
            child.stop()
        stop_labs(platform, say)


def stop_labs(platform: Platform, say: Callable[[str], None]) -> None:
    """End every lab of the local engine and settle its lease; notebooks are saved by their server's own shutdown."""
    if not platform.leases.is_dir():
        return
    living = [witness for witness in map(Witness, platform.leases.iterdir()) if witness.alive()]
    for witness in living:
        witness.stop()
    deadline = time.monotonic() + STOP_SECONDS
    while any(witness.alive() for witness in living) and time.monotonic() < deadline:
        time.sleep(0.1)
    settled = prepare.reconcile(platform)
    if living or settled:
        say(f"{len(living)} lab(s) ended, {settled} lease(s) settled")


def _restart_fallen(children: list[Child], platform: Platform, say: Callable[[str], None]) -> None:
    for child in children:
        if child.process is None or child.process.poll() is None:
            continue
        now = time.monotonic()
        if not child.ended_at:
            child.ended_at = now
            say(f"{child.name} ended with status {child.process.returncode}; starting it again (log: {child.log})")
        if now - child.ended_at < RESTART_SECONDS:
            continue
        child.ended_at = 0.0
        child.start()
        if child.name == "proxy":
            child.wait_ready()
            _post_routes(platform)


def _post_routes(platform: Platform) -> None:
    """Have the hub post its routes at once: a new proxy knows none, and the hub looks only every five minutes."""
    token = platform.secrets.text("supervisor-token")
    httpx.post(
        f"{platform.addresses.url('hub')}/hub/api/proxy", headers={"Authorization": f"token {token}"}, timeout=30
    )


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return False
    return True


def _children(platform: Platform) -> list[Child]:
    at, log, env = platform.addresses, platform.log, platform.child_env()
    serve = [sys.executable, "-m", "hub", "serve"]

    def ours(name: str, ready_path: str = "") -> Child:
        ready = at.url(name) + ready_path if ready_path else ""
        return Child(name, [*serve, name], env, log / f"{name}.log", ready)

    hub_argv = [sys.executable, "-m", "jupyterhub", "-f", str(prepare.HUB_CONFIG)]
    workers = range(platform.config.grader.workers)
    proxy_env = {**env, "CONFIGPROXY_AUTH_TOKEN": platform.secrets.text("proxy-token")}
    return [
        Child("proxy", _proxy_argv(platform), proxy_env, log / "proxy.log", at.url("proxy_api")),
        Child("hub", hub_argv, env, log / "hub.log", at.url("hub") + "/hub/health"),
        ours("portal", "/services/portal/health"),
        ours("intake", "/services/intake/health"),
        ours("certs", "/certs/"),
        ours("issuer"),
        *[Child(f"worker-{n}", [*serve, "worker", str(n)], env, log / f"worker-{n}.log") for n in workers],
        ours("steward"),
    ]  # fmt: skip


def _proxy_argv(platform: Platform) -> list[str]:
    server, at = platform.config.server, platform.addresses
    program = prepare.proxy_program()
    public = [f"--ip={server.bind}", f"--port={server.port}"]
    api = [f"--api-ip={addresses.LOOPBACK}", f"--api-port={at.proxy_api}"]
    hub = [f"--default-target={at.url('hub')}", f"--error-target={at.url('hub')}/hub/error"]
    return [*program, *public, *api, *hub]
