"""Labs' door to the take servers over HTTP: ask, look how far it is, fetch the film, cancel. All input is hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, jsonify, request, send_file
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grader.refusal import Refused
from hub.takes.job import TakeRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.takes.desk import TakeDesk
    from hub.takes.job import Job

MOST_PROMPT_CHARACTERS = 2_000


class Asked(BaseModel):
    """What a lab asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    profile: str = Field(max_length=63)
    prompt: str = Field(min_length=1, max_length=MOST_PROMPT_CHARACTERS)
    seed: int = Field(ge=0, lt=2**63)
    frames: int | None = Field(default=None, ge=1, le=100_000)
    fps: int | None = Field(default=None, ge=1, le=60)
    steps: int | None = Field(default=None, ge=1, le=100)
    guidance: float | None = Field(default=None, ge=0, le=20, allow_inf_nan=False)


def take_pages(desk: TakeDesk, learner: Callable[[str], str]) -> Blueprint:
    """The routes; ``learner`` gives the person of an Authorization header or refuses."""
    pages = Blueprint("takes", __name__)

    def who() -> str:
        return learner(request.headers.get("Authorization", ""))

    def mine(take: str) -> Job:
        job = desk.job(_id(take), who())
        if job is None:
            raise Refused(404, "no_take", zh="没有这个镜头。", en="There is no such take of yours.")
        return job

    @pages.post("/api/takes")
    def ask() -> tuple[Response, int]:
        name = who()
        try:
            job = desk.ask(uuid4(), name, _asked(request.get_data(cache=False)).model_dump())
        except TakeRefused as error:
            raise Refused(error.status, error.code, zh=error.zh, en=error.en) from error
        return jsonify(_told(desk, job)), 201

    @pages.get("/api/takes/<take>")
    def look(take: str) -> Response:
        return jsonify(_told(desk, mine(take)))

    @pages.get("/api/takes/<take>/film")
    def film(take: str) -> Response:
        job = mine(take)
        file = desk.film(job.order.id)
        if job.state != "done" or not file.is_file():
            raise Refused(404, "no_film", zh="这个镜头的影片不在了。", en="The film of this take is not there.")
        return send_file(file, mimetype="video/mp4")

    @pages.delete("/api/takes/<take>")
    def cancel(take: str) -> tuple[Response, int]:
        job = mine(take)
        return jsonify(cancelled=desk.cancel(job)), 200

    return pages


def _asked(content: bytes) -> Asked:
    try:
        return Asked.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "JSON"
        raise Refused(
            400, "bad_take", zh="看不懂要生成的镜头。", en="What was asked of the take server cannot be read.",
            got=f"{where}: {problem.get('input')!r}"[:120], expected=problem["msg"],
        ) from error  # fmt: skip


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused(404, "no_take", zh="没有这个镜头。", en="There is no such take of yours.") from error


def _told(desk: TakeDesk, job: Job) -> dict[str, Any]:
    ahead, wait_seconds = desk.place(job)
    return {
        "id": str(job.order.id),
        "state": job.state,
        "ahead": ahead,
        "wait_seconds": wait_seconds,
        "step": job.step,
        "steps": job.order.steps,
        "why": {"zh": job.why_zh, "en": job.why_en},
        "record": desk.record(job),
    }
