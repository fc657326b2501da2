"""Signing in through a real JupyterHub: OAuth there and back, signing out, and answers nobody asked for."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from flask.sessions import SecureCookieSessionInterface
from werkzeug.serving import make_server

from hub.portal.app import PortalServices, create_app
from hub.portal.session import HubSignIn, StopError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PROXY = ROOT / "node_modules" / ".bin" / "configurable-http-proxy"
HUB_TOKEN = "a" * 64
TESTER_TOKEN = "b" * 64
LAB = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()


at = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
HTTPServer((at.hostname, at.port), Answer).serve_forever()
"""
CONFIG = """
import sys

import hub.traits

c.JupyterHub.bind_url = "{site}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.Spawner.cmd = [sys.executable, "{lab}"]
c.JupyterHub.services = [
    {{"url": "{portal}", "api_token": "{token}", **hub.traits.PORTAL}},
    {{"name": "tester", "api_token": "{tester}"}},
]
c.JupyterHub.load_roles = [
    next(role for role in hub.traits._roles(()) if role["name"] == "user"),
    {{"name": "test", "scopes": ["servers", "list:users", "read:users"], "services": ["tester"]}},
]
"""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_until_up(address: str, hub: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert hub.poll() is None, "the hub ended"
        try:
            if httpx.get(f"{address}/hub/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the hub did not answer within a minute")


@pytest.fixture
def site(school: Any, tmp_path: Path) -> Iterator[str]:
    """A hub behind its proxy, with the portal as a service; the address people type."""
    front, hub_port, api = _free_ports(3)
    address = f"http://127.0.0.1:{front}"
    services = PortalServices(
        school.people,
        school.ledger,
        school.submissions,
        school.certificates,
        school.sessions,
        school.tokens,
        school.footage,
    )
    sign_in = HubSignIn(api_url=f"http://127.0.0.1:{hub_port}/hub/api", api_token=HUB_TOKEN, prefix="/services/portal/")
    clock = {"clock": lambda: school.now_us}
    app = school.app = create_app(services, session=sign_in, courses=(school.course,), config=school.config, **clock)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    portal = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "lab.py").write_text(LAB, encoding="utf-8")
    settings = CONFIG.format(
        site=address, hub=hub_port, proxy=PROXY, api=api, portal=portal, token=HUB_TOKEN, tester=TESTER_TOKEN,
        lab=tmp_path / "lab.py",
    )  # fmt: skip
    (tmp_path / "jupyterhub_config.py").write_text(settings, encoding="utf-8")
    log = (tmp_path / "hub.log").open("wb")
    hub = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub"],
        cwd=tmp_path,
        stdout=log,
        stderr=log,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        _wait_until_up(address, hub)
        yield address
    finally:
        hub.terminate()
        hub.wait(20)
        server.shutdown()
        log.close()


def _sign_in(browser: httpx.Client, name: str) -> httpx.Response:
    page = browser.get("/services/portal/compute?lang=en")
    assert urlsplit(str(page.url)).path == "/hub/login"
    token = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.text)
    assert token
    form = {"username": name, "password": "any", "_xsrf": token[1]}
    return browser.post(str(page.url), data=form)


def test_signing_in_and_out_with_the_hub(site: str) -> None:
    with httpx.Client(base_url=site, follow_redirects=True, timeout=30) as browser:
        # 1. The hub asks who it is, and sends the person on to the page they wanted.
        page = _sign_in(browser, "liming")
        assert page.status_code == 200
        assert urlsplit(str(page.url)).path == "/services/portal/compute"
        assert "李明" in page.text

        # 2. An answer this browser never asked for changes nothing.
        forged = browser.get("/services/portal/oauth_callback?code=x&state=y", follow_redirects=False)
        assert forged.status_code == 503
        assert "Signing in did not work" in forged.text
        assert browser.get("/services/portal/compute").status_code == 200

        # 3. A cookie somebody else made up signs nobody in.
        with httpx.Client(base_url=site, cookies={"reelwright-portal": "eyJ0b2tlbiI6ImEifQ.x.y"}) as other:
            assert "/hub/api/oauth2/authorize" in other.get("/services/portal/").headers["location"]

        # 4. Signing out of the hub signs out here, at once.
        browser.get("/hub/logout")
        again = browser.get("/services/portal/compute", follow_redirects=False)
        assert again.status_code == 302
        assert "/hub/api/oauth2/authorize" in again.headers["location"]

    # 5. A hub user whom no roster knows gets no further than that page.
    with httpx.Client(base_url=site, follow_redirects=True, timeout=30) as browser:
        page = _sign_in(browser, "passer-by")
    assert page.status_code == 403
    assert "no class and no role is known" in page.text


