"""Certificates: checks a second beside Digital Bazaar's Node libraries, pages under load, a cohort issued.

The two verifiers take the same signed credentials in turns, each in one process: form, signature with the issuer's key
from its document, dates. Status lists are left out on both sides, for the peer checks the list's own signature anew for
every certificate. Where nothing comparable exists, the peer is the bound that this project set itself.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import waitress
from openbadgeslib.ob3.contexts import bundled_contexts
from sqlalchemy import insert

from certs import tables
from certs.app import create_app
from certs.certificate import Claim, IssuerProfile, LabEvidence, Skill, State, Text
from certs.credential.controller import parse_controller
from certs.issue import prepare, run_issuer, sign
from certs.keys import IssuerKey
from certs.store import LIST_FILL, Store
from certs.store.rows import sha256
from certs.verification import Verdict
from certs.verify import verify
from hub.db import open_engine
from tests.bench import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench import Row

PEER = Path(__file__).parents[1] / "certs" / "peer.mjs"
COMMAND = "make bench ONLY=certs"
NOW_US = 1_795_305_600_000_000
ROUNDS, SECONDS, CREDENTIALS = 3, 3.0, 40
STORED, REQUESTS_A_SECOND, LOAD_SECONDS, BOUND_P95_S = 100_000, 50, 20, 2.0
COHORT, BOUND_COHORT_S, CORES = 1_000, 60.0, 2
_BASE = "http://127.0.0.1:8000/certs"
PROFILE = IssuerProfile(f"{_BASE}/issuer", Text("样片培训中心", "Sample Training Centre"), _BASE)


def run() -> Iterator[Row]:
    """The figures, each as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        key = IssuerKey.load_or_create(Path(folder) / "issuer.pem")
        yield from verifications(key)
        yield from cohort(key, Path(folder) / "cohort.db")
        yield from page(key, Path(folder) / "pages.db")


def verifications(key: IssuerKey) -> Iterator[Row]:
    """Checks by the clock and by CPU, both verifiers in turns."""
    documents = [signed(key, number) for number in range(CREDENTIALS)]
    controller = parse_controller(key.controller_document(PROFILE.id))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(_peer_rate(key, documents))
        ours.append(_our_rate(documents, controller))
    done, wall, cpu = (sum(one[part] for one in ours) for part in range(3))
    peer_done, peer_wall, peer_cpu = (sum(one[part] for one in theirs) for part in range(3))
    name = "Digital Bazaar vc 7.3.0 with jsonld on Node"
    for what, mine, peers in (
        ("second", done / wall, peer_done / peer_wall),
        ("CPU second", done / cpu, peer_done / peer_cpu),
    ):
        yield _row(
            f"verifications a {what}", mine, peers, mine / peers, f"credentials/{what.replace('second', 's')}", name
        )


def cohort(key: IssuerKey, database: Path) -> Iterator[Row]:
    """A cohort asked for at once, until the last PDF and badge are stored; by the clock and by CPU."""
    store = _store(database)
    asked, refused = store.request_all([_claim(number) for number in range(COHORT)])
    if refused:
        raise CannotRunError(f"got refused claims: {refused}")
    stop, started, cpu = threading.Event(), time.monotonic(), _cpu_seconds()
    issuer = threading.Thread(target=run_issuer, args=(store, key, PROFILE), kwargs={"poll_seconds": 0.1, "stop": stop})
    issuer.start()
    while not store.progress(asked).is_done:
        stop.wait(0.2)
    seconds = time.monotonic() - started
    stop.set()
    issuer.join()
    if store.progress(asked).refused:
        raise CannotRunError("the issuer refused some of the cohort")
    used = _cpu_seconds() - cpu
    rate, bound = COHORT / seconds, COHORT / BOUND_COHORT_S
    what = f"issue of {COHORT} with PDF, PNG and SVG"
    yield _row(what, rate, bound, rate / bound, "certificates/s", _BOUND)
    both_cores = CORES * BOUND_COHORT_S
    yield _row(f"{what}: CPU on {CORES} cores", used, both_cores, both_cores / used, "CPU s", _BOUND)


def page(key: IssuerKey, database: Path) -> Iterator[Row]:
    """The certificate page at a steady rate, whoever asks, with very many stored."""
    ids = _fill(_store(database), key)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.certs", str(database), str(port)])
    try:
        seconds = _load(f"http://127.0.0.1:{port}/certs", ids)
    finally:
        server.terminate()
        server.wait()
    p95 = statistics.quantiles(seconds, n=20)[-1]
    what = f"page, p95 at {REQUESTS_A_SECOND} requests/s, {STORED} certificates stored"
    yield _row(what, p95, BOUND_P95_S, BOUND_P95_S / p95, "s", _BOUND)
    yield _row(
        f"{what}: median",
        statistics.median(seconds),
        BOUND_P95_S,
        BOUND_P95_S / statistics.median(seconds),
        "s",
        _BOUND,
    )


def _cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


_BOUND = "the bound this project set itself"


def signed(key: IssuerKey, number: int) -> bytes:
    """One genuine certificate of many."""
    prepared = prepare(
        _claim(number), PROFILE, certificate_id=f"{number:032x}", status_index=number, valid_from_us=NOW_US
    )
    return sign(prepared, key)


