"""An instructor makes a lab in the browser, start to end: template, JupyterLab, preview, gate, release to a trainee.

On the same small instance: a session whose paid time is over, and the read API behind the proxy.
"""

import csv
import datetime as dt
import io
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from hub.compute.lease import MINUTE_US
from hub.config import Config
from hub.people.person import Person
from hub.platform import Platform
from hub.reclaim.rule import NOTICE_US, Notice
from hub.reclaim.store import UseStore

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "a long way to the sea"
PORTAL = "/services/portal"
START = re.compile("Start the lab")
PAGE = f"{PORTAL}/courses/small/labs/night-scene"
EDIT = """async (change) => {
    const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
    const headers = {'Content-Type': 'application/json', 'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)[1]};
    const url = `${base}api/contents/authoring/small/night-scene/night-scene.ipynb`;
    const model = await (await fetch(`${url}?content=1&_=${Date.now()}`, {headers})).json();
    for (const cell of model.content.cells) cell.source = cell.source.replaceAll(change[0], change[1]);
    const body = JSON.stringify({type: 'notebook', format: 'json', content: model.content});
    return (await fetch(url, {method: 'PUT', headers, body})).status;
}"""


@pytest.fixture(scope="module")
def contexts(browser: Browser, small_instance: Any) -> Iterator[dict[str, BrowserContext]]:
    """The instructor and a trainee, each at a browser of their own."""
    opened = {}
    for name in ("instructor", "trainee"):
        context = browser.new_context(
            locale="en-GB", base_url=small_instance.url, viewport={"width": 1280, "height": 900}
        )
        context.set_default_timeout(90_000)
        opened[name] = context
    yield opened
    for context in opened.values():
        context.close()


def opened(page: Page) -> None:
    """Wait until JupyterLab shows the notebook."""
    expect(page.locator(".jp-Notebook .jp-Cell:visible").first).to_be_visible(timeout=90_000)


def edit(page: Page, before: str, after: str) -> None:
    """Change words in the notebook as saving it would, and have JupyterLab read it again."""
    assert page.evaluate(EDIT, [before, after]) == 200
    page.reload()
    opened(page)


def send(page: Page) -> None:
    """Press the button above the notebook and wait until JupyterLab says that the course has it."""
    with page.expect_response(re.compile("reelwright/draft")) as answer:
        page.get_by_role("button", name="Send to the course").click()
    assert answer.value.ok, answer.value.text()


def check(page: Page, words: str) -> None:
    """Have the lab checked on its page, which refreshes by itself."""
    page.goto(PAGE)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("region", name="Check and release")).to_contain_text(words, timeout=180_000)


