"""Real parts for the certificate tests: a claim, a key in a file, a database, signed documents."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from certs import tables
from certs.certificate import Claim, IssuerProfile, LabEvidence, Skill, Text
from certs.credential import proof
from certs.credential.controller import Controller, parse_controller
from certs.issue import prepare, run_issuer, sign
from certs.keys import IssuerKey
from certs.status import build_list
from certs.store import Store
from certs.verify import verify
from hub.db import open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certs.verification import Verification

NOW_US = 1_795_305_600_000_000  # 2026-11-22
DAY_US = 86_400 * 1_000_000


def _lab(lab: str, zh: str, en: str, **changes: Any) -> LabEvidence:
    values: dict[str, Any] = {
        "lab": lab,
        "title": Text(zh, en),
        "submission_sha256": "ab12" * 16,
        "lab_version": "1",
        "rubric_version": "2026-1",
        "attempt": 2,
        "score_percent": 86.5,
        "auto_percent": 90.0,
        "hand_percent": 80.0,
        "graded_us": NOW_US - 2 * DAY_US,
        "model_sha256": None,
    }
    return LabEvidence(**{**values, **changes})


@pytest.fixture(scope="session")
def claim() -> Claim:
    return Claim(
        holder_name="陈晓雨",
        holder_ref="learner-7f3a",
        course="micro-drama",
        course_version="1.0",
        title=Text("AI 微短剧制作", "Making micro-drama with AI"),
        summary=Text("从剧本到镜头。", "From script to shot."),
        criteria=Text("总成绩不低于 60 分。", "Overall score at least 60."),
        skills=(Skill("script-breakdown", Text("剧本拆解", "Breaking a script into shots")),),
        labs=(
            _lab("script-to-shots", "从剧本到分镜", "Script to shots"),
            _lab(
                "first-take",
                "第一个镜头",
                "First take",
                rubric_version=None,
                hand_percent=None,
                attempt=1,
                score_percent=92.0,
                auto_percent=92.0,
                model_sha256="cd34" * 16,
            ),
        ),
        score_percent=89.25,
        lab_seconds=13_260,
        gpu_seconds=1_840,
        subsidised_seconds=9_000,
        subsidised_gpu_seconds=1_200,
        ai_use=Text("可使用课程提供的模型。", "The models of the course may be used."),
        completed_us=NOW_US - DAY_US,
    )


@pytest.fixture(scope="session")
def profile() -> IssuerProfile:
    base = "http://127.0.0.1:8000/certs"
    return IssuerProfile(f"{base}/issuer", Text("样片培训中心", "Sample Training Centre"), base)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> IssuerKey:
    return IssuerKey.load_or_create(tmp_path_factory.mktemp("secrets") / "issuer.pem")


@pytest.fixture(scope="session")
def controller(key: IssuerKey, profile: IssuerProfile) -> Controller:
    return parse_controller(key.controller_document(profile.id))


@pytest.fixture(scope="session")
def document(claim: Claim, profile: IssuerProfile, key: IssuerKey) -> bytes:
    """A genuine signed certificate."""
    prepared = prepare(claim, profile, certificate_id="0123456789abcdef" * 2, status_index=4711, valid_from_us=NOW_US)
    return sign(prepared, key)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    engine = open_engine(f"sqlite:///{tmp_path / 'certs.db'}")
    tables.metadata.create_all(engine)
    return Store(engine)


@pytest.fixture(scope="session")
def check(controller: Controller) -> Callable[..., Verification]:
    """Verify bytes or a changed document with the genuine controller at hand."""

    def run(data: bytes | dict[str, Any], **changes: Any) -> Verification:
        raw = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
        given: dict[str, Any] = {"controllers": [controller], "status_lists": {}, "trusted": (), "at_us": NOW_US}
        return verify(raw, **{**given, **changes})

    return run


@pytest.fixture(scope="session")
def resign(key: IssuerKey, profile: IssuerProfile) -> Callable[..., bytes]:
    """Sign any document with the genuine key: what a careless issuer might do."""

    def run(data: dict[str, Any], *, method: str | None = None, at_us: int = NOW_US) -> bytes:
        unsigned = {name: value for name, value in data.items() if name != "proof"}
        signed = proof.add(unsigned, key.private_pem(), method or key.method(profile.id), at_us)
        return json.dumps(signed, ensure_ascii=False).encode()

    return run


@pytest.fixture(scope="session")
def status_list(key: IssuerKey, profile: IssuerProfile) -> Callable[..., dict[str, bytes]]:
    """The issuer's signed list 0 with some bits set, by its address."""

    def run(*revoked: int, signed_us: int = NOW_US) -> dict[str, bytes]:
        address = profile.status_address(0)
        unsigned = build_list(profile.id, address, revoked, signed_us=signed_us)
        signed = proof.add(unsigned, key.private_pem(), key.method(profile.id), signed_us)
        return {address: json.dumps(signed).encode()}

    return run


@dataclass(frozen=True)
class Issuing:
    """A running issuer: its store, and a way to wait for what it does."""

    store: Store
    profile: IssuerProfile

    def wait_for(self, happened: Callable[[], Any]) -> Any:
        for _ in range(600):
            if found := happened():
                return found
            threading.Event().wait(0.05)
        raise AssertionError("the issuer did not do it within 30 s")


@pytest.fixture
def issuing(store: Store, key: IssuerKey, profile: IssuerProfile) -> Iterator[Issuing]:
    stop = threading.Event()
    thread = threading.Thread(
        target=run_issuer, args=(store, key, profile), kwargs={"poll_seconds": 0.05, "stop": stop}
    )
    thread.start()
    yield Issuing(store, profile)
    stop.set()
    thread.join()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    return Path(__file__).parent / "data"


@pytest.fixture
def stop_soon() -> Iterator[threading.Event]:
    """An event that is set after a moment in which a loop has gone round many times."""
    stop = threading.Event()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    yield stop
    timer.cancel()
