"""The learner's kernel in the box: an IPython shell whose every output is caught, capped and handed back."""

from __future__ import annotations

import base64
import contextlib
import errno
import linecache
import os
import sys
from pathlib import Path
from typing import Any, TextIO, cast

from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from grader.sandbox.references import readable_trace, without_colours

_MIME_TYPES = ("text/plain", "image/png")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_MOST_CAUSES = 5
_REHEARSED = ("1", "print(1)", "raise ValueError(1)", "def broken(:", "1", "print(1)")
_REHEARSAL_BYTES = 100_000
_CUT = "\n… [output cut: too long / 输出过长，已截断]\n"


def limit_met(error: BaseException | None) -> str | None:
    """Which of the box's limits ``error`` or what it came from tells of: disk, memory, processes, or none."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            return None
        number, words = getattr(error, "errno", None), str(error)[:500] if isinstance(error, Exception) else ""
        if number in _FULL:
            return "disk"
        if isinstance(error, MemoryError) or number == errno.ENOMEM or "t allocate memory" in words:
            return "memory"
        if number == errno.EAGAIN or "start new thread" in words:
            return "processes"
        error = error.__cause__ or error.__context__
    return None


class Outputs(list[dict[str, Any]]):
    """The outputs of one cell, in order, up to what is left of the notebook's allowance of bytes."""

    def __init__(self, allowance: int) -> None:
        super().__init__()
        self.left = allowance

    def stream(self, name: str, text: str) -> None:
        """Add ``text`` written to ``name`` (stdout or stderr)."""
        if self.left <= 0 or not text:
            return
        if len(text) > self.left:
            text = text[: self.left] + _CUT
        self.left -= len(text)
        if self and self[-1].get("name") == name:
            self[-1]["text"].append(text)
        else:
            super().append({"name": name, "text": [text]})

    def append(self, shown: dict[str, Any]) -> None:
        """Add something displayed: IPython's bundle of MIME types."""
        data = {}
        for mime in _MIME_TYPES:
            content = shown.get("data", {}).get(mime)
            if isinstance(content, bytes):
                content = base64.b64encode(content).decode()
            if isinstance(content, str) and len(content) <= self.left:
                data[mime] = content
                self.left -= len(content)
        if data:
            super().append({"data": data})

    def plain(self) -> list[dict[str, Any]]:
        """The outputs as JSON can carry them."""
        return [{**one, "text": "".join(one["text"])} if "name" in one else one for one in self]


class _Stream:
    encoding = "utf-8"
    errors = "replace"

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel, self._name = kernel, name

    def write(self, text: str) -> int:
        self._kernel.outputs.stream(self._name, str(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self._name == "stdout" else 2

    def writable(self) -> bool:
        return True


class _Shell(InteractiveShell):
    """IPython without history, colours or a terminal; tracebacks go to the cell's outputs."""

    box_kernel: Any = None

    def _tee(self, channel: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """IPython would copy every line into a history that nobody reads and nothing caps."""
        return contextlib.nullcontext()

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:  # noqa: ARG002  IPython's signature
        self.box_kernel.outputs.stream("stderr", without_colours(self.InteractiveTB.stb2text(stb)) + "\n")

    def ask_exit(self) -> None:
        """``exit`` in a notebook cell ends the cell, not the kernel."""


def _shell_settings() -> Config:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Context"
    return config


def _settle(shell: _Shell) -> None:
    """Let a shell that was made before the fork find itself where this process is."""
    here = Path.cwd()
    shell.starting_dir = str(here)
    shell.history_manager.dir_hist[:] = [here]
    Path(shell.profile_dir.location).mkdir(parents=True, exist_ok=True)
    shell.profile_dir.check_dirs()


def rehearse() -> None:
    """Make the shell and run some cells of our own that leave nothing behind: what is then loaded, every fork has.

    IPython loads much of itself when its first cell runs and when its first error is shown.
    """
    streams = sys.stdout, sys.stderr
    kernel = Kernel(_REHEARSAL_BYTES)
    for source in _REHEARSED:
        kernel.rehearse(source)
    sys.stdout, sys.stderr = streams
    for name in ("last_type", "last_value", "last_traceback"):
        sys.__dict__.pop(name, None)
    del kernel.shell.InteractiveTB.tb
    kernel.shell.compile = kernel.shell.compiler_class()
    linecache.clearcache()


class Kernel:
    """Runs cells one after the other in one namespace."""

    def __init__(self, output_bytes: int) -> None:
        self._process = os.getpid()
        self.outputs = Outputs(output_bytes)
        self.shell = _Shell.instance(config=_shell_settings())
        self.shell.box_kernel = self
        _settle(self.shell)
        self._publisher = CapturingDisplayPublisher(parent=self.shell)
        self.shell.display_pub = self._publisher
        sys.stdout = cast("TextIO", _Stream(self, "stdout"))
        sys.stderr = cast("TextIO", _Stream(self, "stderr"))
        self.names: dict[str, Any] = self.shell.user_ns

    def run(self, source: str) -> dict[str, Any]:
        """Run one cell; its outputs, and the limit that ended it (disk, memory, processes) or nothing."""
        self._catch_outputs()
        error = self._guarded(source)
        if os.getpid() != self._process:
            # A child the cell forked and let run on: it has no business on the pipe.
            os._exit(0)
        self._catch_strays()
        return {"outputs": self.outputs.plain(), "limit": limit_met(error)}

    def rehearse(self, source: str) -> None:
        """Run one cell that binds nothing, uncounted and unrecorded."""
        self._catch_outputs()
        self.shell.run_cell(source, store_history=False)
        self.shell.last_execution_result = None
        self.shell.last_execution_succeeded = True

    def _catch_outputs(self) -> None:
        self.outputs = Outputs(self.outputs.left)
        # IPython's type check wants a plain list here; ours is one with a cap.
        self._publisher.set_trait("outputs", [])
        self._publisher.publish = self._publish
        self.shell.displayhook = CapturingDisplayHook(shell=self.shell, outputs=self.outputs)
        self.shell.display_trap.hook = self.shell.displayhook

    def _publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        self.outputs.append({"data": data})

    def _guarded(self, source: str) -> BaseException | None:
        try:
            result = self.shell.run_cell(source, store_history=True)
        except BaseException as error:  # noqa: BLE001  whatever a cell raises, the next one still runs
            self.outputs.stream("stderr", readable_trace(error))
            return error
        found: BaseException | None = result.error_before_exec or result.error_in_exec
        return found

    def _catch_strays(self) -> None:
        """Take over what child processes wrote to file descriptors 1 and 2."""
        with contextlib.suppress(OSError):
            size = min(os.fstat(1).st_size, self.outputs.left)
            if size > 0:
                self.outputs.stream("stdout", os.pread(1, size, 0).decode("utf-8", "replace"))
            os.ftruncate(1, 0)

    def take_printed(self) -> str:
        """Take what the last request made the learner's code print, out of the way of the notebook's own outputs."""
        printed = "".join("".join(one["text"]) for one in self.outputs if one.get("name") == "stdout")
        self.outputs = Outputs(self.outputs.left)
        with contextlib.suppress(OSError):
            os.ftruncate(1, 0)
        return printed
