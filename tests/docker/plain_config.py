"""The configuration file of the bench's peer: plain JupyterHub with plain DockerSpawner and the same image."""

import json
import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821 -- traitlets gives it to configuration files
told = json.loads(os.environ["TEST_PLAIN"])

c.JupyterHub.bind_url = f"http://127.0.0.1:{told['port']}/"
c.JupyterHub.hub_bind_url = f"http://{told['gateway']}:{told['hub_port']}/"
c.JupyterHub.db_url = "sqlite:///plain.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = told["proxy"]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{told['api_port']}"
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.client_kwargs = {"base_url": told["docker"]}
c.DockerSpawner.image = told["image"]
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.network_name = told["network"]
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.mem_limit = told["memory"]
c.DockerSpawner.cpu_limit = 1.0
c.JupyterHub.services = [{"name": "tester", "api_token": told["token"]}]
c.JupyterHub.load_roles = [{"name": "tester", "scopes": ["admin:users", "admin:servers"], "services": ["tester"]}]
