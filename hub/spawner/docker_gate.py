"""The gate: the one address on the labs' network, and the two places it leads to.

A learner's container cannot reach the hub's host. It reaches this process, which passes on requests to the hub's API
and to the intake, and to nothing else: no page of the hub, no portal, no grader. Paths are compared as they were sent
and passed on unchanged, so nothing can mean one thing here and another behind.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornado.httputil import HTTPHeaders

PASS_SECONDS = 120.0
CLIENTS = 256
MOST_ANSWER_BYTES = 256 << 20
NOT_PASSED_ON = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "host", "content-length", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "accept-encoding"}
)

_PLAIN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_TRICK = re.compile(r"//|/\.{1,2}(?:/|$)|%2e|%2f|%5c|%00|%25", re.IGNORECASE)


@dataclass(frozen=True)
class Way:
    """Requests whose path begins with ``prefix`` go to ``target`` (an address without a path)."""

    prefix: str
    target: str

    def __post_init__(self) -> None:
        if not self.prefix.startswith("/") or not self.prefix.endswith("/"):
            raise ValueError(f"prefix: got {self.prefix!r}, expected a path that begins and ends with a slash")


def way_for(ways: tuple[Way, ...], path: str) -> Way | None:
    """The way that ``path`` may take; None when there is none, or when it is written to mislead."""
    if not _PLAIN.fullmatch(path) or _TRICK.search(path):
        return None
    return next((way for way in ways if path.startswith(way.prefix) or path == way.prefix.rstrip("/")), None)


def ways(hub_url: str, intake_url: str) -> tuple[Way, ...]:
    """The two places a lab may talk to."""
    return Way("/hub/api/", hub_url), Way("/services/intake/", intake_url)


class Gate(RequestHandler):
    """Passes one request on, or says that there is nothing here."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

    def initialize(self, open_ways: tuple[Way, ...]) -> None:
        """``open_ways``: where requests may go."""
        self._ways = open_ways

    def check_xsrf_cookie(self) -> None:
        """Not ours to check: whoever is behind checks their own tokens."""

    async def prepare(self) -> None:
        """Answer every request here, whatever its method."""
        path, _, query = str(self.request.uri).partition("?")
        way = way_for(self._ways, path)
        if way is None:
            self.send_error(404)
            return
        url = way.target + path + (f"?{query}" if query else "")
        request = HTTPRequest(
            url, method=self.request.method, headers=self._passed_on(), body=self._body(), follow_redirects=False,
            request_timeout=PASS_SECONDS, connect_timeout=5, decompress_response=False, allow_nonstandard_methods=True,
        )  # fmt: skip
        try:
            answer = await _client().fetch(request, raise_error=False)
        except (HTTPClientError, OSError):
            self.send_error(502)
            return
        self._answer(answer)

    def _body(self) -> bytes | None:
        return self.request.body if self.request.body or self.request.method in {"POST", "PUT", "PATCH"} else None

    def _passed_on(self) -> HTTPHeaders:
        headers = self.request.headers.copy()
        for name in [name for name in headers if name.lower() in NOT_PASSED_ON]:
            del headers[name]
        headers["X-Forwarded-For"] = str(self.request.remote_ip)
        return headers

    def _answer(self, answer: Any) -> None:
        if answer.code == 599:  # noqa: PLR2004 -- tornado's own: nobody answered
            self.send_error(502)
            return
        self.set_status(answer.code, answer.reason)
        self.clear_header("Content-Type")
        for name, value in answer.headers.get_all():
            if name.lower() not in NOT_PASSED_ON:
                self.add_header(name, value)
        if answer.code != 304:  # noqa: PLR2004
            self.finish(answer.body or b"")
        else:
            self.finish()


def open_gate(open_ways: tuple[Way, ...], address: str, port: int, most_bytes: int) -> HTTPServer:
    """Listen at ``address:port``; a request of more than ``most_bytes`` is refused before it is read."""
    app = Application([(r".*", Gate, {"open_ways": open_ways})])
    server = HTTPServer(app, max_body_size=most_bytes, max_buffer_size=most_bytes, xheaders=False)
    server.listen(port, address=address)
    return server


def _client() -> AsyncHTTPClient:
    return AsyncHTTPClient(max_clients=CLIENTS, max_body_size=MOST_ANSWER_BYTES, max_buffer_size=MOST_ANSWER_BYTES)


def serve(
    open_ways: tuple[Way, ...], address: str, port: int, most_bytes: int, beside: Callable[[], Awaitable[object]] | None
) -> None:
    """Keep the gate, and what is served ``beside`` it, open until the process is asked to end."""
    loop = IOLoop.current()
    open_gate(open_ways, address, port, most_bytes)
    if beside is not None:
        loop.run_sync(beside)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: loop.add_callback_from_signal(loop.stop))
    loop.start()
