"""The labs' network and its walls: labs reach neither each other nor the internet nor the host, only the gate.

Docker makes the bridge (``internal``: no way out; no traffic between containers). What Docker leaves open is the host
itself: every service that listens on all addresses. The firewall closes it, in a chain of its own that is replaced in
one step, so there is no moment without it. Both are checked by :func:`problems`, which changes nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

if TYPE_CHECKING:
    from docker import APIClient

    from hub.spawner.docker_settings import DockerSettings

BRIDGE_NAME = "com.docker.network.bridge.name"
BETWEEN_CONTAINERS = "com.docker.network.bridge.enable_icc"
BRIDGED_IS_FILTERED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class NetworkRefused(Exception):  # noqa: N818 -- it names the fact
    """The labs' network cannot be used as it is; the message says what was found and how to mend it."""


def ensure_network(client: APIClient, settings: DockerSettings) -> None:
    """Make the network when it is missing.

    Raises:
        NetworkRefused: there is one of this name that is not walled in as ours is.
        DockerException: the daemon does not answer, or refuses.
    """
    try:
        found = client.inspect_network(settings.network)
    except NotFound:
        pool = IPAMPool(subnet=str(settings.subnet), gateway=settings.gateway)
        client.create_network(
            settings.network, driver="bridge", internal=True, check_duplicate=True, enable_ipv6=False,
            options={BRIDGE_NAME: settings.bridge, BETWEEN_CONTAINERS: "false"}, ipam=IPAMConfig(pool_configs=[pool]),
        )  # fmt: skip
        return
    if differs := _differences(found, settings):
        raise NetworkRefused(
            f"network {settings.network}: {'; '.join(differs)}. Stop the labs, then remove it: "
            f"docker network rm {settings.network}"
        )


def ensure_firewall(settings: DockerSettings, *, has_egress: bool = False) -> None:
    """Put the firewall's rules in place, in one step each for IPv4 and IPv6; needs root.

    Raises:
        NetworkRefused: the rules cannot be set; the message has them, for an administrator to set by hand.
    """
    for program, text in (
        ("iptables", ipv4_rules(settings, has_egress=has_egress)),
        ("ip6tables", ipv6_rules(settings)),
    ):
        _restore(program, text)
        for hook in ("INPUT", "FORWARD"):
            _jump(program, settings, hook)


def remove(client: APIClient, settings: DockerSettings) -> None:
    """Take the firewall's rules and the network away again, when no lab runs any more.

    Raises:
        DockerException: the daemon does not answer, or labs still run in the network.
    """
    client.remove_network(settings.network)
    chain = chain_name(settings)
    for program in filter(None, map(_program, ("iptables", "ip6tables"))):
        for hook in ("INPUT", "FORWARD"):
            subprocess.run([program, "--wait", "-D", hook, "-j", chain], capture_output=True, check=False)
        for verb in ("-F", "-X"):
            subprocess.run([program, "--wait", verb, chain], capture_output=True, check=False)


def ipv4_rules(settings: DockerSettings, *, has_egress: bool) -> str:
    """The whole chain, in the form that iptables-restore reads; the way out has a door only when it is used."""
    chain, bridge = chain_name(settings), settings.bridge
    doors = [settings.gate_port, *([settings.egress_port] if has_egress else [])]
    return "\n".join(
        [
            "*filter",
            f":{chain} - [0:0]",
            f"-A {chain} ! -i {bridge} ! -o {bridge} -j RETURN",
            f"-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED ! -o {bridge} -j ACCEPT",
            *[f"-A {chain} -i {bridge} -d {settings.gateway} -p tcp --dport {door} -j ACCEPT" for door in doors],
            f"-A {chain} -j REJECT",
            "COMMIT",
            "",
        ]
    )