def _runs(hub_api: httpx.Client, name: str) -> bool:
    server = hub_api.get(f"/users/{name}").json()["servers"].get("")
    return bool(server and server["ready"])


def _start(hub_api: httpx.Client, name: str) -> None:
    assert hub_api.post(f"/users/{name}/server").status_code in {201, 202}
    for _ in range(300):
        if _runs(hub_api, name):
            return
        time.sleep(0.1)
    raise AssertionError("the lab did not start within half a minute")


def _token_of(school: Any, browser: httpx.Client) -> str:
    """The token in the portal's cookie, read with the portal's own key."""
    cookie = next(c.value for c in browser.cookies.jar if c.name == "reelwright-portal")
    return str(SecureCookieSessionInterface().get_signing_serializer(school.app).loads(cookie)["token"])


def test_a_lab_is_stopped_with_the_persons_own_token_which_can_do_nothing_else(school: Any, site: str) -> None:
    school.worked("liming", "script-to-shots", 20, ended=False)
    tester = httpx.Client(base_url=f"{site}/hub/api", headers={"Authorization": f"token {TESTER_TOKEN}"}, timeout=30)
    with httpx.Client(base_url=site, follow_redirects=True, timeout=30) as browser, tester:
        for name in ("zhanghua", "liming"):
            _sign_in(browser, name)
            browser.get("/hub/logout")
            _start(tester, name)
        _sign_in(browser, "liming")

        # 1. The token that the portal holds says who it is, opens the portal, and stops this person's server.
        mine = {"Authorization": f"token {_token_of(school, browser)}"}
        with httpx.Client(base_url=f"{site}/hub/api", headers=mine) as theirs:
            assert set(theirs.get("/user").json()["scopes"]) == {
                "access:services!service=portal",  # this, name and groups are in every token of a service
                "delete:servers!user=liming",
                "read:users:groups!user=liming",
                "read:users:name!user=liming",
            }
            assert theirs.delete("/users/zhanghua/server").status_code in {403, 404}
            assert theirs.post("/users/liming/server").status_code == 403

        # 2. The button stops the server; until the ledger has its end, the page waits for it.
        page = browser.get("/services/portal/compute?lang=en").text
        form = dict(re.findall(r'name="(form_token|lease)" value="([^"]+)"', page))
        answer = browser.post("/services/portal/compute", data=form)
        assert answer.status_code == 200
        assert "The lab is being stopped." in answer.text
        assert not _runs(tester, "liming")
        assert _runs(tester, "zhanghua")

        # 3. Where nothing runs any more, a second press does no harm; then the ledger has the end.
        assert "The lab is being stopped." in browser.post("/services/portal/compute", data=form).text
        school.end("liming")
        assert "The lab has stopped." in browser.get(str(answer.url)).text
        tester.delete("/users/zhanghua/server")


def test_a_hub_that_is_away_is_said_to_be(school: Any) -> None:
    (nowhere,) = _free_ports(1)
    sign_in = HubSignIn(api_url=f"http://127.0.0.1:{nowhere}/hub/api", api_token=HUB_TOKEN, prefix="/services/portal/")
    with school.app.test_request_context(), pytest.raises(StopError) as refused:
        sign_in.stop_server("liming")
    assert refused.value.status is None
