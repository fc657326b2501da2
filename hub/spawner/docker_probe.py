"""Tries from inside a container whether the host is closed to labs, where the firewall is an administrator's to set.

A hub without root can neither set the rules nor list them. It can do what a learner could: a container with a lab's
walls, on the labs' network, knocks at a door that this process holds open on every address of the host.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hub.spawner import docker_box, docker_network
from hub.spawner.docker_network import NetworkRefused

if TYPE_CHECKING:
    from docker import APIClient

    from hub.spawner.docker_settings import DockerSettings

MEMORY_MB = 256
WAIT_SECONDS = 60
OPEN, CLOSED = "open", "closed"
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
    print("open")
except OSError:
    print("closed")
"""


def ensure_closed(client: APIClient, settings: DockerSettings, *, has_egress: bool) -> None:
    """Knock once from a container.

    Raises:
        NetworkRefused: the host answered, or nothing can be said; the message has the rules to set.
        DockerException, requests.RequestException: the daemon does not answer, or has no such image.
    """
    said = knock(client, settings)
    if said != CLOSED:
        why = "the host is open to labs" if said == OPEN else f"the walls cannot be tried ({said})"
        rules = docker_network.script(settings, has_egress=has_egress)
        raise NetworkRefused(f"{why}; docker.firewall is 'given', so as root run these lines:\n{rules}")


def knock(client: Any, settings: DockerSettings) -> str:
    """What a lab's container finds at the gateway's address: ``open`` or ``closed``, or what went wrong."""
    walls = docker_box.host_options(settings, MEMORY_MB)
    host = client.create_host_config(**walls, mem_limit=MEMORY_MB << 20, network_mode=settings.network)
    networks = client.create_networking_config({settings.network: client.create_endpoint_config()})
    with socket.create_server(("0.0.0.0", 0)) as door:  # noqa: S104 -- what labs must not reach
        made = client.create_container(
            settings.image, ["python", "-c", KNOCK, settings.gateway, str(door.getsockname()[1])],
            name=f"reelwright-probe-{uuid4()}", user="1000:1000", labels=docker_box.instance_label(settings),
            host_config=host, networking_config=networks,
        )  # fmt: skip
        try:
            client.start(made["Id"])
            client.wait(made["Id"], timeout=WAIT_SECONDS)
            return str(client.logs(made["Id"]).decode(errors="replace").strip()) or "it said nothing"
        finally:
            client.remove_container(made["Id"], force=True)
