"""The intake's HTTP: parse, one call, render. Errors are JSON in both languages, with what was got and expected."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from grader.blobs import DiskFullError
from grader.receipt import sign
from grader.refusal import Refused
from grader.submission import learner_items, receipt_of

if TYPE_CHECKING:
    from grader.desk import Desk
    from grader.submission import Attempt, Item

log = logging.getLogger(__name__)


def intake_pages(desk: Desk) -> Blueprint:
    """The routes of the intake."""
    pages = Blueprint("intake", __name__)

    def learner() -> str:
        return desk.learner(request.headers.get("Authorization", ""))

    @pages.get("/api/labs")
    def labs() -> Response:
        return jsonify(labs=_labs(desk, learner()))

    @pages.get("/api/courses/<course>/labs/<lab>/release")
    def release(course: str, lab: str) -> Response:
        fetched = desk.fetch(course, lab, learner())
        answer = Response(fetched.content, mimetype="application/zip")
        answer.headers["X-Reelwright-Version"] = fetched.version
        answer.headers["X-Reelwright-Digest"] = fetched.digest
        return answer

    @pages.post("/api/courses/<course>/labs/<lab>/submissions")
    def hand_in(course: str, lab: str) -> tuple[Response, int]:
        who = learner()
        receipt = receipt_of(desk.hand_in(course, lab, who, request.get_data(cache=False)))
        return jsonify(receipt=asdict(receipt), signature=sign(receipt, desk.receipt_key)), 201

    @pages.get("/api/courses/<course>/labs/<lab>/submissions")
    def submissions(course: str, lab: str) -> Response:
        who = learner()
        desk.window(course, lab, who)
        return jsonify(submissions=[_attempt(one) for one in desk.store.attempts(course, lab, who)])

    @pages.get("/api/compute")
    def compute() -> Response:
        return jsonify(dict(desk.compute_of(learner())))

    @pages.get("/api/submissions/<submission_id>/feedback")
    def feedback(submission_id: str) -> Response:
        return Response(desk.feedback(submission_id, learner()), mimetype="application/zip")

    return pages


def _labs(desk: Desk, learner: str) -> list[dict[str, Any]]:
    listed = []
    for course, lab, title_zh, title_en in desk.labs_of(learner):
        version = desk.store.current_lab_version(course, lab)
        window = desk.window_of(course, lab, learner)
        if version is None or window is None:
            continue
        listed.append(
            {
                "course": course,
                "lab": lab,
                "version": version,
                "title": {"zh": title_zh, "en": title_en},
                **asdict(window),
                "attempts_allowed": desk.rules_of(course, lab).attempts,
                "attempts_used": desk.store.attempts_used(course, lab, learner),
            }
        )
    return listed


def _attempt(attempt: Attempt) -> dict[str, Any]:
    submission, result = attempt.submission, attempt.result
    items = learner_items(result, hand_released=attempt.hand_released) if result else ()
    late = result.late_percent if result else 0.0
    return {
        "id": submission.id,
        "attempt": submission.attempt,
        "sha256": submission.sha256,
        "received_us": submission.received_us,
        "late_us": submission.late_us,
        "late_percent": late,
        "state": submission.state,
        "reason": {"zh": submission.reason_zh, "en": submission.reason_en},
        "score": sum(item.score or 0.0 for item in items) * (1 - late / 100) if result else None,
        "max_score": result.max_score if result else None,
        "items": [_item(item) for item in items],
        "feedback": result is not None,
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "title": item.title,
        "score": item.score,
        "max_score": item.max_score,
        "kind": item.kind,
        "reason": {"zh": item.reason_zh, "en": item.reason_en},
    }


def render_errors(app: Flask) -> None:
    """Answer every failure of ``app`` as JSON that a client can show to the learner."""
    app.register_error_handler(Refused, _error)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(DiskFullError, _disk_full)
    app.register_error_handler(HTTPException, _not_ours)
    app.register_error_handler(Exception, _unexpected)


def _too_large(_error_of_werkzeug: RequestEntityTooLarge) -> tuple[Response, int]:
    return _error(
        Refused(
            413,
            "too_large",
            zh="提交的压缩包太大。请删掉生成的大文件后再提交。",
            en="What was handed in is too large. Delete large generated files, then submit again.",
            got=f"{request.content_length or 'more'} bytes",
            expected=f"at most {request.max_content_length} bytes",
        )
    )


def _disk_full(error: DiskFullError) -> tuple[Response, int]:
    log.error("the disk is full, a submission was not taken: %s", error)
    return _error(
        Refused(
            507,
            "disk_full",
            zh="服务器磁盘已满，这次提交没有收下，也不占用提交次数。请联系教师，稍后再交。",
            en="The server's disk is full: this was not taken, it costs no attempt. Tell your teacher and try later.",
        )
    )


def _not_ours(error: HTTPException) -> tuple[Response, int]:
    asked = f"{request.method} {request.path}"
    return _error(Refused(error.code or 500, "http", zh="没有这个地址，或不能这样请求。", en=error.name, got=asked))


def _unexpected(error: Exception) -> tuple[Response, int]:
    log.error("the intake failed at %s %s", request.method, request.path, exc_info=error)
    return _error(
        Refused(
            500,
            "ours",
            zh="服务器出了问题，这不是你的错，也不占用提交次数。请稍后再试。",
            en="The server failed. This is our fault and costs no attempt: try again later.",
        )
    )


def _error(refused: Refused) -> tuple[Response, int]:
    said = {
        "code": refused.code,
        "message": {"zh": refused.zh, "en": refused.en},
        "got": refused.got,
        "expected": refused.expected,
    }
    return jsonify(error=said), refused.status
