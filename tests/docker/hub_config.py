"""The configuration file of the hub under test: the platform's own, with Docker as the engine and a service for us."""

import json
import os

from hub.compute.gpu.slice import GpuSettings
from hub.compute.gpu.store import Pool
from hub.config import Config
from hub.platform import Platform
from hub.spawner.docker import DockerLab
from hub.spawner.docker_settings import DockerSettings
from hub.traits import configure

c = get_config()  # type: ignore[name-defined]  # noqa: F821 -- traitlets gives it to configuration files

config = Config.load()
configure(c, config)
platform = Platform(config)
settings = DockerSettings.model_validate(json.loads(os.environ["TEST_DOCKER_SETTINGS"]))
pool = Pool(platform.engine, GpuSettings())
c.JupyterHub.spawner_class = type("Lab", (DockerLab,), {"platform": platform, "settings": settings, "pool": pool})
# The hub waits for every service that it is told of; only the intake runs here.
running = [service for service in c.JupyterHub.services if "url" not in service or service["name"] == "intake"]
c.JupyterHub.services = [*running, {"name": "tester", "api_token": os.environ["TEST_TOKEN"]}]
names = {service["name"] for service in running}
c.JupyterHub.load_roles = [role for role in c.JupyterHub.load_roles if set(role.get("services", ())) <= names]
c.JupyterHub.load_roles.append(
    {"name": "tester", "scopes": ["admin:users", "admin:servers", "access:servers", "proxy"], "services": ["tester"]}
)
c.JupyterHub.log_level = "INFO"
