"""Examines what an instance needs, and says how to mend what is missing; changes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from hub import addresses, models, prepare
from hub.compute.dated import PolicyError
from hub.compute.policy import load_policy
from hub.course import CourseError
from hub.finding import Finding
from hub.spawner import box

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.platform import Platform

OLDEST_NODE = 20


def examine(platform: Platform) -> tuple[Finding, ...]:
    """Examine everything; each check answers by itself, so one failure hides no other."""
    checks: tuple[Callable[[Platform], Finding], ...] = (
        _python,
        _node,
        _proxy,
        _disk,
        _port,
        _courses,
        _prices,
        _model,
    )
    return (*(check(platform) for check in checks), *_engine(platform))


def render(findings: tuple[Finding, ...], *, as_json: bool) -> str:
    """The findings as lines for a person, or as one JSON object."""
    if as_json:
        return json.dumps({"held": all(f.held for f in findings), "findings": [asdict(f) for f in findings]})
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.held else 'MEND'} {finding.name}: {finding.found}")
        if not finding.held:
            lines.append(f"     {finding.mend}")
    return "\n".join(lines)


def _python(_platform: Platform) -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info[:2] == (3, 11), found, "install Python 3.11 and run `make setup` with it")


def _node(_platform: Platform) -> Finding:
    program = shutil.which("node")
    if program is None:
        return Finding("node", held=False, found="not installed", mend=f"install Node {OLDEST_NODE} or newer")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = int(said.lstrip("v").split(".")[0] or 0)
    return Finding("node", major >= OLDEST_NODE, said, f"install Node {OLDEST_NODE} or newer")


def _proxy(_platform: Platform) -> Finding:
    try:
        return Finding("proxy", held=True, found=prepare.proxy_program()[0])
    except prepare.NotReady as error:
        return Finding("proxy", held=False, found="not installed", mend=str(error))


def _engine(platform: Platform) -> tuple[Finding, ...]:
    if platform.config.engine == "docker":
        from hub import doctor_docker  # noqa: PLC0415 -- only hosts with Docker need its client

        return doctor_docker.examine(platform)
    found = box.strength()
    mend = (
        "install bubblewrap (Debian: apt-get install bubblewrap); without it learners' labs can read each other's files"
    )
    return (Finding("isolation of labs", found != "none", found, mend),)


def _prices(platform: Platform) -> Finding:
    rules, now_us = platform.config.policy, time.time_ns() // 1000
    try:
        prices = load_policy(rules.tariffs, rules.subsidies).prices
    except PolicyError as error:
        return Finding("prices", held=False, found=str(error), mend="mend the rules file it names")
    unpriced = [name for name in platform.config.profiles if prices.price_at(name, now_us) is None]
    found = f"no price for {', '.join(unpriced)}" if unpriced else "every profile has one"
    return Finding("prices", not unpriced, found, f"add a price to {rules.tariffs}")


def _disk(platform: Platform) -> Finding:
    folder = platform.config.data_dir if platform.config.data_dir.is_dir() else platform.config.data_dir.parent
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= prepare.LEAST_FREE_BYTES, f"{free >> 20} MiB free", f"free space under {folder}")


def _port(platform: Platform) -> Finding:
    server = platform.config.server
    running = platform.addresses_file.is_file() and not addresses.is_free(
        addresses.LOOPBACK, platform.addresses.proxy_api
    )
    held = running or addresses.is_free(server.bind, server.port)
    found = f"{server.bind}:{server.port} " + ("is ours" if running else "is free" if held else "is taken")
    return Finding("port", held, found, "stop the program that listens there, or set server.port")


def _courses(platform: Platform) -> Finding:
    try:
        return Finding("courses", held=True, found=", ".join(course.id for course in platform.courses))
    except CourseError as error:
        return Finding("courses", held=False, found=str(error), mend="mend the course folder")


def _model(platform: Platform) -> Finding:
    digest = models.model_digest(platform.config.models_dir)
    mend = "`reelwright run` makes it; or: python -m labs.model.make var/models/house"
    return Finding("house model", digest is not None, digest or "not there", mend)
