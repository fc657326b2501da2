"""An instructor makes a lab in the browser, start to end: template, JupyterLab, preview, gate, release to a trainee."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from hub.config import Config
from hub.people.person import Person
from hub.platform import Platform

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "a long way to the sea"
PORTAL = "/services/portal"
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