def _claim(number: int) -> Claim:
    labs = tuple(
        LabEvidence(
            lab=f"lab-{lab}",
            title=Text(f"实验 {lab}", f"Lab {lab}"),
            submission_sha256=f"{number * 10 + lab:064x}",
            lab_version="1.0",
            rubric_version="2026-1" if lab % 2 else None,
            attempt=1 + lab % 3,
            score_percent=80.0 + lab,
            auto_percent=80.0 + lab,
            hand_percent=80.0 + lab if lab % 2 else None,
            graded_us=NOW_US - 10**11,
            model_sha256="cd" * 32,
        )
        for lab in range(5)
    )
    return Claim(
        holder_name=f"学员{'甲乙丙丁戊己庚辛壬癸'[number % 10]}{'赵钱孙李周吴郑王冯陈'[number // 10 % 10]}",
        holder_ref=f"learner-{number}",
        course="micro-drama",
        course_version="1.0",
        title=Text("AI 微短剧制作", "Making micro-drama with AI"),
        summary=Text("从剧本到成片。", "From script to finished film."),
        criteria=Text("总成绩不低于 60 分。", "Overall score at least 60."),
        skills=tuple(Skill(f"skill-{one}", Text(f"能力 {one}", f"Skill {one}")) for one in range(4)),
        labs=labs,
        score_percent=82.0,
        lab_seconds=40_000 + number,
        gpu_seconds=4_000,
        subsidised_seconds=30_000,
        subsidised_gpu_seconds=3_000,
        ai_use=Text("可使用课程提供的模型。", "The models of the course may be used."),
        completed_us=NOW_US - 10**10,
    )


def _our_rate(documents: list[bytes], controller: Any) -> tuple[float, float, float]:
    def check(document: bytes) -> None:
        answer = verify(document, controllers=[controller], status_lists={}, trusted=(), at_us=NOW_US + 10**9)
        if answer.verdict is not Verdict.VALID:
            raise CannotRunError(f"ours refused a genuine certificate: {answer.steps}")

    for document in documents:
        check(document)
    done, started, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - started < SECONDS:
        check(documents[done % len(documents)])
        done += 1
    return done, time.monotonic() - started, time.process_time() - cpu


def _peer_rate(key: IssuerKey, documents: list[bytes]) -> tuple[float, float, float]:
    question = {
        "task": "rate",
        "contexts": bundled_contexts(),
        "documents": {PROFILE.id: json.loads(key.controller_document(PROFILE.id))},
        "credentials": [json.loads(document) for document in documents],
        "now": "2026-11-22T12:00:00Z",
        "seconds": SECONDS,
    }
    try:
        done = subprocess.run(
            ["node", str(PEER)], input=json.dumps(question), capture_output=True, text=True, timeout=300, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotRunError(f"the Node peer: {error}") from error
    answer = json.loads(done.stdout)
    if answer["verified"] != answer["done"]:
        raise CannotRunError(f"the peer verified {answer['verified']} of {answer['done']}")
    return answer["done"], answer["wall"], answer["cpu"]


def _store(database: Path) -> Store:
    engine = open_engine(f"sqlite:///{database}")
    tables.metadata.create_all(engine)
    return Store(engine)


def _fill(store: Store, key: IssuerKey) -> list[str]:
    """Very many issued certificates: a signed one under an id of each its own, as the page only reads and digests."""
    store.register_key(key.multibase)
    model, ids = signed(key, 7), [secrets.token_hex(16) for _ in range(STORED)]
    for start in range(0, STORED, 5_000):
        rows = [_stored(ids[number], number, model) for number in range(start, start + 5_000)]
        with store._engine.begin() as connection:
            connection.execute(insert(tables.certificate), rows)
    return ids


def _stored(certificate_id: str, number: int, model: bytes) -> dict[str, Any]:
    document = model.replace(f"{7:032x}".encode(), certificate_id.encode())
    return {
        "id": certificate_id,
        "holder_ref": f"learner-{number}",
        "course": "micro-drama",
        "kind": "course",
        "edition": 1,
        "state": State.ISSUED,
        "claim": "{}",
        "status_list": number // LIST_FILL,
        "status_index": number % LIST_FILL,
        "requested_us": NOW_US,
        "issued_us": NOW_US,
        "document": document,
        "document_sha256": sha256(document),
    }


def _load(base: str, ids: list[str]) -> list[float]:
    """Seconds each page took, from the moment it was due: a server that falls behind cannot hide it."""
    client = httpx.Client(limits=httpx.Limits(max_connections=64, max_keepalive_connections=64))
    for _ in range(300):
        try:
            client.get(f"{base}/").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    started = time.monotonic() + 0.5

    def ask(number: int) -> float:
        due = started + number / REQUESTS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        caller = f"192.0.{number // 200 % 250}.{number % 200}"
        answer = client.get(f"{base}/{secrets.choice(ids)}?lang=zh_CN", headers={"X-Forwarded-For": caller})
        if answer.status_code != httpx.codes.OK or "verdict-valid" not in answer.text:
            raise CannotRunError(f"got {answer.status_code}, expected a page that says valid")
        return time.monotonic() - due

    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(ask, range(REQUESTS_A_SECOND * LOAD_SECONDS)))


def _row(name: str, ours: float, peer: float, ratio: float, unit: str, peer_name: str) -> Row:
    ours, peer, ratio = (float(f"{value:.3g}") for value in (ours, peer, ratio))
    return {
        "name": name,
        "ours": ours,
        "peer": peer,
        "ratio": ratio,
        "unit": unit,
        "peer_name": peer_name,
        "command": COMMAND,
    }


def _serve(database: str, port: str) -> None:
    """The public pages as the platform serves them, behind one proxy."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(Store(open_engine(f"sqlite:///{database}")), PROFILE)
    proxy: dict[str, Any] = {"trusted_proxy": "127.0.0.1", "trusted_proxy_headers": {"x-forwarded-for"}}
    waitress.serve(app, host="127.0.0.1", port=int(port), threads=8, clear_untrusted_proxy_headers=True, **proxy)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
