"""What becomes of a lab's wish for a take, step by step, apart from how it is asked over HTTP."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from hub.compute.lease import MICRO, MINUTE_US, NoPriceError, format_yuan
from hub.takes.job import Order, TakeRefused
from labs.language import LabError
from labs.model import open_model
from labs.takes.generate import parameters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from hub.compute.lease import Lease
    from hub.compute.ledger import Ledger
    from hub.reclaim.sessions import Sessions
    from hub.takes.job import Job
    from hub.takes.store import TakeStore
    from labs.model.profile import TakeProfile

AMPLE, SPARE_SECONDS = 4, 30
"""A take may use so many times what its profile says it usually takes, and so many seconds beside."""


class TakeDesk:
    """Takes wishes for takes in; ``folder`` holds the films until they are fetched, ``servers`` is how many draw."""

    def __init__(
        self,
        store: TakeStore,
        ledger: Ledger,
        sessions: Sessions,
        profiles: Mapping[str, TakeProfile],
        *,
        models: Path,
        folder: Path,
        servers: int,
    ) -> None:
        self._store, self._ledger, self._sessions = store, ledger, sessions
        self._profiles, self._models, self._folder, self._servers = profiles, models, folder, servers

    def ask(self, order_id: UUID, learner: str, asked: Mapping[str, Any]) -> Job:
        """Put a wish into the queue, for the lab that runs now.

        Raises:
            TakeRefused: no lab runs, no such profile, what is asked for cannot be drawn or cannot be paid.
        """
        lease = self._sessions.running(learner)
        if lease is None:
            raise TakeRefused(409, "no_session", "没有正在运行的实验。", "No lab of yours is running.")
        name, profile = asked["profile"], self._profiles.get(asked["profile"])
        if profile is None or profile.where != "shared" or not self._servers:
            raise TakeRefused(
                409, "no_profile", f"这里没有为 {name!r} 服务的生成服务器，请用 profile='cpu'。",
                f"No take server here serves {name!r}; ask for profile='cpu'.",
            )  # fmt: skip
        wanted = self._settled(profile, asked)
        self._affordable(lease, name, wanted)
        return self._store.ask(
            Order(
                id=order_id, learner=learner, course=lease.course, lab=lease.lab, cohort=lease.cohort, site=lease.site,
                profile=name, prompt=asked["prompt"], seed=asked["seed"], asked_us=self._sessions.clock(), **wanted,
            )
        )  # fmt: skip

    def job(self, job_id: UUID, learner: str) -> Job | None:
        """A learner's own job."""
        return self._store.job(job_id, learner)

    def cancel(self, job: Job) -> bool:
        """Take a job out of the queue, or stop it."""
        return self._store.cancel(job.order.id, job.order.learner)

    def place(self, job: Job) -> tuple[int, float]:
        """How many come before it, and how many seconds that may take."""
        if job.state != "waiting":
            return 0, 0.0
        ahead = self._store.ahead(job.order, self._sessions.clock())
        profile = self._profiles.get(job.order.profile)
        each = profile.seconds if profile else 0.0
        return len(ahead), each * math.ceil(len(ahead) / max(1, self._servers))

    def film(self, job_id: UUID) -> Path:
        """Where the film of a job lies once it is done."""
        return self._folder / f"{job_id}.mp4"

    def record(self, job: Job) -> dict[str, Any] | None:
        """The provenance of a job that is done."""
        return json.loads(job.record) if job.record else None

    def _settled(self, profile: TakeProfile, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            folder = open_model(self._models / profile.model)
            chosen = parameters(folder, **{name: asked[name] for name in ("frames", "fps", "steps", "guidance")})
        except LabError as error:
            raise TakeRefused(400, "bad_take", error.words.zh, error.words.en) from error
        clip = folder.manifest.clip
        work = chosen.frames * chosen.steps / (clip.frames * clip.steps)
        longest = min(profile.longest_seconds, math.ceil(AMPLE * profile.seconds * work) + SPARE_SECONDS)
        settled = {"frames": chosen.frames, "fps": chosen.fps, "steps": chosen.steps, "guidance": chosen.guidance}
        return {**settled, "longest_us": longest * MICRO}

    def _affordable(self, lease: Lease, name: str, wanted: Mapping[str, Any]) -> None:
        minutes = math.ceil(wanted["longest_us"] / MINUTE_US)
        try:
            needed_uy = self._ledger.quote(
                lease.learner, lease.course, name, minutes, self._sessions.clock(), site=lease.site
            ).total_uy
        except NoPriceError as error:
            raise TakeRefused(503, "no_price", f"{name} 尚未定价。", f"{name} has no price yet.") from error
        left_uy = self._ledger.account(lease.learner, lease.course).left_uy
        if needed_uy > left_uy:
            needed, left, size = format_yuan(needed_uy), format_yuan(left_uy), (wanted["frames"], wanted["steps"])
            raise TakeRefused(
                409,
                "allowance",
                f"算力额度不足：{size[0]} 帧、{size[1]} 步的镜头最多可能用 {needed} 元，剩余 {left} 元；"
                "请减少帧数或步数，或请教师追加额度。",
                f"The allowance does not cover it: one of {size[0]} frames and {size[1]} steps may use {needed} yuan, "
                f"{left} yuan are left; ask for fewer frames or steps, or for a larger allowance.",
            )
