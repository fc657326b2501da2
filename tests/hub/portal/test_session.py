"""Signing in through a real JupyterHub: OAuth there and back, signing out, and answers nobody asked for."""

from __future__ import annotations

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
from werkzeug.serving import make_server

from hub.portal.app import PortalServices, create_app
from hub.portal.session import HubSignIn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PROXY = Path(__file__).parents[3] / "node_modules" / ".bin" / "configurable-http-proxy"
HUB_TOKEN = "a" * 64
CONFIG = """
c.JupyterHub.bind_url = "{site}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "portal", "url": "{portal}", "api_token": "{token}", "oauth_no_confirm": True}}]
c.JupyterHub.load_roles = [{{"name": "user", "scopes": ["self", "access:services!service=portal"]}}]
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
    services = PortalServices(school.people, school.ledger, school.submissions, school.certificates)
    sign_in = HubSignIn(api_url=f"http://127.0.0.1:{hub_port}/hub/api", api_token=HUB_TOKEN, prefix="/services/portal/")
    app = create_app(services, session=sign_in, courses=(school.course,), config=school.config)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    portal = f"http://127.0.0.1:{server.server_port}"
    settings = CONFIG.format(site=address, hub=hub_port, proxy=PROXY, api=api, portal=portal, token=HUB_TOKEN)
    (tmp_path / "jupyterhub_config.py").write_text(settings, encoding="utf-8")
    log = (tmp_path / "hub.log").open("wb")
    hub = subprocess.Popen([sys.executable, "-m", "jupyterhub"], cwd=tmp_path, stdout=log, stderr=log)
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
