"""The configuration file of the hub under test: the platform's own, with a service for us beside it."""

import os

from hub.config import Config
from hub.traits import configure

c = get_config()  # type: ignore[name-defined]  # noqa: F821 -- traitlets gives it to configuration files

configure(c, Config.load())
# The hub waits for every service that it is told of; only the intake runs here.
running = [service for service in c.JupyterHub.services if "url" not in service or service["name"] == "intake"]
c.JupyterHub.services = [*running, {"name": "tester", "api_token": os.environ["TEST_TOKEN"]}]
names = {service["name"] for service in running}
c.JupyterHub.load_roles = [role for role in c.JupyterHub.load_roles if set(role.get("services", ())) <= names]
c.JupyterHub.load_roles.append(
    {"name": "tester", "scopes": ["admin:users", "admin:servers", "access:servers", "proxy"], "services": ["tester"]}
)
c.JupyterHub.log_level = "INFO"
