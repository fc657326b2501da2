"""What the doctor asks of a host whose engine is Docker; changes nothing."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.compute.gpu.inventory import inventory
from hub.compute.gpu.slice import GpuError
from hub.finding import Finding
from hub.spawner import docker_network, docker_probe
from hub.spawner.docker_engine import missing_images
from hub.spawner.docker_reconcile import connect
from hub.spawner.docker_witness import UNREACHABLE, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient

    from hub.platform import Platform

OLDEST_DOCKER = (20, 10)
LEAST_FREE_BYTES = 5 << 30
"""What a dozen labs' volumes, logs and the next image need."""
MOST_APART_US = 2_000_000
LIMITS = {"MemoryLimit": "memory", "SwapLimit": "swap", "PidsLimit": "processes", "CpuCfsQuota": "CPU"}
NVIDIA_HOOK = "nvidia-container-runtime-hook"

Facts = dict[str, Any]


def examine(platform: Platform) -> tuple[Finding, ...]:
    """Examine daemon, limits, images, networks, GPU runtime, disk and clock; one finding alone when none answers."""
    mend = "start the daemon (systemctl start docker), or set docker.host to where it listens"
    try:
        client = connect(platform.config.docker)
        facts: Facts = client.info()
    except UNREACHABLE as error:
        return (Finding("docker daemon", held=False, found=f"does not answer: {error}", mend=mend),)
    checks: tuple[Callable[[Platform, APIClient, Facts], Finding], ...] = (
        _daemon, _live_restore, _limits, _images, _pinned, _networks, _gpus, _disk, _clock,
    )  # fmt: skip
    return tuple(check(platform, client, facts) for check in checks)


def _daemon(_platform: Platform, _client: APIClient, facts: Facts) -> Finding:
    version = str(facts["ServerVersion"])
    held = tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST_DOCKER
    return Finding("docker daemon", held, version, "install Docker 20.10 or newer")


def _live_restore(_platform: Platform, _client: APIClient, facts: Facts) -> Finding:
    mend = (
        'put "live-restore": true into /etc/docker/daemon.json and reload the daemon; else its restart ends every lab'
    )
    held = bool(facts.get("LiveRestoreEnabled"))
    return Finding("labs outlive the daemon", held, "live-restore is " + ("on" if held else "off"), mend)


def _limits(_platform: Platform, _client: APIClient, facts: Facts) -> Finding:
    missing = [word for key, word in LIMITS.items() if not facts.get(key)]
    if not any("seccomp" in option for option in facts.get("SecurityOptions") or []):
        missing.append("system calls (seccomp)")
    mend = "use a kernel with these control groups and seccomp (swap on cgroup v1: boot with swapaccount=1)"
    return Finding("limits of labs", not missing, f"not limited: {', '.join(missing)}" if missing else "all", mend)


def _images(platform: Platform, client: APIClient, _facts: Facts) -> Finding:
    missing = missing_images(platform, client)
    found = f"not on the daemon: {', '.join(missing)}" if missing else "all there"
    return Finding("images", not missing, found, "run `make images`, and name what it prints in docker.image")


def _pinned(platform: Platform, _client: APIClient, _facts: Facts) -> Finding:
    config = platform.config
    wanted = {config.docker.image_for(profile.image) for profile in config.profiles.values()}
    loose = sorted(image for image in wanted if "sha256:" not in image)
    mend = "put the image's id or digest (sha256:…) in its place: a tag can be moved to other contents"
    return Finding("images are pinned", not loose, f"by tag only: {', '.join(loose)}" if loose else "all", mend)


def _networks(platform: Platform, client: APIClient, _facts: Facts) -> Finding:
    settings = platform.config.docker
    problems = list(docker_network.problems(client, settings))
    if not problems and settings.firewall == "given":
        try:
            docker_probe.ensure_closed(client, settings, has_egress=platform.config.has_egress)
        except (docker_network.NetworkRefused, *UNREACHABLE) as error:
            problems.append(str(error).split(";", maxsplit=1)[0])
    mend = (
        "`reelwright run` as root makes the network and its firewall; or run as root what `reelwright firewall` prints"
    )
    return Finding("walls of the labs' network", not problems, "; ".join(problems) or "they stand", mend)


def _gpus(platform: Platform, _client: APIClient, facts: Facts) -> Finding:
    name, config = "GPUs", platform.config
    wanted = {profile.gpu_class for profile in config.profiles.values() if profile.gpu_class}
    if not wanted:
        return Finding(name, held=True, found="no profile asks for one")
    try:
        there = {piece.gpu_class for piece in inventory(config.gpu)}
    except GpuError as error:
        return Finding(name, held=False, found=str(error), mend="install NVIDIA's driver, or name slices in gpu.slices")
    if missing := sorted(wanted - there):
        found = f"no slice of class {', '.join(missing)}; there are: {', '.join(sorted(there)) or 'none'}"
        return Finding(name, held=False, found=found, mend="name the class in gpu.classes, or change the profile")
    if "nvidia" not in (facts.get("Runtimes") or {}) and shutil.which(NVIDIA_HOOK) is None:
        mend = "install nvidia-container-toolkit and restart the daemon"
        return Finding(name, held=False, found="the daemon has no NVIDIA runtime", mend=mend)
    return Finding(name, held=True, found=", ".join(sorted(there)))


def _disk(_platform: Platform, _client: APIClient, facts: Facts) -> Finding:
    root = Path(facts["DockerRootDir"])
    if not root.is_dir():
        return Finding("docker's disk", held=True, found=f"{root} is on another machine; look there")
    free = shutil.disk_usage(root).free
    return Finding("docker's disk", free >= LEAST_FREE_BYTES, f"{free >> 20} MiB free", f"free space under {root}")


def _clock(_platform: Platform, client: APIClient, _facts: Facts) -> Finding:
    before = time.time_ns() // 1000
    theirs = microseconds(str(client.info()["SystemTime"])) or 0
    after = time.time_ns() // 1000
    apart = max(0, before - theirs, theirs - after)
    mend = "set both clocks by NTP: sessions are charged by the daemon's"
    return Finding("docker's clock", apart <= MOST_APART_US, f"{apart / 1e6:.1f} s from ours", mend)
