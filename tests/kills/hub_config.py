"""The configuration file of the hub that is killed: the platform's own, with cheap labs and a service for us."""

import os
import sys
from pathlib import Path
from typing import Any

from hub.config import Config
from hub.traits import configure
from tests.kills.fuse import LAID

c = get_config()  # type: ignore[name-defined]  # noqa: F821 -- traitlets gives it to configuration files
config = Config.load()
configure(c, config)
# The hub waits for every service that it is told of, and none of them runs here.
running = [service for service in c.JupyterHub.services if "url" not in service]
names = {service["name"] for service in running}
c.JupyterHub.services = [*running, {"name": "tester", "api_token": os.environ["TEST_TOKEN"]}]
c.JupyterHub.load_roles = [role for role in c.JupyterHub.load_roles if set(role.get("services", ())) <= names]
c.JupyterHub.load_roles.append(
    {"name": "tester", "scopes": ["admin:users", "admin:servers", "access:servers", "proxy"], "services": ["tester"]}
)
c.Spawner.poll_interval = 2

DIARY = Path(__file__).with_name("diary.py").read_text(encoding="utf-8")


class KilledLab(c.JupyterHub.spawner_class):  # type: ignore[misc]
    """The real spawner, each of whose steps can be the last; on engine local with the diary in place of JupyterLab."""

    def command(self) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", DIARY]

    async def start(self) -> Any:
        LAID.lay_here()
        return await super().start()

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 -- JupyterHub's signature
        LAID.lay_here()
        await super().stop(now)

    async def poll(self) -> int | None:
        LAID.lay_here()
        return await super().poll()


c.JupyterHub.spawner_class = KilledLab