def test_an_instructor_makes_a_lab_from_template_to_trainees(
    small_instance: Any, contexts: dict[str, BrowserContext]
) -> None:  # fmt: skip
    made = small_instance.command("user", "invite", "--role", "instructor", "--course", "small")
    page = contexts["instructor"].new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(made.stdout.strip())
    for label, value in (("full_name", "Ines"), ("username", "ines"), ("password", PASSWORD), ("again", PASSWORD)):
        page.fill(f"[name={label}]", value)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url(f"**{PORTAL}/**")
    # 1. From a template.
    page.goto(f"{PORTAL}/classes")
    page.get_by_role("link", name=re.compile("Labs of this course")).click()
    page.get_by_role("link", name=re.compile("Begin with this *: Code lab")).click()
    for label, value in {
        "Id": "night-scene", "Title in Chinese": "夜戏", "Title in English": "Night scene",
        "Aim in Chinese, one sentence": "算出一场夜戏的片长。", "Aim in English, one sentence": "Time a night scene.",
    }.items():  # fmt: skip
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Begin the lab").click()
    expect(page.get_by_role("heading", name="Night scene")).to_be_visible()
    # 2. Into JupyterLab, with nbgrader's own bar to mark cells; a mistake is made, sent, and refused with its reason.
    page.get_by_role("link", name="Open the notebook").click()
    page.wait_for_url("**/authoring/small/night-scene/night-scene.ipynb", timeout=180_000)
    opened(page)
    expect(page.get_by_role("tab", name="Create Assignment")).to_be_visible(timeout=30_000)
    edit(page, "running_time([2.0, 1.5]) == 3.5", "running_time([2.0, 1.5]) == 4")
    send(page)
    lab = contexts["instructor"].new_page()
    check(lab, "the reference does not get full marks: running-time-test 0/4")
    assert lab.get_by_role("button", name="Release to trainees").count() == 0
    # 3. Mended, looked at as a trainee, checked, released.
    edit(page, "running_time([2.0, 1.5]) == 4", "running_time([2.0, 1.5]) == 3.5")
    send(page)
    lab.goto(f"{PAGE}/preview")
    seen = lab.get_by_role("main").inner_text()
    assert "running_time([2.0, 1.5]) == 3.5" in seen
    assert "math.fsum" not in seen
    assert "[0.1] * 10" not in seen, "a hidden test"
    check(lab, "The check holds: this lab may be released.")
    lab.get_by_role("button", name="Release to trainees").click()
    expect(lab.get_by_role("region", name="Check and release")).to_contain_text(
        "Released: trainees have it now.", timeout=180_000
    )
    # 4. A trainee has it at once: nothing was restarted.
    trainee = a_trainee(small_instance, contexts["trainee"])
    trainee.goto(f"{PORTAL}/course/small/lab/night-scene")
    expect(trainee.get_by_role("heading", name="Night scene")).to_be_visible()
    trainee.get_by_role("link", name=re.compile("Start the lab|Open the notebook")).first.click()
    trainee.wait_for_url("**/lab/**/night-scene.ipynb", timeout=180_000)
    opened(trainee)
    expect(trainee.locator(".jp-Notebook")).to_contain_text("Night scene")
    assert trainee.get_by_role("button", name="Send to the course").count() == 0
    # 5. Their server is not let near the lab in the making.
    answer = trainee.request.get("/user/liming/reelwright/draft/small/night-scene")
    assert answer.status == 404


def test_a_lab_whose_paid_time_is_over_gives_notice_saves_and_ends(
    small_instance: Any, contexts: dict[str, BrowserContext]
) -> None:  # fmt: skip
    """The one thing that is not waited for is the notice's five minutes: it is made to look as if given earlier."""
    (trainee,) = contexts["trainee"].pages
    platform = Platform(Config.load(small_instance.folder / "reelwright.toml"))
    trainee.goto(f"{PORTAL}/compute")
    trainee.get_by_role("button", name="Stop the lab").first.click()
    waited(lambda: platform.sessions.running("liming") is None, "the lab did not stop")
    trainee.goto(f"{PORTAL}/course/small/lab/one")
    waited(lambda: trainee.reload() and trainee.get_by_role("link", name=START).count(), "the lab cannot be started")
    trainee.get_by_role("link", name=START).first.click()
    trainee.wait_for_url("**/lab/**/one.ipynb", timeout=180_000)
    opened(trainee)
    # 1. Its longest session is a minute, so notice is given at once: in JupyterLab, and on every page of the portal.
    expect(trainee.get_by_text("the longest session is over")).to_be_visible(timeout=90_000)
    expect(trainee.get_by_text("Open files are saved before that.")).to_be_visible()
    expect(trainee.locator("#reelwright-session")).to_contain_text("⚠")
    beside = contexts["trainee"].new_page()
    beside.goto(f"{PORTAL}/compute")
    expect(beside.get_by_role("main")).to_contain_text("This lab stops at")
    # 2. An edit that nobody saves; then the notice has almost run out.
    trainee.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").last.click()
    for key in ("Escape", "b", "Enter"):
        trainee.keyboard.press(key)
    trainee.keyboard.type("# the last edit before the end")
    lease = platform.sessions.running("liming")
    assert lease is not None
    almost_over(platform, lease.id)
    trainee.evaluate("window.dispatchEvent(new Event('focus'))")
    file = small_instance.folder / "var" / "homes" / "liming" / "small" / "one" / "one.ipynb"
    waited(lambda: "the last edit before the end" in file.read_text(encoding="utf-8"), "the notebook was not saved")
    # 3. The culler comes round when it is started, as it is once killed; no more is charged than was paid for.
    waited(lambda: platform.sessions.expected(lease).is_over, "the notice did not run out")
    os.kill(small_instance.pid_of("jupyterhub_idle_culler"), signal.SIGKILL)
    waited(lambda: platform.ledger.lease(lease.id).state == "ended", "the lab was not ended")
    (session,) = (each for each in platform.ledger.sessions("liming", "small") if each.lease.id == lease.id)
    assert (session.estimated, session.charge_uy <= 45_000_000) == (False, True)
    assert small_instance.command("ledger", "verify").returncode == 0
    # 4. What is left does not pay for another: the lab's page says so, by how much, and what to do.
    assert platform.ledger.account("liming", "small").spent_uy > 5_000_000, "seven seconds or more"
    beside.goto(f"{PORTAL}/course/small/lab/one")
    expect(beside.get_by_role("main")).to_contain_text("short of what a session may use at most")
    expect(beside.get_by_role("main")).to_contain_text("Ask your instructor for more.")
    assert beside.get_by_role("link", name=START).count() == 0


