"""Where each process of this instance listens: chosen once, kept in ``run/addresses.json``.

The ports stay the same over restarts while they are free, because a lab that outlives a hub restart still calls the
hub and the intake at the address it was started with.
"""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "127.0.0.1"
FIRST_PORT, LAST_PORT = 21_000, 32_000


class PortTaken(Exception):  # noqa: N818 -- it names the fact, as the operator reads it
    """Another program listens where the proxy should."""


@dataclass(frozen=True)
class Addresses:
    """Ports on the loopback interface, one a process."""

    proxy_api: int
    hub: int
    portal: int
    intake: int
    certs: int
    formgrader_base: int
    """Formgrader of course number n (in order of id) listens at ``formgrader_base + n``."""

    def url(self, name: str) -> str:
        """The address of the process called ``name``, without a path."""
        return f"http://{LOOPBACK}:{getattr(self, name)}"

    def formgrader(self, index: int) -> str:
        """The address of the formgrader of course number ``index``."""
        return f"http://{LOOPBACK}:{self.formgrader_base + index}"


def load(file: Path) -> Addresses:
    """The addresses the running instance uses.

    Raises:
        FileNotFoundError: the instance was never started.
    """
    return Addresses(**json.loads(file.read_text(encoding="utf-8")))


def choose(file: Path, courses: int) -> Addresses:
    """Keep the addresses in ``file`` when all are free, else choose new ones and write them."""
    if file.is_file():
        kept = load(file)
        if all(is_free(LOOPBACK, port) for port in _ports(kept, courses)):
            return kept
    ports = _free_run(len(fields(Addresses)) + courses - 1)
    chosen = Addresses(*ports[: len(fields(Addresses))])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(chosen)), encoding="utf-8")
    return chosen


def require_free(host: str, port: int) -> None:
    """Refuse to start on a taken port.

    Raises:
        PortTaken: something listens on ``host:port``.
    """
    if not is_free(host, port):
        raise PortTaken(
            f"{host}:{port} is already in use by another program; stop that program, or set server.port in"
            f" reelwright.toml (or REELWRIGHT_SERVER__PORT) to a free port"
        )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on ``host:port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _ports(addresses: Addresses, courses: int) -> list[int]:
    base = addresses.formgrader_base
    return [*asdict(addresses).values(), *range(base + 1, base + courses)]


def _free_run(count: int) -> list[int]:
    """A run of ``count`` neighbouring free ports below the range the kernel hands out for outgoing connections.

    The search begins anywhere: two instances that start at the same moment see the same ports free.
    """
    firsts = list(range(FIRST_PORT, LAST_PORT - count, count))
    begin = secrets.randbelow(len(firsts))
    for first in firsts[begin:] + firsts[:begin]:
        run = list(range(first, first + count))
        if all(is_free(LOOPBACK, port) for port in run):
            return run
    raise PortTaken(f"found no {count} neighbouring free ports between {FIRST_PORT} and {LAST_PORT} on {LOOPBACK}")
