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
c.JupyterHub.services.append({"name": "tester", "api_token": os.environ["TEST_TOKEN"]})
c.JupyterHub.load_roles.append(
    {"name": "tester", "scopes": ["admin:users", "admin:servers", "access:servers", "proxy"], "services": ["tester"]}
)
c.JupyterHub.log_level = "INFO"
