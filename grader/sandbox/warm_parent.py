"""The warm parent: a process in walls of its own that has loaded what notebooks import, and forks a child for each box.

It never runs a learner's or a lab's code and never reads a plan but its own, so every child begins from the same
pristine memory. A child gets name spaces, folders and a network of its own before it does anything else.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from grader.sandbox import huge_pages, jail
from grader.sandbox.pipe import Pipe

_FIRST_OWN_DESCRIPTOR = 3
_MOST_DESCRIPTORS = 512
_KIB = 1024
_OUR_OWN = {
    "runner": ("grader.sandbox.runner", "grader.sandbox.kernel", "numpy"),
    "checker": ("grader.check.examiner", "numpy"),
    "opener": ("grader.sandbox.opener", "numpy", "PIL.Image", "PIL.PngImagePlugin"),
}


def become_a_child(pipe: Pipe, plan: dict[str, Any]) -> tuple[Pipe, dict[str, Any]]:
    """Load everything, say so, and fork for whoever asks; returns only in the children, with their pipe and plan."""
    for name in (*_OUR_OWN[plan["role"]], *plan["preload"]):
        # What is not installed, the notebook will miss by itself.
        with contextlib.suppress(Exception):
            _load(name)
    if plan["role"] == "runner" and any(map(_makes_films, plan["preload"])):
        for folder in plan["models"]:
            _load_classes(folder)
    if plan["role"] == "runner":
        importlib.import_module("grader.sandbox.kernel").rehearse()
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        # Such threads would be lost in a fork, and would keep this process from ending of itself.
        sys.stderr.write("a preloaded module has started threads, so nothing is forked from here\n")
        sys.stderr.flush()
        os._exit(1)
    gc.collect()
    gc.freeze()
    huge_pages.collapse()
    _try_out()
    pipe.send({"ready": True})
    pipe.close()
    _fork_for_each(socket.socket(fileno=os.dup(0)))
    pipe = Pipe(os.dup(0), os.dup(1))
    plan = pipe.receive()
    jail.renew(plan["disk_mb"], plan["shown"])
    _seed_anew()
    return pipe, plan


def _load(name: str) -> None:
    module, _, part = name.partition(":")
    loaded = importlib.import_module(module)
    if part and not hasattr(loaded, part):
        importlib.import_module(f"{module}.{part}")


def _try_out() -> None:
    """Fork once for nothing: where that is not allowed, it is to be known before anybody relies on it."""
    child = jail.fork_into_new_pids()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def private_bytes() -> int:
    """How much private memory this process holds already, as the limit on data counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * _KIB
    return 0


def _makes_films(name: str) -> bool:
    """Whether the module ``name``, or one beside it in its package, imports diffusers, late as it may be."""
    module = sys.modules.get(name)
    file = Path(getattr(module, "__file__", None) or "/nowhere")
    beside = file.parent.glob("*.py") if file.name == "__init__.py" else [file]
    return any(b"import diffusers" in code or b"from diffusers" in code for code in map(_read, beside))


def _read(file: Path) -> bytes:
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""


def _load_classes(folder: str) -> None:
    """Import the classes that the diffusers pipelines below ``folder`` are made of, as their index names them."""
    for index in (*Path(folder).glob("model_index.json"), *Path(folder).glob("*/model_index.json")):
        with contextlib.suppress(Exception):
            made_of = json.loads(index.read_text())
            getattr(importlib.import_module("diffusers"), made_of["_class_name"])
            for entry in made_of.values():
                if isinstance(entry, list) and entry[0] in ("diffusers", "transformers"):
                    getattr(importlib.import_module(entry[0]), entry[1])


def _fork_for_each(line: socket.socket) -> None:
    """Fork once for each set of descriptors that comes; returns in the child, ends the process when nobody asks."""
    signal.signal(signal.SIGCHLD, lambda _number, _frame: _bury())
    while True:
        asked, descriptors, _, _ = socket.recv_fds(line, 1, 3)
        if not asked:
            os._exit(0)
        # A child that ended and was buried before its descriptor is taken could not be found any more.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        try:
            child = jail.fork_into_new_pids()
        except OSError:
            line.send(b"x")
            child = -1
        if child == 0:
            _take_over(descriptors)
            line.detach()
            return
        _answer(line, child)
        for descriptor in descriptors:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _answer(line: socket.socket, child: int) -> None:
    if child > 0:
        held = os.pidfd_open(child)
        socket.send_fds(line, [b"f"], [held])
        os.close(held)


def _bury() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _take_over(descriptors: list[int]) -> None:
    """Be the child: its own three descriptors, nothing else of the parent's."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(_FIRST_OWN_DESCRIPTOR, _MOST_DESCRIPTORS)


def _seed_anew() -> None:
    """Seed the random generators that were seeded when their modules were imported: no two boxes draw the same."""
    random.seed()
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()
