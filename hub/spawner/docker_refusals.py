"""What Docker says when a start fails, in words for the person who waits; Docker's own words go to the log only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from hub.door.refusal import StartRefused

if TYPE_CHECKING:
    from hub.door.refusal import Words

ASK = (
    "请稍后再试；仍不行请告知管理员。已预留的额度已退回。",
    "Try again later; if it stays so, tell your administrator. The compute held for it has been given back.",
)
ENGINE_DOWN: Words = ("实验引擎暂时没有应答。", "The lab engine does not answer at the moment.")
IMAGE_MISSING: Words = ("此实验的镜像不在服务器上。", "The image of this lab is not on the server.")
NETWORK_MISSING: Words = ("实验网络尚未建立。", "The labs' network is not set up.")
GPU_REFUSED: Words = ("服务器未能交出所分配的 GPU。", "The server could not hand over the GPU that was assigned.")
DISK_FULL: Words = ("服务器磁盘已满。", "The server's disk is full.")
FAILED: Words = ("实验环境未能启动。", "The lab did not start.")
SLOW: Words = ("实验环境未能在规定时间内启动。", "The lab did not start in the time it has.")
OUT_OF_MEMORY: Words = (
    "实验环境启动时内存不足，已被结束。",
    "The lab used more memory than it has while starting, and was ended.",
)
ENDED: Words = ("实验环境启动后随即结束。", "The lab ended while it was starting.")


def engine_refusal(error: Exception) -> StartRefused:
    """A refusal for what the daemon, or the way to it, answered."""
    label, why = _reason(error)
    return StartRefused(why, label=label, remedy=ASK, status_code=503)


def ended_refusal(*, out_of_memory: bool) -> StartRefused:
    """A refusal for a container that ended before its server answered."""
    why, label = (OUT_OF_MEMORY, "out-of-memory") if out_of_memory else (ENDED, "ended-early")
    return StartRefused(why, label=label, remedy=ASK, status_code=503)


def slow_refusal() -> StartRefused:
    """A refusal for a server that did not answer in time."""
    return StartRefused(SLOW, label="timeout", remedy=ASK, status_code=503)


def _reason(error: Exception) -> tuple[str, Words]:
    said = str(error).lower()
    if isinstance(error, ImageNotFound) or "no such image" in said:
        return "image", IMAGE_MISSING
    if isinstance(error, NotFound) and "network" in said:
        return "network", NETWORK_MISSING
    if isinstance(error, APIError):
        # The daemon has one status for everything that the runtime refused; only its words tell them apart.
        if "device driver" in said or "nvidia" in said:
            return "gpu", GPU_REFUSED
        return ("disk", DISK_FULL) if "no space left" in said else ("engine", FAILED)
    if isinstance(error, requests.exceptions.RequestException | DockerException):
        return "engine-down", ENGINE_DOWN
    return "engine", FAILED
