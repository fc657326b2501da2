"""The way out, from inside real labs: one whose profile lists a place, and one whose profile lists none."""

import contextlib
import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow]

FETCH = """
import json, ssl, sys, urllib.request
try:
    page = urllib.request.urlopen(sys.argv[1], timeout=20, context=ssl._create_unverified_context())
    print(json.dumps(page.read().decode()))
except OSError as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""
BORROW = """
import json, os, sys
os.environ["HTTPS_PROXY"] = sys.argv[2]
""" + FETCH.lstrip()


class Outside(http.server.BaseHTTPRequestHandler):
    """A place outside."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a place outside")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def outside(hub: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that the GPU profile lists, as a program in a lab would write it."""
    place = hub.platform.config.profiles["gpu-slice"].egress[0]
    both = tmp_path_factory.mktemp("outside") / "both.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=outside"]
    subprocess.run([*argv, "-keyout", both, "-out", both.with_suffix(".crt")], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both.with_suffix(".crt"), both)
    server = http.server.ThreadingHTTPServer(("0.0.0.0", place.port), Outside)  # noqa: S104
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://{place}/"
    with contextlib.suppress(OSError):
        server.shutdown()


@pytest.fixture(scope="module")
def listed(hub: Any) -> Iterator[Any]:
    yield hub.start_lab("ben", "first-take")
    hub.stop_lab("ben")


@pytest.fixture(scope="module")
def unlisted(hub: Any) -> Iterator[Any]:
    yield hub.start_lab("dan")
    hub.stop_lab("dan")


def test_an_ordinary_program_reaches_the_listed_place(hub: Any, listed: Any, outside: str) -> None:
    assert listed.tell(FETCH, outside) == "a place outside"
    log = (Path(hub.folder) / "gate.log").read_text()
    assert f"lease {listed.lease} reached {outside.split('/')[2]}" in log


def test_no_other_place_is_reached(hub: Any, listed: Any, outside: str) -> None:
    host = outside.split("/")[2].rsplit(":", 1)[0]
    at = hub.platform.addresses
    for place in ("other.example:443", "169.254.169.254:80", f"{host}:22", f"{host}:{at.hub}"):
        assert "403" in listed.tell(FETCH, f"https://{place}/"), place


def test_a_lab_without_a_list_has_no_way_out_even_with_anothers_lease(
    hub: Any, listed: Any, unlisted: Any, outside: str
) -> None:
    env = dict(pair.split("=", 1) for pair in listed.facts()["Config"]["Env"])
    own = dict(pair.split("=", 1) for pair in unlisted.facts()["Config"]["Env"])
    assert "HTTPS_PROXY" not in own
    assert unlisted.tell(FETCH, outside).startswith("URLError")
    assert "407" in unlisted.tell(BORROW, outside, env["HTTPS_PROXY"])
    borrowed = env["HTTPS_PROXY"].replace(str(listed.lease), str(unlisted.lease))
    assert "403" in unlisted.tell(BORROW, outside, borrowed)
    assert listed.tell(FETCH, outside) == "a place outside"
