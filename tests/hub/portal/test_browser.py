"""Every page in a real browser: no axe violation, nothing wider than the screen, and the parts that move do."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from hub.compute.budget import Allotment
from hub.compute.claim.value import ClaimRequest, Note
from hub.compute.class_window import ClassWindow
from hub.compute.lease import HOUR_US, LeaseRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
LINES = "/funding/lines?first=2026-11-01&last=2026-11-30&by=course&programme=sh-ai-micro-drama-2026&course=micro-drama"
LAB = "/course/micro-drama/lab/script-to-shots"
PAGES = [
    ("liming", "/"),
    ("liming", "/compute"),
    ("liming", LAB),
    ("liming", "/course/micro-drama/lab/first-take"),
    ("learner6", "/"),
    ("learner6", "/compute"),
    ("learner6", "/course/micro-drama/lab/first-take"),
    ("liming", "/join"),
    ("wang", "/classes"),
    ("wang", "/classes/{cohort}"),
    ("wang", "/classes/{cohort}/regrade/script-to-shots"),
    ("wang", "/classes/{cohort}/similarity/script-to-shots"),
    ("wang", "/classes/{cohort}/hand/script-to-shots"),
    ("wang", "/classes/{cohort}/hand/script-to-shots/next/reading?cell=essay&criterion=hook"),
    ("fund", "/funding"),
    ("fund", LINES),
    ("fund", "/funding/dashboard"),
    ("fund", "/claims"),
    ("root", "/claims"),
    ("root", "{claim}"),
    ("root", "/operations"),
    ("root", "/admin"),
    ("fund", "/admin"),
    ("nobody", "/"),
]
LOOKS = [("zh_CN", 1280, "light"), ("en", 360, "dark"), ("en", 1280, "dark"), ("zh_CN", 360, "light")]


@pytest.fixture
def address(busy: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, busy.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/portal"
    server.shutdown()


@pytest.fixture
def money(busy: Any) -> str:
    """A frozen claim of October with a query, whose page is returned; budgets, vouchers, a token, a class."""
    noon = 1_792_080_000_000_000
    for number, name in enumerate([f"learner{n}" for n in range(1, 7)], start=100):
        lease = LeaseRequest(
            id=UUID(int=number), learner=name, course="micro-drama", lab="first-take", cohort="", site="main",
            profile="cpu", longest_us=HOUR_US, requested_us=noon,
        )  # fmt: skip
        busy.ledger.open(lease)
        busy.ledger.record_started(lease.id, noon, "shim")
        busy.ledger.record_ended(lease.id, noon + HOUR_US, "shim", "stopped")
    asked = ClaimRequest(
        id=UUID(int=1), programme="sh-ai-micro-drama-2026", payer="city", from_day="2026-10-01",
        until_day="2026-11-01", operator="运营公司", contract="HT-2026-018",
    )  # fmt: skip
    frozen = busy.ledger.claims.freeze(asked)
    said = Note(id=UUID(int=2), claim=asked.id, what="query", words="请说明首日用量。", by="fund", at_us=busy.now_us)
    busy.ledger.claims.note(said)
    given = Allotment(scope="site", who="main", micro_yuan=10**9, why="第四季度", by="root", at_us=busy.now_us)
    busy.ledger.budgets.allot(given)
    busy.ledger.vouchers.issue(2, "micro-drama", 10**7, busy.now_us + HOUR_US, "开放日", "root")
    busy.tokens.make("Grafana", ["metrics", "report:site=main"], 90, "root")
    busy.ledger.observe(UUID(int=9), "docker", noon, noon + HOUR_US)
    cohort = str(busy.the_class.id)
    hours = {"from_us": busy.now_us + HOUR_US, "until_us": busy.now_us + 3 * HOUR_US}
    busy.ledger.classes.schedule(ClassWindow(course="micro-drama", cohort=cohort, by="wang", **hours))
    return f"/claims/{frozen.request.id}"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


def _open(browser: Browser, address: str, name: str, width: int = 1280, look: Any = "light") -> Page:
    # axe is put into the page by the browser's own tools, which the page's policy would otherwise forbid.
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=look, bypass_csp=True)
    context.add_cookies([{"name": "test-name", "value": name, "url": address}])
    return context.new_page()


def _violations(page: Page) -> list[str]:
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)]))")
    return [f"{rule}: {nodes}" for rule, nodes in found]


@pytest.mark.parametrize(("lang", "width", "look"), LOOKS)
def test_every_page_is_accessible_and_fits(
    busy: Any, browser: Browser, address: str, money: str, lang: str, width: int, look: str
) -> None:
    for name, path in PAGES:
        page = _open(browser, address, name, width, look)
        asked = path.format(cohort=busy.the_class.id, claim=money)
        page.goto(f"{address}{asked}{'&' if '?' in asked else '?'}lang={lang}")
        assert page.locator("h1").count() == 1, (name, path)
        assert _violations(page) == [], (name, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, path)
        page.context.close()


def test_a_queued_lab_shows_its_score_without_a_reload(busy: Any, browser: Browser, address: str, cells: Any) -> None:
    page = _open(browser, address, "liming")
    page.goto(f"{address}/course/micro-drama/lab/first-take?lang=en")
    page.evaluate("window.same = true")
    assert page.locator("#attempts .chip").first.inner_text() == "Submitted, in the queue"
    busy.grade(cells.auto(4, "对。", "The clip is as long as asked."))
    page.get_by_text("The clip is as long as asked.").wait_for(timeout=15_000)
    assert page.locator("#attempts-news").text_content() == "Graded"
    assert page.evaluate("window.same")
    assert page.locator("[data-refresh]").count() == 0


def test_a_lab_is_stopped_with_one_press_and_its_charge_appears(busy: Any, browser: Browser, address: str) -> None:
    busy.sign_in.on_stop = lambda _name: None  # the hub takes its time
    page = _open(browser, address, "learner6")
    page.goto(f"{address}/?lang=en")
    page.get_by_role("region", name="The lab that runs now").get_by_role("button", name="Stop the lab").click()
    page.get_by_text("The lab is being stopped.").wait_for()
    assert _violations(page) == []
    busy.end("learner6")
    page.get_by_text("The lab has stopped.").wait_for(timeout=15_000)
    assert page.get_by_text("ran for 15 min. Charged: ¥0.12").count() == 1
    assert page.locator("[data-refresh]").count() == 0
    page.get_by_role("link", name=re.compile("Continue the lab.*Script to shots")).first.wait_for()
    assert _violations(page) == []


def test_an_instructor_fills_a_class_by_keyboard_and_file(busy: Any, browser: Browser, address: str) -> None:
    page = _open(browser, address, "wang")
    page.goto(f"{address}/classes?lang=en")
    page.get_by_label("Name of the class").fill("Winter class")
    page.get_by_label("First day").fill("2026-12-01")
    page.get_by_label("Last day").fill("2027-01-31")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Winter class").wait_for()
    roster = {"name": "roster.csv", "mimeType": "text/csv", "buffer": "number,name\n1,王小明\n2,\n".encode()}
    page.get_by_label("CSV file").set_input_files(roster)
    page.get_by_role("button", name="Import the roster").click()
    page.get_by_text("1 added, 0 corrected, 0 as they were, 1 refused.").wait_for()
    assert _violations(page) == []


def test_five_clicks_are_enough_from_the_first_page_to_the_notebook(browser: Browser, address: str) -> None:
    page = _open(browser, address, "learner5")
    page.goto(f"{address}/?lang=en")
    with page.expect_request("**/hub/spawn/learner5**") as spawn:
        page.get_by_role("link", name=re.compile("Continue the lab.*Script to shots")).first.click()
    assert "next=%2Fuser%2Flearner5%2Flab%2Ftree%2Fmicro-drama%2Fscript-to-shots" in spawn.value.url


def _every_standing(steward: Any) -> None:
    """A class in which a certificate stands in every way it can, and a name waits to be confirmed."""
    world = steward.world
    world.people.import_roster(world.the_class.id, "number,name\nA03,王芳\nA04,刘洋\nA05,陈静\n".encode())
    learners = ["liming", *(world.trainee(world.the_class, f"A0{n}", f"learner{n}") for n in (2, 3, 4, 5))]
    for learner in learners:
        steward.completes("micro-drama", learner)
    steward.completes("short-film", "liming")
    steward.round()
    store, ids = steward.store, [steward.held(learner, "micro-drama").id for learner in learners]
    steward.reissue(ids[0])
    steward.sign()
    store.share(steward.held("liming", "micro-drama").id, hide_name=True, hide_score=True)
    store.pause(steward.held("liming", "short-film").id)
    store.pause(ids[1])
    store.revoke(ids[2], "评分有误 / graded by mistake")
    world.people.ask_for_name("liming", "黎明")
    steward.reissue(ids[3])


def test_certificates_are_accessible_and_fit_however_they_stand(
    steward: Any, browser: Browser, request: pytest.FixtureRequest
) -> None:
    _every_standing(steward)
    server = make_server("127.0.0.1", 0, steward.world.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request.addfinalizer(server.shutdown)
    address = f"http://127.0.0.1:{server.server_port}/services/portal"
    for lang, width, look in LOOKS:
        for name, path in (
            ("liming", "/certificates"),
            ("wang", f"/classes/{steward.world.the_class.id}/certificates"),
        ):
            page = _open(browser, address, name, width, look)
            page.goto(f"{address}{path}?lang={lang}")
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            if folder := os.environ.get("PORTAL_SCREENSHOTS"):
                page.screenshot(path=f"{folder}/{name}-{lang}-{width}.png", full_page=True)
            assert _violations(page) == [], (name, path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, path)
            page.context.close()
