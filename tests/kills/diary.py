"""Stands in for JupyterLab behind a lab's walls: answers the hub, and writes down every moment at which it ran.

Standard library only, so that a thousand of them are cheap. Its diary is a witness that neither the engine nor the
ledger had a hand in: ``<home>/<lease>.diary`` holds the first moment, its modification time is the last one.
"""

import os
import pathlib
import signal
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

EVERY_SECONDS = 0.1
ANSWER = b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def write_diary() -> None:
    diary = pathlib.Path(os.environ["HOME"]) / f"{os.environ['REELWRIGHT_LEASE']}.diary"
    diary.write_text(str(time.time_ns() // 1000))
    while True:
        os.utime(diary)
        time.sleep(EVERY_SECONDS)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=write_diary, daemon=True).start()
    place = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    with socket.create_server((str(place.hostname), int(place.port or 0))) as listening:
        while True:
            caller, _ = listening.accept()
            with caller:
                caller.settimeout(2)
                caller.recv(65536)
                caller.sendall(ANSWER)


main()
