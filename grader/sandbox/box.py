"""Sandbox: the one interface to a box that runs code nobody trusts, and the choice of what builds it.

A box has no network, no secrets, its own process, mount, IPC and host name spaces, a throw-away home of limited size,
and reads the host's Python and nothing else of the host. Whoever starts a box talks to it in lines over two pipes and
believes nothing that comes back.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Self

from grader.verdict import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

Choice = Literal["auto", "bubblewrap", "unshare", "docker"]
Cause = Literal["died", "time", "cpu", "memory", "output", "start"]


@dataclass(frozen=True)
class Containers:
    """Which image the choice ``docker`` makes boxes of, and the daemon's address (empty: Docker's own choice)."""

    image: str = "reelwright/grader:0.1.0"
    host: str = ""


class SandboxUnavailable(Exception):  # noqa: N818  a state of the host
    """No sandbox can be built here; the message says what to install or allow."""


class BoxEnded(Exception):  # noqa: N818  an event
    """The box gives no more answers; ``cause`` says why."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"the box ended ({cause}) {detail}".strip())
        self.cause, self.detail = cause, detail


@dataclass(frozen=True)
class BoxPlan:
    """What runs in the box and what it sees."""

    role: Literal["runner", "checker", "opener"]
    limits: Limits
    read_only: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] | None = None
    preload: tuple[str, ...] = ()
    """Modules (or ``module:name``) that the notebook will import; a warm parent may load them before it forks."""
    gpu: str = ""
    """UUID of the GPU that is passed in; empty for none."""


class Box(Protocol):
    """A running box. Leaving the ``with`` block kills everything in it."""

    def make_ready(self) -> None:
        """Hand in the plan and wait until the program inside has shut the box and waits for its first line.

        Raises:
            BoxEnded: with cause ``start``: it did not come up.
        """

    def send(self, line: bytes, deadline: float) -> None:
        """Hand in one line (without its newline) before ``deadline`` (monotonic seconds).

        Raises:
            BoxEnded: it was not taken.
        """

    def receive(self, deadline: float) -> bytes:
        """Take one line before ``deadline`` (monotonic seconds).

        Raises:
            BoxEnded: none came.
        """

    def explained(self, ended: BoxEnded) -> BoxEnded:
        """``ended``, or out of memory where that is why something in the box died."""

    def end(self) -> None:
        """Have every process of the box end, without waiting for it; :meth:`kill` waits."""

    def kill(self) -> None:
        """End every process of the box and wait until none is left."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sandbox(Protocol):
    """Builds boxes."""

    name: str

    def start(self, plan: BoxPlan) -> Box:
        """Start a box; it comes up on its own until :meth:`Box.make_ready` is called."""


def open_sandbox(choice: Choice = "auto", *, warm: bool = True, containers: Containers | None = None) -> Sandbox:
    """The sandbox called ``choice``; ``auto`` takes bubblewrap, else unshare. Tries it out before it answers.

    With ``warm`` its boxes are forked from processes that have loaded the libraries before, as soon as there are such;
    ``containers`` says what ``docker`` makes them of, and those always start from nothing.

    Raises:
        SandboxUnavailable: it does not work on this host; the message says what to install. There is never silently
            none.
    """
    from grader.sandbox.bubblewrap import BubblewrapSandbox  # noqa: PLC0415  engines import this module
    from grader.sandbox.unshare import UnshareSandbox  # noqa: PLC0415
    from grader.sandbox.warm import WarmSandbox  # noqa: PLC0415

    engines: dict[str, type[BubblewrapSandbox | UnshareSandbox]] = {
        "bubblewrap": BubblewrapSandbox,
        "unshare": UnshareSandbox,
    }
    if choice == "docker":
        from grader.sandbox.container import ContainerSandbox  # noqa: PLC0415  its client takes a while to load

        return ContainerSandbox(containers or Containers())
    if choice != "auto" and choice not in engines:
        raise SandboxUnavailable(f"sandbox: got {choice!r}, expected one of auto, {', '.join(engines)}, docker")
    reasons = []
    for name in engines if choice == "auto" else [choice]:
        try:
            sandbox = engines[name]()
            with sandbox.start(BoxPlan("runner", Limits())) as box:
                box.make_ready()
        except (SandboxUnavailable, BoxEnded, OSError) as error:
            reasons.append(f"{name}: {error}")
        else:
            # As a plain user, bubblewrap nests two user name spaces; its inner one may not make what forks need.
            parents = UnshareSandbox if warm and os.getuid() != 0 and shutil.which("unshare") else type(sandbox)
            return WarmSandbox(sandbox, parents()) if warm else sandbox
    raise SandboxUnavailable(
        "submissions cannot be graded safely on this host. Install bubblewrap (apt install bubblewrap libseccomp2), or "
        "allow user name spaces (sysctl user.max_user_namespaces). Tried: " + "; ".join(reasons)
    )
