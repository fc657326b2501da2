"""Turns our Config into JupyterHub's traits. Sets, never appends; decides nothing that Config does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hub.door
from hub.platform import Platform
from hub.spawner.engine import engine_of

if TYPE_CHECKING:
    from hub.config import Config
    from hub.course import Course

SUPERVISOR = "supervisor"
CULLER = "idle-culler"

PORTAL = {
    "name": "portal",
    "oauth_no_confirm": True,
    # The one thing that the portal does as the person: stopping their own lab.
    "oauth_client_allowed_scopes": ["delete:servers!user"],
}


def configure(c: Any, config: Config) -> None:
    """Set every trait that Reelwright decides on JupyterHub's configuration object ``c``."""
    platform = Platform(config)
    _hub(c, platform)
    _proxy(c, platform)
    _labs(c, platform)
    c.JupyterHub.services = _services(platform)
    c.JupyterHub.load_roles = _roles(platform.courses)
    hub.door.apply(c, database_url=config.database_url, locale=config.site.locale)


def hub_database_url(config: Config) -> str:
    """Share our PostgreSQL database with JupyterHub's own tables; on SQLite give them a file of their own."""
    if config.database_url.startswith("sqlite"):
        return f"sqlite:///{config.data_dir / 'jupyterhub.sqlite'}"
    return config.database_url


def _hub(c: Any, platform: Platform) -> None:
    config = platform.config
    c.JupyterHub.bind_url = f"http://{config.server.bind}:{config.server.port}/"
    c.JupyterHub.hub_bind_url = platform.addresses.url("hub")
    c.JupyterHub.public_url = config.server.public_url
    c.JupyterHub.db_url = hub_database_url(config)
    c.JupyterHub.cookie_secret = bytes.fromhex(platform.secrets.text("hub-cookie"))
    c.JupyterHub.default_url = "/services/portal/"
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.allow_named_servers = False
    c.JupyterHub.admin_access = False
    if config.server.domain:
        c.JupyterHub.subdomain_host = f"https://{config.server.domain}"


def _proxy(c: Any, platform: Platform) -> None:
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = platform.addresses.url("proxy_api")
    c.ConfigurableHTTPProxy.auth_token = platform.secrets.text("proxy-token")
    c.Proxy.extra_routes = {"/certs/": platform.addresses.url("certs"), "/api/": platform.addresses.url("portal")}


def _labs(c: Any, platform: Platform) -> None:
    engine = engine_of(platform)
    c.JupyterHub.spawner_class = engine.lab_class()
    if warning := engine.warning():
        c.JupyterHub.template_vars = {"announcement": warning}
    c.Spawner.disable_user_config = True
    c.Spawner.env_keep = []
    c.Spawner.default_url = "/lab"
    c.Spawner.options_from_form = "simple"
    c.Spawner.server_token_scopes = [
        "users:activity!user", "access:servers!server", "access:services!service=intake",
    ]  # fmt: skip
    c.Spawner.apply_user_options = _options_are_read_at_start
    c.Spawner.start_timeout = engine.start_seconds
    c.Spawner.http_timeout = 90
    c.Spawner.poll_interval = 10


def _options_are_read_at_start(_spawner: Any, _options: dict[str, Any]) -> None:
    """Options set no attribute: the spawner parses them itself, and a refusal then reaches the person."""


# Services run under our supervisor, not the hub: a hub ends when a service that it manages ends.
def _services(platform: Platform) -> list[dict[str, Any]]:
    at, token = platform.addresses, platform.secrets.text
    services: list[dict[str, Any]] = [
        {"url": at.url("portal"), "api_token": token("portal-token"), **PORTAL},
        {"name": "intake", "url": at.url("intake"), "api_token": token("intake-token")},
        {"name": SUPERVISOR, "api_token": token("supervisor-token")},
        {"name": CULLER, "api_token": token("culler-token")},
        *[_formgrader(platform, index, course) for index, course in enumerate(platform.courses)],
    ]
    return [{**service, "display": False} for service in services]


def _formgrader(platform: Platform, index: int, course: Course) -> dict[str, Any]:
    name = f"formgrader-{course.id}"
    token = platform.secrets.text(f"{name}-token")
    return {"name": name, "url": platform.addresses.formgrader(index), "api_token": token, "oauth_no_confirm": True}


def _roles(courses: tuple[Course, ...]) -> list[dict[str, Any]]:
    everyone = ["self", "access:services!service=portal", "access:services!service=intake"]
    culler = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    roles: list[dict[str, Any]] = [
        {"name": "user", "scopes": everyone},
        {"name": "supervisor", "scopes": ["proxy", "read:hub"], "services": [SUPERVISOR]},
        {"name": CULLER, "scopes": culler, "services": [CULLER]},
    ]
    for course in courses:
        service = f"formgrader-{course.id}"
        access = [f"access:services!service={service}"]
        roles.append({"name": f"grade-{course.id}", "scopes": access, "groups": [f"formgrade-{course.id}"]})
        reads = ["list:users", "read:users:groups", "list:services", "read:services"]
        roles.append({"name": f"run-{service}", "scopes": reads, "services": [service]})
    return roles
