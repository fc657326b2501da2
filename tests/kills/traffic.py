"""Learners who open and close their labs without end, whatever has just been killed; what is refused is tried again."""

from __future__ import annotations

import random
import threading
import time

import httpx


def run(api: str, token: str, learners: tuple[str, ...]) -> None:
    """One thread a learner, until the process is killed."""
    working = [threading.Thread(target=_learner, args=(api, token, learner), daemon=True) for learner in learners]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()


def _learner(api: str, token: str, name: str) -> None:
    dice = random.Random(name)  # noqa: S311 -- how long a session lasts, not which secret
    with httpx.Client(base_url=api, headers={"Authorization": f"token {token}"}, timeout=30, trust_env=False) as hub:
        while True:
            try:
                _step(hub, name, dice)
            except (httpx.HTTPError, ValueError):
                time.sleep(0.2)


def _step(hub: httpx.Client, name: str, dice: random.Random) -> None:
    seen = hub.get(f"/users/{name}")
    if seen.status_code == httpx.codes.NOT_FOUND:
        hub.post(f"/users/{name}")
    server = seen.json().get("servers", {}).get("")
    if server is None:
        hub.post(f"/users/{name}/server", json={"course": "small", "lab": "one"})
    elif server["ready"]:
        time.sleep(dice.uniform(0, 1.5))
        hub.delete(f"/users/{name}/server")
    time.sleep(0.1)
