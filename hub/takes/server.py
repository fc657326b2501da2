"""A take server: keeps a model warm on its GPU, draws one take after another, charges each by its own seconds.

A take's lease is opened before it is drawn and ended when it is done, whatever comes of it; heartbeats bound the error
when the server is killed; whoever finds its job silent settles the lease and puts the job back into the queue, once.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from hub.compute.lease import MICRO, AllowanceExhausted, LeaseRequest, LedgerError
from hub.takes.job import RECENT_US
from labs.language import LabError
from labs.model import open_model
from labs.takes.generate import draw_film, parameters
from labs.takes.pipeline import has_gpu, load

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from pathlib import Path

    from hub.compute.ledger import Ledger
    from hub.takes.job import Job
    from hub.takes.store import TakeStore
    from labs.model.profile import TakeProfile

SOURCE = "take-server"
SILENT_US = 60 * MICRO
"""A server that has not moved on for so long is gone: a single step takes less."""
MOST_TRIES = 2
LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)


class StoppedDrawing(Exception):  # noqa: N818 -- it names what happened
    """The job was cancelled, lost, or took longer than was held for it."""


class TakeServer:
    """Draws what the queue holds for its profiles, one take at a time."""

    def __init__(
        self, store: TakeStore, ledger: Ledger, profiles: Mapping[str, TakeProfile], *, models: Path, folder: Path
    ) -> None:
        self._store, self._ledger = store, ledger
        self._profiles = {name: profile for name, profile in profiles.items() if profile.where == "shared"}
        self._models, self._folder = models, folder

    def warm(self) -> None:
        """Load the model before anybody waits for it.

        Raises:
            ModelError: its folder is missing, incomplete or altered.
        """
        for profile in self._profiles.values():
            load(open_model(self._models / profile.model), profile, on_gpu=has_gpu())

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set; a take that is being drawn is finished first."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while not stop.is_set():
            self.tidy()
            if not self.serve_one():
                stop.wait(LOOK_SECONDS)

    def serve_one(self) -> bool:
        """Draw the next take; False when nobody waits."""
        job = self._store.claim(self._profiles, _now_us())
        if job is None:
            return False
        try:
            lease = self._opened(job)
        except LedgerError as error:
            zh = error.in_locale("zh_CN") if isinstance(error, AllowanceExhausted) else "此镜头无法计费，未生成"
            self._store.fail(job, zh, str(error))
            return True
        self._drawn(job, lease)
        return True

    def tidy(self) -> int:
        """Settle what lost servers left, and drop films of yesterday; returns how many jobs were found lost."""
        now_us, lost = _now_us(), 0
        for job in self._store.silent(now_us - SILENT_US):
            if job.lease is not None:
                self._ledger.record_lost(job.lease, SOURCE, "the take server was lost", SILENT_US)
            if job.fence < MOST_TRIES:
                self._store.again(job)
            else:
                self._store.fail(
                    job, "生成服务器两次中断，请稍后再试", "the take server was lost twice; try again later"
                )
            lost += 1
        for job_id in self._store.drop_before(now_us - RECENT_US):
            self._film(str(job_id)).unlink(missing_ok=True)
        return lost

    def _opened(self, job: Job) -> LeaseRequest:
        order, now_us = job.order, _now_us()
        request = LeaseRequest(
            id=uuid4(), learner=order.learner, course=order.course, lab=order.lab, cohort=order.cohort,
            site=order.site, profile=order.profile, longest_us=order.longest_us, requested_us=now_us,
        )  # fmt: skip
        self._ledger.open(request)
        if not self._store.lease(job, request.id):
            self._ledger.void(request.id, "cancelled before it was drawn")
            raise LedgerError("cancelled")
        self._ledger.record_started(request.id, _now_us(), SOURCE)
        return request

    def _drawn(self, job: Job, lease: LeaseRequest) -> None:
        began = time.monotonic_ns() // 1000
        reason = "done"
        try:
            record = self._draw(job, lease, began)
        except StoppedDrawing as error:
            reason = str(error)
            self._store.fail(job, "生成超过了为它预留的时间，已停止", reason, _since(began))
        except LabError as error:
            reason = error.words.en
            self._store.fail(job, error.words.zh, error.words.en, _since(began))
        except Exception as error:
            # One take's trouble (a full GPU) must not end the server that all labs wait for.
            log.exception("take %s could not be drawn", job.order.id)
            reason = type(error).__name__
            why = f"it broke while drawing ({reason}); ask for fewer frames or steps"
            self._store.fail(job, "生成时出错，请减少帧数或步数再试", why, _since(began))
        else:
            self._store.finish(job, record, _since(began))
        self._ledger.record_ended(lease.id, _now_us(), SOURCE, reason, measured_us=_since(began))

    def _draw(self, job: Job, lease: LeaseRequest, began: int) -> str:
        order, profile = job.order, self._profiles[job.order.profile]
        folder = open_model(self._models / profile.model)
        asked = parameters(folder, frames=order.frames, fps=order.fps, steps=order.steps, guidance=order.guidance)

        def on_step(step: int) -> None:
            now_us = _now_us()
            self._ledger.heartbeat(lease.id, now_us, SOURCE)
            if not self._store.beat(job, step, now_us):
                raise StoppedDrawing("cancelled")
            if _since(began) > order.longest_us:
                raise StoppedDrawing(f"it took longer than the {order.longest_us // MICRO} s that were held for it")

        _, record = draw_film(
            folder,
            profile,
            order.prompt,
            order.seed,
            asked,
            self._film(str(order.id)),
            on_gpu=has_gpu(),
            on_step=on_step,
        )
        return record.model_dump_json()

    def _film(self, name: str) -> Path:
        return self._folder / f"{name}.mp4"


def _now_us() -> int:
    return time.time_ns() // 1000


def _since(began_us: int) -> int:
    """Microseconds since a moment of the clock that is never stepped."""
    return time.monotonic_ns() // 1000 - began_us
