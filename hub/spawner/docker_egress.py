"""The way out for labs whose profile lists places outside: a proxy on the labs' bridge that opens exactly those.

A lab asks with CONNECT, so what it then says stays between it and the place it asked for. It is let through when

1. it names a lease that is open, and asks from the address at which that lease's container was seen to start;
2. the lease's profile lists the host and port, letter by letter;
3. the name leads to a public address: a listed name whose owner points it at this host or its network opens nothing.

A container cannot take another's address: it has no capability to. What is opened is logged with lease, place and size.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import socket
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import UUID

from hub.compute.lease import UnknownLeaseError
from hub.spawner.egress import Outlet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub.platform import Platform

HEAD_BYTES = 8 << 10
HEAD_SECONDS = 10.0
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 300.0
PIECE_BYTES = 64 << 10
OPEN_AT_ONCE = 32
"""Connections that one lease may hold open."""

log = logging.getLogger(__name__)
Rights = tuple[str, tuple[Outlet, ...]]
"""From which address a lease asks, and what it may reach."""


class Refused(Exception):  # noqa: N818 -- it names the fact
    """The way stays closed; ``status`` is the HTTP status to say so with."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


def rights_of(platform: Platform, lease_id: UUID) -> Rights | None:
    """What an open lease may reach; None for one that is not open, or has not been seen to start."""
    try:
        lease = platform.ledger.lease(lease_id)
    except UnknownLeaseError:
        return None
    address = seen_at(platform.leases / str(lease_id))
    if lease.state not in {"opened", "running"} or not address or lease.profile not in platform.config.profiles:
        return None
    return address, platform.config.profiles[lease.profile].egress


def seen_at(folder: Path) -> str:
    """The address at which a lease's container was seen to start; empty when it was not."""
    try:
        return str(json.loads((folder / "started.json").read_text(encoding="utf-8")).get("address", ""))
    except FileNotFoundError:
        return ""


@dataclass
class WayOut:
    """The proxy: asks ``rights`` about every connection, and keeps count of those that are open."""

    rights: Callable[[UUID], Rights | None]
    open: Counter[UUID] = field(default_factory=Counter)

    async def serve(self, address: str, port: int) -> asyncio.Server:
        """Listen at ``address:port`` on the running loop."""
        return await asyncio.start_server(self._answer, address, port, limit=HEAD_BYTES)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass(reader, writer)
        except Refused as refused:
            log.info("refused %s: %s", writer.get_extra_info("peername")[0], refused)
            writer.write(_refusal(refused))
        except (OSError, EOFError, TimeoutError) as error:
            log.info("ended %s: %s", writer.get_extra_info("peername")[0], type(error).__name__)
        finally:
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lease, wanted = _asked(await _head(reader))
        known = await asyncio.to_thread(self.rights, lease)
        address, outlets = known or ("", ())
        if address != writer.get_extra_info("peername")[0]:
            raise Refused("407 Proxy Authentication Required", "this is no running lab's own way out")
        if wanted not in outlets:
            allowed = ", ".join(map(str, outlets)) or "nothing"
            raise Refused("403 Forbidden", f"{wanted} is not on this lab's list, which has: {allowed}")
        if self.open[lease] >= OPEN_AT_ONCE:
            raise Refused("429 Too Many Requests", f"this lab has {OPEN_AT_ONCE} connections open; close one first")
        self.open[lease] += 1
        try:
            await _relay(lease, wanted, (reader, writer), await _reach(wanted, await _public(wanted)))
        finally:
            self.open[lease] -= 1


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
    except asyncio.LimitOverrunError as error:
        raise Refused("431 Request Header Fields Too Large", f"expected at most {HEAD_BYTES} bytes") from error


def _asked(head: bytes) -> tuple[UUID, Outlet]:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[0] != "CONNECT":  # noqa: PLR2004 -- method, target, version
        raise Refused("405 Method Not Allowed", "expected CONNECT host:port; only encrypted connections are passed on")
    headers = dict(line.lower().split(":", 1) for line in lines if ":" in line)
    if "proxy-authorization" not in headers:
        raise Refused("407 Proxy Authentication Required", "expected the lab's own lease")
    try:
        # Base64 knows upper and lower case, so it is taken from the line as it came.
        told = next(line for line in lines if line.lower().startswith("proxy-authorization:")).split()[-1]
        name = base64.b64decode(told, validate=True).decode("ascii").partition(":")[0]
        return UUID(name), Outlet.parse(words[1])
    except (ValueError, binascii.Error) as error:
        raise Refused("400 Bad Request", f"expected the lab's lease and a host:port: {error}") from error


async def _public(wanted: Outlet) -> str:
    if wanted.is_address:
        return wanted.host  # the operator wrote the address itself, wherever it leads
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refused("502 Bad Gateway", f"{wanted.host} has no address") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not all(ip_address(address).is_global for address in addresses):
        raise Refused("403 Forbidden", f"{wanted.host} leads to an address that is not public")
    return addresses[0]


async def _reach(wanted: Outlet, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.wait_for(asyncio.open_connection(address, wanted.port), CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise Refused("502 Bad Gateway", f"{wanted} does not answer") from error


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(lease: UUID, wanted: Outlet, lab: Ends, outside: Ends) -> None:
    """Move bytes both ways until both ends have said all, one breaks off, or neither says anything for long."""
    lab[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    moved: Counter[str] = Counter()
    pumps = {
        asyncio.create_task(_pump(lab[0], outside[1], moved, "out")),
        asyncio.create_task(_pump(outside[0], lab[1], moved, "in")),
    }
    try:
        pending, before = pumps, -1
        while pending and moved.total() > before and not any(task.done() and task.exception() for task in pumps):
            before = moved.total()
            _, pending = await asyncio.wait(pumps, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in pumps:
            task.cancel()
        outside[1].close()
        log.info("lease %s reached %s: %d bytes out, %d in", lease, wanted, moved["out"], moved["in"])


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, moved: Counter[str], way: str) -> None:
    while piece := await source.read(PIECE_BYTES):
        moved[way] += len(piece)
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


def _refusal(refused: Refused) -> bytes:
    body = f"{refused}\n".encode()
    ask = 'Proxy-Authenticate: Basic realm="lease"\r\n' if refused.status.startswith("407") else ""
    head = f"HTTP/1.1 {refused.status}\r\n{ask}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
    return f"{head}\r\nConnection: close\r\n\r\n".encode("latin-1") + body
