"""The way out opens what is listed, to whom it belongs, and says why it stays closed."""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from hub.spawner.docker_egress import OPEN_AT_ONCE, Rights, WayOut, seen_at
from hub.spawner.egress import Outlet

LEASE = UUID("00000000-0000-4000-8000-00000000abcd")
SELF = "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("files.example:443", "files.example", 443),
        ("Files.PythonHosted.org:443", "files.pythonhosted.org", 443),
        ("10.0.0.7:8080", "10.0.0.7", 8080),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
    ],
)
def test_a_place_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert Outlet.parse(text) == Outlet(host, port)
    assert Outlet.parse(str(Outlet.parse(text))) == Outlet(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "files.example",
        "*.files.example:443",
        "files.example:0",
        "files.example:70000",
        "https://files.example:443",
        "a b:443",
        ":443",
        "",
    ],
)
def test_a_pattern_or_half_a_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        Outlet.parse(text)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece.upper())
        await writer.drain()
    writer.write_eof()


def head(target: str, lease: object = LEASE, method: str = "CONNECT") -> bytes:
    told = base64.b64encode(f"{lease}:lease".encode()).decode()
    return f"{method} {target} HTTP/1.1\r\nProxy-Authorization: Basic {told}\r\n\r\n".encode()


async def served(rights: Callable[[UUID], Rights | None], ask: Callable[[int], object]) -> object:
    server = await WayOut(rights).serve(SELF, 0)
    async with server:
        return await ask(server.sockets[0].getsockname()[1])  # type: ignore[misc]


def said(rights: Rights | None, *requests: bytes) -> list[str]:
    """The first lines that the way out answers each request with, all connections held open until the last."""

    async def ask(port: int) -> list[str]:
        answers, held = [], []
        for request in requests:
            reader, writer = await asyncio.open_connection(SELF, port)
            writer.write(request)
            answers.append((await asyncio.wait_for(reader.read(2000), 20)).decode())
            held.append(writer)
        for writer in held:
            writer.close()
        return answers

    found = asyncio.run(served(lambda lease: rights if lease == LEASE else None, ask))
    assert isinstance(found, list)
    return found


def test_what_is_listed_is_reached_and_bytes_pass_both_ways() -> None:
    async def story() -> bytes:
        outside = await asyncio.start_server(echo, SELF, 0)
        target = Outlet(SELF, outside.sockets[0].getsockname()[1])

        async def ask(port: int) -> bytes:
            reader, writer = await asyncio.open_connection(SELF, port)
            writer.write(head(str(target)) + b"spoken " * 50_000)
            writer.write_eof()
            return await asyncio.wait_for(reader.read(-1), 20)

        answer = await served(lambda _lease: (SELF, (target,)), ask)
        assert isinstance(answer, bytes)
        return answer

    answer = asyncio.run(story())
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n" + b"SPOKEN " * 50_000


def test_what_is_not_listed_stays_closed_and_the_list_is_said() -> None:
    (answer,) = said((SELF, (Outlet("files.example", 443),)), head("evil.example:443"))
    assert answer.startswith("HTTP/1.1 403")
    assert "evil.example:443 is not on this lab's list, which has: files.example:443" in answer


def test_a_listed_name_that_leads_to_this_host_opens_nothing() -> None:
    (answer,) = said((SELF, (Outlet("localhost", 22),)), head("localhost:22"))
    assert answer.startswith("HTTP/1.1 403")
    assert "not public" in answer


def test_another_lease_another_address_or_another_method_is_refused() -> None:
    place = (Outlet("files.example", 443),)
    stranger = head("files.example:443", UUID(int=7))
    plain = head("http://files.example/", method="GET")
    nameless = b"CONNECT files.example:443 HTTP/1.1\r\n\r\n"
    broken = head("files.example:443", "no-lease")
    long = b"CONNECT files.example:443 HTTP/1.1\r\nx: " + b"x" * 20_000 + b"\r\n\r\n"
    asked = (stranger, plain, nameless, broken, long)
    assert [answer.split()[1] for answer in said((SELF, place), *asked)] == ["407", "405", "407", "400", "431"]
    assert said(("10.0.0.9", place), head("files.example:443"))[0].split()[1] == "407"


def test_one_lab_cannot_take_all_connections() -> None:
    async def story() -> list[str]:
        outside = await asyncio.start_server(echo, SELF, 0)
        target = Outlet(SELF, outside.sockets[0].getsockname()[1])

        async def ask(port: int) -> list[str]:
            answers, held = [], []
            for _ in range(OPEN_AT_ONCE + 1):
                reader, writer = await asyncio.open_connection(SELF, port)
                writer.write(head(str(target)))
                answers.append((await asyncio.wait_for(reader.read(2000), 20)).decode().split()[1])
                held.append(writer)
            for writer in held:
                writer.close()
            return answers

        found = await served(lambda _lease: (SELF, (target,)), ask)
        assert isinstance(found, list)
        return found

    assert asyncio.run(story()) == ["200"] * OPEN_AT_ONCE + ["429"]


def test_a_lab_that_was_not_seen_to_start_has_no_address(tmp_path: Path) -> None:
    assert seen_at(tmp_path) == ""
    (tmp_path / "started.json").write_text(json.dumps({"at_us": 1, "container": "x", "address": "10.1.2.3"}))
    assert seen_at(tmp_path) == "10.1.2.3"
