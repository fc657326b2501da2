"""Lines over two pipes, capped and never waited for past a deadline: the host's end of a box."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import time

from grader.sandbox.box import BoxEnded
from grader.sandbox.pipe import MAX_LINE_BYTES

_CHUNK = 1 << 20
_OVER = b'{"over"'


class Channel:
    """One conversation with one process. Everything received is bytes nobody has looked at."""

    def __init__(self, write_fd: int, read_fd: int, cpu_seconds: float = math.inf) -> None:
        self._write_fd, self._read_fd = write_fd, read_fd
        self._cpu_seconds = cpu_seconds
        os.set_blocking(self._write_fd, False)
        os.set_blocking(self._read_fd, False)
        self._buffer = bytearray()
        self._searched = 0

    def close(self) -> None:
        """Let go of both ends."""
        for descriptor in {self._write_fd, self._read_fd}:
            os.close(descriptor)

    def send(self, line: bytes, deadline: float) -> None:
        """Write ``line`` and a newline before ``deadline`` (monotonic seconds).

        Raises:
            BoxEnded: the other side took no more in time, or is gone.
        """
        rest = memoryview(line + b"\n")
        while rest:
            self._wait(self._write_fd, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._write_fd, rest[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise BoxEnded("died") from error

    def receive(self, deadline: float) -> bytes:
        """The next line that is not empty, read before ``deadline`` (monotonic seconds).

        Raises:
            BoxEnded: nothing came in time, the other side is gone, or the line is too long.
        """
        while not (line := self._line(deadline)):
            continue
        if line.startswith(_OVER):
            raise self._how_it_ended(line)
        return line

    def _line(self, deadline: float) -> bytes:
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if len(self._buffer) > MAX_LINE_BYTES:
                raise BoxEnded("output", f"a line of more than {MAX_LINE_BYTES} bytes")
            self._wait(self._read_fd, select.POLLIN, deadline)
            try:
                chunk = os.read(self._read_fd, _CHUNK)
            except BlockingIOError:
                continue
            except OSError as error:
                raise BoxEnded("died") from error
            if not chunk:
                raise BoxEnded("died")
            self._buffer += self._said(chunk)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _how_it_ended(self, line: bytes) -> BoxEnded:
        """From the last words of the box; whoever forges them only ends their own conversation."""
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            code, seconds = json.loads(line)["over"]
            if code == -signal.SIGXCPU or (code == -signal.SIGKILL and seconds >= self._cpu_seconds):
                return BoxEnded("cpu")
        return BoxEnded("died")

    def _said(self, chunk: bytes) -> bytes:
        """What of ``chunk`` the box said."""
        return chunk

    @staticmethod
    def _wait(descriptor: int, event: int, deadline: float) -> None:
        poller = select.poll()
        poller.register(descriptor, event)
        left = deadline - time.monotonic()
        # Whoever never stops talking is out of time all the same.
        if left <= 0 or not poller.poll(left * 1000):
            raise BoxEnded("time")
