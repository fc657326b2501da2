"""One function per process of the instance: opens what it needs from the platform, and serves until it is stopped."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import waitress

from grader.sandbox.box import Containers, open_sandbox
from grader.submission import LabRules, Window
from grader.verdict import Limits
from hub import reclaim, steward
from hub.own_compute import compute_of
from hub.reclaim.rule import ROUND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certs.certificate import IssuerProfile
    from grader.sandbox.box import Sandbox
    from hub.config import Config
    from hub.course import Lab
    from hub.platform import Platform
    from hub.takes.desk import TakeDesk

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
SANDBOX_PROCESSES = 64
SANDBOX_DISK_MB = 512
SANDBOX_OUTPUT_BYTES = 2_000_000
POLL_SECONDS = 0.5
WORKER_POLL_SECONDS = 0.2
"""How long a submission may lie before an idle worker looks."""
LARGEST_BATCH_MB = 25
"""What an employer may drop on the certificate pages in one go."""


def portal(platform: Platform) -> None:
    """Serve the signed-in pages, and the read API beside them."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware  # noqa: PLC0415

    from hub.api import app as api  # noqa: PLC0415
    from hub.authoring.bench import Bench  # noqa: PLC0415
    from hub.portal.app import PortalServices, create_app  # noqa: PLC0415 -- each process loads only its own part
    from hub.portal.session import HubSignIn  # noqa: PLC0415

    services = PortalServices(
        platform.people,
        platform.ledger,
        platform.submissions,
        platform.certificates,
        platform.sessions,
        platform.tokens,
        platform.footage,
    )
    secret = platform.secrets.text
    session = HubSignIn(
        api_url=f"{platform.addresses.url('hub')}/hub/api", api_token=secret("portal-token"), prefix="/services/portal/"
    )
    app = create_app(
        services,
        session=session,
        courses=platform.shipped_courses,
        config=platform.config,
        bench=Bench(platform.shelf, platform.child_env(), platform.log / "authoring.log"),
    )
    reading = api.create_app(platform.ledger, platform.tokens, pseudonym_key=session.key)
    _serve(platform, DispatcherMiddleware(app, {api.PREFIX: reading}), "portal")


def intake(platform: Platform) -> None:
    """Serve the intake, where labs fetch, submit and read their results."""
    from jupyterhub.services.auth import HubAuth  # noqa: PLC0415

    from grader.app import create_app  # noqa: PLC0415
    from hub.authoring.intake import draft_pages  # noqa: PLC0415
    from hub.reclaim.pages import session_pages  # noqa: PLC0415
    from hub.takes.pages import take_pages  # noqa: PLC0415

    hub_api = f"{platform.addresses.url('hub')}/hub/api"
    auth = HubAuth(api_url=hub_api, api_token=platform.secrets.text("intake-token"), cache_max_age=60)

    def identify(token: str) -> str | None:
        user = auth.user_for_token(token, use_cache=True)
        return None if user is None or user.get("kind") != "user" else str(user["name"])

    app = create_app(
        platform.submissions,
        identify=identify,
        window_of=lambda course, lab, learner: window_of(platform, course, lab, learner),
        labs_of=lambda learner: labs_of(platform, learner),
        rules_of=lambda course, lab: rules_of(platform, course, lab),
        receipt_key=platform.secrets.signing_key("receipt-key.pem"),
        max_bytes=platform.config.grader.max_submission_mb << 20,
        more=[
            lambda learner: session_pages(platform.sessions, platform.ledger, learner),
            lambda learner: take_pages(take_desk(platform), learner),
            lambda person: draft_pages(platform, person),
        ],
        compute_of=lambda learner: compute_of(platform, learner),
    )
    _serve(platform, app, "intake")


def takes(platform: Platform) -> None:
    """Draw the takes that labs ask for, one after another, until stopped."""
    from hub.takes.server import TakeServer  # noqa: PLC0415 -- torch and all

    config = platform.config
    server = TakeServer(
        platform.take_queue, platform.ledger, config.takes, models=config.models_dir, folder=platform.takes
    )
    server.warm()
    server.run(_stop_event())