def test_a_token_reads_through_the_proxy_what_it_may_and_no_more(small_instance: Any) -> None:
    tokens = Platform(Config.load(small_instance.folder / "reelwright.toml")).tokens
    kept, token = tokens.make("city", ("report:site=main",), 30, "root")
    month = dt.datetime.now(dt.UTC).strftime("first=%Y-%m&last=%Y-%m")

    def read(said: str, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {said}"}
        return httpx.get(f"{small_instance.url}/api/v1/{path}", headers=headers, timeout=60, trust_env=False)

    rows = read(token, f"report.json?{month}&by=course").json()["rows"]
    # Two people are too few to be told of, here as everywhere.
    assert [(row["where"]["course"], row["sums"]) for row in rows] == [("small", None)]
    table = read(token, f"report.csv?{month}&by=course")
    assert table.headers["content-type"].startswith("text/csv")
    assert [row["course"] for row in csv.DictReader(io.StringIO(table.text))] == ["small"]
    for path in ("claims.json", "metrics"):
        refused = read(token, path)
        said = f"this token may not read {path.split('.')[0]}; it may read report:site=main"
        assert (refused.status_code, refused.json()["error"]) == (403, said)
    tokens.revoke(kept.id)
    for bad in (token, "rwk_nonsense"):
        gone = read(bad, f"report.json?{month}")
        assert (gone.status_code, "got no good token" in gone.json()["error"]) == (401, True)


def almost_over(platform: Platform, lease: UUID) -> None:
    """Move the notice that stands into the past, so that half a minute is left of it."""
    now_us = platform.sessions.clock()
    begun = Notice(now_us - NOTICE_US + MINUTE_US // 2, now_us + MINUTE_US // 2, "longest")
    UseStore(platform.engine).revise(lease, lambda known: replace(known, notice=begun))


def waited(condition: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.5)


def a_trainee(instance: Any, context: BrowserContext) -> Page:
    """Somebody on the roster, signed up and signed in."""
    people = Platform(Config.load(Path(instance.folder) / "reelwright.toml")).people
    assert isinstance(people.person("ines"), Person)
    today = dt.datetime.now(dt.UTC).date()
    cohort = people.create_cohort("small", "main", "Autumn", today, today + dt.timedelta(days=30), "ines")
    people.import_roster(cohort.id, "number,name\nA01,李明\n".encode())
    page = context.new_page()
    page.goto("/hub/signup")
    for name, value in (
        ("code", cohort.class_code), ("number", "A01"), ("username", "liming"), ("password", PASSWORD),
        ("again", PASSWORD),
    ):  # fmt: skip
        page.fill(f"[name={name}], [name=class_{name}]", value)
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_load_state()
    page.goto(f"{PORTAL}/")
    if "login" in page.url:
        page.get_by_label("User name").fill("liming")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page
