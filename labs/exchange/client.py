"""Asks the intake over HTTP with the learner's own JupyterHub token; a failure is a sentence a person can act on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from labs.exchange.answers import Attempts, IntakeError, Labs, OrderedTake, Refused, Session, SignedReceipt, Taken

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from labs.exchange.own_compute import OwnCompute

URL_VARIABLE = "REELWRIGHT_INTAKE_URL"
TOKEN_VARIABLE = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the variable's name, not a token
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
CONVERTING = httpx.Timeout(150.0, connect=5.0)
"""For an answer that has to be made first."""
MAX_ANSWER_BYTES = 256 * 1024 * 1024

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Release:
    """A lab as released: the zip's bytes, held against the digest the server announced."""

    version: str
    archive: bytes


class Intake:
    """The intake service as one learner sees it. Use it in a ``with`` block."""

    def __init__(self, base_url: str, token: str) -> None:
        # trust_env off: a proxy set for the learner's own downloads must not see the token.
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"token {token}"},
            timeout=TIMEOUT,
            trust_env=False,
        )

    @classmethod
    def from_environment(cls) -> Intake:
        """The intake named by REELWRIGHT_INTAKE_URL, with the token in JUPYTERHUB_API_TOKEN.

        Raises:
            IntakeError: one of the two is not set.
        """
        for variable in (URL_VARIABLE, TOKEN_VARIABLE):
            if not os.environ.get(variable):
                raise IntakeError(
                    f"环境变量 {variable} 未设置，无法连接作业服务；请从课程页面启动实验",
                    f"{variable} is not set, so the assignment service cannot be reached; "
                    "start the lab from your course page",
                )
        return cls(os.environ[URL_VARIABLE], os.environ[TOKEN_VARIABLE])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._http.close()

    def labs(self) -> Labs:
        """All labs the learner may see.

        Raises:
            IntakeError: as every method here, when the intake refuses, is away, or answers out of agreement.
        """
        return _parsed(Labs, self._ask("GET", "/api/labs"))

    def release(self, course: str, lab: str) -> Release:
        """The released files of a lab."""
        return self._files(f"/api/courses/{course}/labs/{lab}/release")

    def draft(self, course: str, lab: str, *, as_learner: bool = False) -> Release:
        """A lab in the making, whole; ``as_learner``: as learners would get it. For the course's instructors only."""
        path = f"/api/courses/{course}/drafts/{lab}"
        return self._files(f"{path}/as-learner", CONVERTING) if as_learner else self._files(path)

    def send_draft(self, course: str, lab: str, archive: bytes, *, base: str) -> Taken:
        """Send a lab in the making; ``base`` is the revision it began from, or ``any`` to replace whatever is there."""
        headers = {"Content-Type": "application/zip"}
        path = f"/api/courses/{course}/drafts/{lab}?base={base}"
        return _parsed(Taken, self._ask("PUT", path, content=archive, headers=headers))

    def _files(self, path: str, timeout: httpx.Timeout = TIMEOUT) -> Release:
        answer = self._ask("GET", path, timeout=timeout)
        announced = answer.headers.get("X-Reelwright-Digest", "")
        got = hashlib.sha256(answer.content).hexdigest()
        if got != announced:
            raise IntakeError(
                f"作业文件在传输中损坏（SHA-256 为 {got}，应为 {announced}）；请再取一次",
                f"the released files arrived damaged (SHA-256 is {got}, expected {announced}); fetch again",
            )
        return Release(answer.headers.get("X-Reelwright-Version", ""), answer.content)

    def submit(self, course: str, lab: str, archive: bytes) -> SignedReceipt:
        """Hand in an attempt and return its receipt."""
        answer = self._ask(
            "POST",
            f"/api/courses/{course}/labs/{lab}/submissions",
            content=archive,
            headers={"Content-Type": "application/zip"},
        )
        return _parsed(SignedReceipt, answer)

    def attempts(self, course: str, lab: str) -> Attempts:
        """All attempts at a lab, with scores and reasons where graded."""
        return _parsed(Attempts, self._ask("GET", f"/api/courses/{course}/labs/{lab}/submissions"))

    def own_compute(self) -> OwnCompute:
        """The learner's own accounts and sessions."""
        from labs.exchange.own_compute import OwnCompute  # noqa: PLC0415 - it reads through this module

        return _parsed(OwnCompute, self._ask("GET", "/api/compute"))

    def feedback(self, submission_id: str) -> bytes | None:
        """The feedback zip of a submission; None while it is not released."""
        try:
            return self._ask("GET", f"/api/submissions/{submission_id}/feedback").content
        except IntakeError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def session(self, unused_seconds: int) -> Session:
        """Tell when this lab was last used, and hear when it ends."""
        return _parsed(Session, self._ask("POST", "/api/session", json={"unused_seconds": unused_seconds}))

    def order_take(self, order: dict[str, Any]) -> OrderedTake:
        """Ask a take server for a take."""
        return _parsed(OrderedTake, self._ask("POST", "/api/takes", json=order))

    def ordered_take(self, take_id: str) -> OrderedTake:
        """How far a take is that was asked for."""
        return _parsed(OrderedTake, self._ask("GET", f"/api/takes/{take_id}"))

    def cancel_take(self, take_id: str) -> None:
        """Take it out of the queue, or stop it; one that is done already stays done."""
        self._ask("DELETE", f"/api/takes/{take_id}")

    def take_film(self, take_id: str) -> bytes:
        """The film of a take that is done."""
        return self._ask("GET", f"/api/takes/{take_id}/film").content

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        json: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> httpx.Response:
        try:
            with self._http.stream(
                method, path, content=content, json=json, headers=headers, timeout=timeout
            ) as answer:
                body = _bounded(answer.iter_bytes())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise IntakeError(
                f"连不上作业服务（{type(error).__name__}）；您的文件都还在，请稍后再试",
                f"the assignment service cannot be reached ({type(error).__name__}); "
                "all your files are still here, try again in a while",
            ) from error
        # The body is already decoded: these headers would have it decoded a second time.
        kept = [(k, v) for k, v in answer.headers.multi_items() if k not in ("content-encoding", "content-length")]
        whole = httpx.Response(answer.status_code, headers=kept, content=body, request=answer.request)
        if whole.is_success:
            return whole
        raise _refusal(whole)


def _bounded(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise IntakeError(
                f"作业服务的回答超过 {MAX_ANSWER_BYTES} 字节",
                f"the assignment service's answer is larger than {MAX_ANSWER_BYTES} bytes",
            )
    return bytes(body)


def _parsed(kind: type[Answer], answer: httpx.Response) -> Answer:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "JSON"
        raise IntakeError(
            f"看不懂作业服务的回答（{where}：{problem['msg']}）；请告诉教师",
            f"the assignment service's answer makes no sense ({where}: {problem['msg']}); tell your instructor",
            status=answer.status_code,
        ) from error


def _refusal(answer: httpx.Response) -> IntakeError:
    try:
        return Refused.model_validate_json(answer.content).error.error(answer.status_code)
    except ValidationError:
        return IntakeError(
            f"作业服务回答 {answer.status_code}，没有说明原因；您的文件都还在，请稍后再试",
            f"the assignment service answered {answer.status_code} without a reason; "
            "all your files are still here, try again in a while",
            status=answer.status_code,
        )
