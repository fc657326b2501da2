"""The inner end of a box's two pipes: one JSON object a line. Imports nothing but the standard library."""

from __future__ import annotations

import json
import os
from typing import Any

MAX_LINE_BYTES = 64 << 20
"""The longest line that the host takes."""

ASK, OPEN, COPY = b"A", b"O", b"C"
"""How the checker's lines begin that are for somebody else: the learner's box, the opener, whoever makes copies. They
are carried on unread; its answers, which begin with a brace, are for the host itself."""


class PipeClosed(BaseException):
    """The other side is gone."""


class Pipe:
    """Speaks with whoever started the box."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._reader = os.fdopen(read_fd, "rb", buffering=1 << 16)
        self._write_fd = write_fd
        # Bound now: code in the box may replace the module's functions later, by accident too.
        self._dumps, self._loads, self._write = json.dumps, json.loads, os.write

    def receive_line(self) -> bytes:
        """The next line as bytes.

        Raises:
            PipeClosed: the other side is gone.
        """
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise PipeClosed
        return line

    def receive(self) -> dict[str, Any]:
        """The next message.

        Raises:
            PipeClosed: the other side is gone.
        """
        message: dict[str, Any] = self._loads(self.receive_line())
        return message

    def send(self, message: dict[str, Any], kind: bytes = b"") -> None:
        """Write ``message`` as one line that begins with ``kind``."""
        self.send_line(kind + self._dumps(message).encode())

    def send_line(self, line: bytes) -> None:
        """Write ``line`` and a newline."""
        rest = memoryview(line + b"\n")
        while rest:
            rest = rest[self._write(self._write_fd, rest) :]

    def close(self) -> None:
        """Let go of both ends."""
        self._reader.close()
        os.close(self._write_fd)
