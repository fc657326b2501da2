"""Starts everything this instance is made of, watches it, and stops what it started.

The order: 1. the public port is free; 2. folders, secrets and addresses; 3. the database at its newest schema; 4. the
model; 5. the labs released; 6. the processes, the proxy first; 7. the address, and the first administrator's link.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING

import httpx

from hub import addresses, prepare
from hub.child import READY_SECONDS, Child, StartFailed
from hub.spawner.engine import engine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.platform import Platform

STOP_SECONDS = 20.0


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
        _start(children, platform, say)
        prepare.announce(platform, say)
        while not asked:
            _restart_fallen(children, platform, say)
            time.sleep(0.5)
    finally:
        say("stopping")
        for child in reversed(children):
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in reversed(children):
            child.wait_stopped(deadline)
        stop_labs(platform, say)


def stop_labs(platform: Platform, say: Callable[[str], None]) -> None:
    """End every lab and settle its lease; notebooks are saved by their server's own shutdown."""
    engine = engine_of(platform)
    ended, settled = engine.end_labs(), engine.reconcile()
    if ended or settled:
        say(f"{ended} lab(s) ended, {settled} lease(s) settled")


def _start(children: list[Child], platform: Platform, say: Callable[[str], None]) -> None:
    proxy, *others = children
    say("starting proxy")
    proxy.start()
    proxy.wait_ready()
    # All at once: the hub routes to its services only when each has answered it.
    for child in others:
        say(f"starting {child.name}")
        child.start()
    for child in others:
        child.wait_ready()
    _wait_routed(f"{platform.config.server.local_url}/services/portal/health", children)


def _wait_routed(url: str, children: list[Child]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        for child in children:
            if child.fallen():
                raise StartFailed(f"{child.name} ended at its start; its last words are in {child.log}")
        if time.monotonic() > deadline:
            raise StartFailed(f"{url} did not answer within {READY_SECONDS:.0f} s; see the hub's log")
        time.sleep(0.2)


def _restart_fallen(children: list[Child], platform: Platform, say: Callable[[str], None]) -> None:
    for child in children:
        if not child.fallen():
            continue
        if not child.ended_at and child.process is not None:
            say(f"{child.name} ended with status {child.process.returncode}; starting it again (log: {child.log})")
        if child.start_again() and child.name == "proxy":
            child.wait_ready()
            _post_routes(platform)


def _post_routes(platform: Platform) -> None:
    """Have the hub post its routes at once: a new proxy knows none, and the hub looks only every five minutes."""
    token = platform.secrets.text("supervisor-token")
    httpx.post(
        f"{platform.addresses.url('hub')}/hub/api/proxy", headers={"Authorization": f"token {token}"}, timeout=30
    )


def _children(platform: Platform) -> list[Child]:
    at, log, env = platform.addresses, platform.log, platform.child_env()
    serve = [sys.executable, "-m", "hub", "serve"]

    def ours(name: str, ready_path: str = "") -> Child:
        ready = at.url(name) + ready_path if ready_path else ""
        return Child(name, [*serve, name], env, log / f"{name}.log", ready)

    hub_argv = [sys.executable, "-m", "jupyterhub", "-f", str(prepare.HUB_CONFIG)]
    graders = [
        Child(f"formgrader-{course.id}", [*serve, "formgrader", course.id], env, log / f"formgrader-{course.id}.log")
        for course in platform.courses
    ]
    gate = Child("gate", [*serve, "gate"], env, log / "gate.log", platform.config.docker.gate_url)
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
        ours("culler"),
        *[_take_server(platform, serve, n, gpu) for n, gpu in enumerate(platform.config.take_servers)],
        *([gate] if engine_of(platform).has_gate else []),
        *graders,
    ]  # fmt: skip


def _take_server(platform: Platform, serve: list[str], number: int, gpu: str) -> Child:
    """A take server sees its own GPU and no other."""
    env = {**platform.child_env(), "CUDA_VISIBLE_DEVICES": "" if gpu == "cpu" else gpu}
    name = f"takes-{number}"
    return Child(name, [*serve, "takes", str(number)], env, platform.log / f"{name}.log")


def _proxy_argv(platform: Platform) -> list[str]:
    server, at = platform.config.server, platform.addresses
    program = prepare.proxy_program()
    public = [f"--ip={server.bind}", f"--port={server.port}"]
    api = [f"--api-ip={addresses.LOOPBACK}", f"--api-port={at.proxy_api}"]
    hub = [f"--default-target={at.url('hub')}", f"--error-target={at.url('hub')}/hub/error"]
    return [*program, *public, *api, *hub]