def ipv6_rules(settings: DockerSettings) -> str:
    """Nothing passes: labs have no IPv6."""
    chain, bridge = chain_name(settings), settings.bridge
    lines = ["*filter", f":{chain} - [0:0]", f"-A {chain} ! -i {bridge} ! -o {bridge} -j RETURN"]
    return "\n".join([*lines, f"-A {chain} -j REJECT", "COMMIT", ""])


def script(settings: DockerSettings, *, has_egress: bool) -> str:
    """All of it as a shell script, for an administrator to run as root; running it again changes nothing."""
    lines, chain = [], chain_name(settings)
    for program, rules in (
        ("iptables", ipv4_rules(settings, has_egress=has_egress)),
        ("ip6tables", ipv6_rules(settings)),
    ):
        lines.append(f"{program}-restore --wait --noflush <<'RULES'\n{rules}RULES")
        for hook in ("INPUT", "FORWARD"):
            jump = f"{hook} -j {chain}"
            lines.append(f"{program} --wait -C {jump} 2>/dev/null || {program} --wait -I {hook} 1 -j {chain}")
    return "\n".join(lines)


def chain_name(settings: DockerSettings) -> str:
    """One chain a bridge, so that two instances on one host do not undo each other's."""
    return f"REELWRIGHT-{settings.bridge}"


def problems(client: APIClient, settings: DockerSettings) -> tuple[str, ...]:
    """What is wrong with the walls, each with how to mend it; nothing when they hold. Changes nothing.

    Raises:
        DockerException, requests.RequestException: the daemon does not answer.
    """
    try:
        found = client.inspect_network(settings.network)
    except NotFound:
        return (f"network {settings.network} is missing; `reelwright run` makes it",)
    said = list(_differences(found, settings))
    if BRIDGED_IS_FILTERED.is_file() and BRIDGED_IS_FILTERED.read_text(encoding="ascii").strip() != "1":
        said.append("packets inside a bridge pass the firewall by: sysctl net.bridge.bridge-nf-call-iptables=1")
    if settings.firewall == "given":
        return tuple(said)  # only root may list rules; docker_probe tries what they do
    said += [
        f"{program}: no jump from {hook} to {chain_name(settings)}; run `reelwright run` as root"
        for program in ("iptables", "ip6tables")
        for hook in ("INPUT", "FORWARD")
        if not _jumps(program, settings, hook)
    ]
    return tuple(said)


def _differences(found: dict[str, Any], settings: DockerSettings) -> list[str]:
    options = found.get("Options") or {}
    pools = [pool.get("Subnet") for pool in (found["IPAM"]["Config"] or [])]
    expected: dict[str, tuple[Any, Any]] = {
        "internal": (found["Internal"], True),
        "traffic between containers": (options.get(BETWEEN_CONTAINERS), "false"),
        "bridge": (options.get(BRIDGE_NAME), settings.bridge),
        "subnets": (pools, [str(settings.subnet)]),
    }
    return [f"{what}: got {got!r}, expected {want!r}" for what, (got, want) in expected.items() if got != want]


def _restore(program: str, text: str) -> None:
    restore = _program(f"{program}-restore")
    if restore is None:
        raise NetworkRefused(f"{program} is not installed, so the host cannot be closed to labs; install iptables")
    done = subprocess.run([restore, "--wait", "--noflush"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NetworkRefused(f"{restore}: {done.stderr.strip()}; as root, feed it these lines:\n{text}")


def _jump(program: str, settings: DockerSettings, hook: str) -> None:
    if not _jumps(program, settings, hook):
        line = [_program(program) or program, "--wait", "-I", hook, "1", "-j", chain_name(settings)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NetworkRefused(f"{' '.join(line)}: {done.stderr.strip()}; run it as root")


def _jumps(program: str, settings: DockerSettings, hook: str) -> bool:
    found = _program(program)
    line = [found or program, "--wait", "-C", hook, "-j", chain_name(settings)]
    return found is not None and subprocess.run(line, capture_output=True, check=False).returncode == 0


def _program(name: str) -> str | None:
    # An ordinary user's search path, and that of many services, leaves out where Debian puts these.
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))