def take_desk(platform: Platform) -> TakeDesk:
    """Where labs ask the take servers."""
    from hub.takes.desk import TakeDesk  # noqa: PLC0415

    config = platform.config
    return TakeDesk(
        platform.take_queue, platform.ledger, platform.sessions, config.takes,
        models=config.models_dir, folder=platform.takes, servers=len(config.take_servers),
    )  # fmt: skip


def certs(platform: Platform) -> None:
    """Serve the public certificate pages; this process never opens the issuer's key."""
    from certs.app import create_app  # noqa: PLC0415

    _serve(platform, create_app(platform.certificates, issuer_profile(platform)), "certs")


def issuer(platform: Platform) -> None:
    """Sign what was prepared, until stopped; the only process that opens the issuer's key."""
    from certs.issue import run_issuer  # noqa: PLC0415
    from certs.keys import IssuerKey  # noqa: PLC0415

    file = platform.secrets.path("issuer-key.pem")
    run_issuer(
        platform.certificates,
        IssuerKey.load_or_create(file),
        issuer_profile(platform),
        poll_seconds=POLL_SECONDS,
        stop=_stop_event(),
        reload=lambda: IssuerKey.load_or_create(file),
    )


def worker(platform: Platform, name: str) -> None:
    """Grade submissions, one after another, until stopped."""
    from grader.grade import grade  # noqa: PLC0415
    from grader.gradebook import Gradebooks  # noqa: PLC0415
    from grader.jobs import run_worker  # noqa: PLC0415

    sandbox = sandbox_of(platform.config)
    run_worker(
        platform.submissions,
        grade=lambda job: grade(job, sandbox),
        gradebooks=Gradebooks(platform.gradebooks),
        rules_of=lambda course, lab: rules_of(platform, course, lab),
        stop=_stop_event(),
        name=f"worker-{name}",
        poll_seconds=WORKER_POLL_SECONDS,
    )


def stewardship(platform: Platform) -> None:
    """Reconcile leases and award certificates, until stopped."""
    steward.run(platform, _stop_event())


def culler(platform: Platform) -> None:
    """Stop labs that nobody uses or whose longest session is over, with notice given."""
    command = [
        sys.executable, "-m", "jupyterhub_idle_culler",
        f"--config={reclaim.CULLER_CONFIG}",
        f"--url={platform.addresses.url('hub')}/hub/api",
        f"--cull-every={ROUND_US // 1_000_000}",
    ]  # fmt: skip
    env = {**platform.child_env(), "JUPYTERHUB_API_TOKEN": platform.secrets.text("culler-token")}
    os.execve(sys.executable, command, env)  # noqa: S606 -- the list is ours


def gate(platform: Platform) -> None:
    """Serve the one address that labs in containers reach; beside it the way out, when some profile has one."""
    from hub.spawner import docker_egress, docker_gate  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings, at = platform.config.docker, platform.addresses
    way_out = docker_egress.WayOut(lambda lease: docker_egress.rights_of(platform, lease))
    docker_gate.serve(
        docker_gate.ways(at.url("hub"), at.url("intake")),
        settings.gateway,
        settings.gate_port,
        (platform.config.grader.max_submission_mb + 1) << 20,
        (lambda: way_out.serve(settings.gateway, settings.egress_port)) if platform.config.has_egress else None,
    )


def formgrader(platform: Platform, course_id: str) -> None:
    """Serve nbgrader's formgrader of one course as a service of the hub."""
    from grader.formgrader import formgrader_config, run_formgrader  # noqa: PLC0415
    from hub.gate import release_gate  # noqa: PLC0415

    name = f"formgrader-{course_id}"
    index = [course.id for course in platform.courses].index(course_id)
    prefix, scope = f"/services/{name}/", json.dumps([f"access:services!service={name}"])
    # What the hub itself would hand to a service that it manages.
    os.environ.update(
        JUPYTERHUB_API_TOKEN=platform.secrets.text(f"{name}-token"),
        JUPYTERHUB_API_URL=f"{platform.addresses.url('hub')}/hub/api",
        JUPYTERHUB_BASE_URL="/",
        JUPYTERHUB_CLIENT_ID=f"service-{name}",
        JUPYTERHUB_OAUTH_ACCESS_SCOPES=scope,
        JUPYTERHUB_OAUTH_CALLBACK_URL=f"{prefix}oauth_callback",
        JUPYTERHUB_OAUTH_SCOPES=scope,
        JUPYTERHUB_SERVICE_NAME=name,
        JUPYTERHUB_SERVICE_PREFIX=prefix,
        JUPYTERHUB_SERVICE_URL=platform.addresses.formgrader(index) + prefix,
    )
    work_dir = platform.gradebooks / course_id
    run_formgrader(formgrader_config(course_id, work_dir, platform.submissions, gate=release_gate(platform)))


def issuer_profile(platform: Platform) -> IssuerProfile:
    """Who issues certificates here, and under which address."""
    from certs.certificate import IssuerProfile, Text  # noqa: PLC0415

    base = f"{platform.config.server.public_url}/certs"
    names = platform.config.issuer
    return IssuerProfile(id=f"{base}/issuer", name=Text(zh=names.name_zh, en=names.name_en), base_url=base)


def window_of(platform: Platform, course_id: str, lab_id: str, learner: str) -> Window | None:
    """When this learner may submit this lab; None when they are not in the course, KeyError-free for unknown labs."""
    lab = _lab(platform, course_id, lab_id)
    dates = lab and platform.people.deadline(course_id, lab_id, learner, lab.due_after_days)
    if lab is None or not dates:
        return None
    opens_us, due_us = dates
    closes_us = due_us + lab.late.grace_minutes * MINUTE_US + lab.late.last_day * DAY_US
    return Window(opens_us=opens_us, due_us=due_us, closes_us=closes_us)


def labs_of(platform: Platform, learner: str) -> Sequence[tuple[str, str, str, str]]:
    """Every lab of the learner's courses: course, lab, and its title in both languages."""
    mine = set(platform.people.courses_of(learner))
    return [
        (course.id, lab.id, lab.title.zh, lab.title.en)
        for course in platform.courses
        if course.id in mine
        for lab in course.labs
    ]


def sandbox_of(config: Config, *, warm: bool = True) -> Sandbox:
    """The sandbox that submissions are graded in here.

    Raises:
        SandboxUnavailable: it cannot be built on this host; the message says what to install.
    """
    containers = Containers(config.grader.image, config.docker.host)
    return open_sandbox(config.grader.sandbox, warm=warm, containers=containers)


def rules_of(platform: Platform, course_id: str, lab_id: str) -> LabRules:
    """How submissions of this lab are taken, limited and counted."""
    lab = platform.lab_or_draft(course_id, lab_id)
    limits = Limits(
        wall_seconds=lab.time_limit_seconds,
        cpu_seconds=2 * lab.time_limit_seconds,
        memory_mb=lab.memory_mb,
        processes=SANDBOX_PROCESSES,
        disk_mb=SANDBOX_DISK_MB,
        output_bytes=SANDBOX_OUTPUT_BYTES,
    )
    late, profile = lab.late, platform.config.profiles.get(lab.profile)
    return LabRules(
        lab.attempts,
        lab.counts,
        late.grace_minutes,
        late.percent_per_day,
        late.last_day,
        limits,
        lab.graders,
        gpu=platform.config.grader.gpus.get(profile.gpu_class, "") if profile else "",
    )


def _lab(platform: Platform, course_id: str, lab_id: str) -> Lab | None:
    try:
        return platform.course(course_id).lab(lab_id)
    except KeyError:
        return None


def _serve(platform: Platform, app: Callable[..., object], name: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A full queue is what load looks like; a line for each request that waits would only add to it.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    address = urlsplit(platform.addresses.url(name))
    waitress.serve(
        app,
        host=address.hostname,
        port=address.port,
        threads=8,
        url_scheme=urlsplit(platform.config.server.public_url).scheme,
        # The proxy is the only one that people reach us through: the last address it adds is the visitor's.
        trusted_proxy=address.hostname,
        trusted_proxy_count=1,
        trusted_proxy_headers={"x-forwarded-for"},
        clear_untrusted_proxy_headers=True,
        max_request_body_size=max(platform.config.grader.max_submission_mb + 1, LARGEST_BATCH_MB) << 20,
        ident="reelwright",
    )


def _stop_event() -> threading.Event:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
