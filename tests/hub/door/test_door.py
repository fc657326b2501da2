"""The door as people meet it: a real hub, a real proxy, a real browser."""

from __future__ import annotations

import re
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "a long sentence 9"
NUMBERS = count(1)
AXE = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"
HOUR_US = 3_600_000_000


def fresh_number() -> str:
    return f"S{next(NUMBERS):02}"


def sign_up(page: Page, hub: Any, name: str, number: str, code: str = "", password: str = PASSWORD) -> None:
    page.goto(f"{hub.url}/hub/signup")
    page.fill("#class_code", code or hub.cohort.class_code)
    page.fill("#number", number)
    page.fill("#username", name)
    page.fill("#password", password)
    page.fill("#again", password)
    page.click("main button[type=submit]")


def sign_in(page: Page, hub: Any, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username", name)
    page.fill("#password", password)
    page.click("main button[type=submit]")


def whoami(page: Page, hub: Any) -> dict[str, Any] | None:
    answer = page.request.get(f"{hub.url}/hub/api/user")
    return answer.json() if answer.ok else None


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate("axe.run().then(done => done.violations.map(v => v.id + ': ' + v.nodes[0].html))")


def invitation(hub: Any, role: str) -> str:
    return hub.people.invite(role, None, "setup", time.time_ns() // 1000 + HOUR_US)


def test_a_trainee_signs_up_with_the_class_code_and_is_in_the_course(page: Page, hub: Any) -> None:
    number = fresh_number()
    sign_up(page, hub, "Wanted.One", number, code=hub.cohort.class_code.lower())
    expect(page.get_by_role("heading", name="Your courses are in the portal")).to_be_visible()
    me = whoami(page, hub)
    assert me["name"] == "wanted.one"
    assert set(me["groups"]) == {"nbgrader-micro-drama", f"cohort-{hub.cohort.id}"}
    assert not me["admin"]
    assert hub.people.person("wanted.one").full_name == f"学员{int(number[1:])}"
    page.goto(f"{hub.url}/hub/logout")
    sign_in(page, hub, "WANTED.ONE ")
    assert whoami(page, hub)["name"] == "wanted.one"


@pytest.mark.parametrize(
    ("locale", "field", "words"),
    [
        ("en-US", "class_code", "There is no class of this code. Check it with your instructor."),
        ("zh-CN", "class_code", "没有这个班级码。请与班级教师核对。"),
        ("en-US", "number", "There is no seat of this number. Check it with your instructor."),
        ("zh-CN", "number", "班级名册上没有这个编号。请与班级教师核对。"),
    ],
)
def test_a_wrong_code_or_number_is_said_at_its_field(
    chromium: Browser, hub: Any, locale: str, field: str, words: str
) -> None:
    page = chromium.new_context(locale=locale).new_page()
    wrong = {"class_code": ("S30", "AAAAAAAA"), "number": ("S99", "")}[field]
    sign_up(page, hub, "nobody.yet", *wrong)
    assert page.locator("html").get_attribute("lang") == ("en" if locale == "en-US" else "zh-CN")
    box = page.locator(f"#{field}")
    expect(page.locator(f"#{field}-wrong")).to_have_text(words)
    expect(box).to_be_focused()
    assert f"{field}-wrong" in box.get_attribute("aria-describedby")
    assert page.locator("#username").input_value() == "nobody.yet"
    assert page.locator("#password").input_value() == ""
    assert hub.people.person("nobody.yet") is None
    page.context.close()


def test_a_seat_is_taken_once(page: Page, hub: Any) -> None:
    number = fresh_number()
    sign_up(page, hub, "early.bird", number)
    page.context.clear_cookies()
    sign_up(page, hub, "late.bird", number)
    expect(page.locator("#number-wrong")).to_have_text(
        "The seat of this number is taken. Check it with your instructor."
    )
    assert hub.people.person("late.bird") is None
    sign_in(page, hub, "late.bird")
    expect(page.locator(".note.bad")).to_have_text("User name or password is not right.")


@pytest.mark.parametrize("name", ["teacher", "early.bird2"])
def test_nobody_gets_an_account_that_is_somebody_elses(page: Page, hub: Any, name: str) -> None:
    if name != "teacher":
        sign_up(page, hub, name, fresh_number())
        page.context.clear_cookies()
    sign_up(page, hub, name, fresh_number(), password="another sentence 7")
    expect(page.locator("#username-wrong")).to_contain_text("This user name cannot be had")
    sign_in(page, hub, name, "another sentence 7")
    assert whoami(page, hub) is None


def test_what_is_wrong_with_the_form_is_said_all_at_once(page: Page, hub: Any) -> None:
    page.goto(f"{hub.url}/hub/signup?code=ABCD2345")
    assert page.locator("#class_code").input_value() == "ABCD2345"
    page.fill("#username", "Not A Name")
    page.fill("#password", "short")
    page.click("main button[type=submit]")
    wrong = [page.locator(f"#{name}-wrong").inner_text() for name in ("number", "username", "password")]
    assert [text.split(" ")[0] for text in wrong] == ["Type", "Use", "The"]
    expect(page.locator("#number")).to_be_focused()


def test_guessing_a_password_has_to_wait_and_others_do_not(page: Page, hub: Any) -> None:
    sign_up(page, hub, "guessed", fresh_number())
    page.context.clear_cookies()
    for _ in range(5):
        sign_in(page, hub, "guessed", "not the password")
        expect(page.locator(".note.bad")).to_have_text("User name or password is not right.")
    sign_in(page, hub, "guessed")
    expect(page.locator(".note.bad")).to_contain_text(re.compile(r"Too many attempts\. Wait \d+ seconds"))
    assert whoami(page, hub) is None
    token = httpx.post(
        f"{hub.url}/hub/api/users/guessed/tokens", json={"auth": {"username": "guessed", "password": PASSWORD}}
    )
    assert token.status_code == 403
    sign_up(page, hub, "not.guessed", fresh_number())
    assert whoami(page, hub)["name"] == "not.guessed"


def test_a_wait_says_how_long_to_machines_too(hub: Any) -> None:
    with httpx.Client(base_url=hub.url) as visitor:
        answers = []
        for _ in range(6):
            form = visitor.get("/hub/login").text
            xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form).group(1)
            typed = {"username": "ghost", "password": "not the password", "_xsrf": xsrf}
            answers.append(visitor.post("/hub/login", data=typed))
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 15


def test_guessing_class_codes_has_to_wait(page: Page, hub: Any) -> None:
    for guess in range(8):
        sign_up(page, hub, "coder", "S30", code=f"AAAAAA{guess + 2}A")
        expect(page.locator("#class_code-wrong")).to_be_visible()
    sign_up(page, hub, "coder", "S30")
    expect(page.locator(".note.bad")).to_contain_text("Too many attempts. Wait")
    assert hub.people.person("coder") is None


def test_an_expired_form_is_explained(page: Page, hub: Any) -> None:
    page.goto(f"{hub.url}/hub/login?lang=zh_CN")
    page.locator("input[name=_xsrf]").evaluate("box => box.value = 'stale'")
    page.fill("#username", "anybody")
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator(".note.bad")).to_contain_text("表单打开得太久")


@pytest.mark.parametrize(("locale", "words"), [("en-US", "This link does not work"), ("zh-CN", "这个链接无效")])
def test_a_welcome_link_works_once(chromium: Browser, hub: Any, locale: str, words: str) -> None:
    context = chromium.new_context(locale=locale)
    page = context.new_page()
    code = invitation(hub, "admin")
    name = f"boss-{locale.lower()}"
    link = f"{hub.url}/hub/welcome?code={code}"
    page.goto(link)
    page.goto(link)
    page.fill("#full_name", "管理员")
    page.fill("#username", "teacher")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator("#username-wrong")).to_be_visible()
    page.fill("#username", name)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{hub.url}/hub/home")
    assert code not in page.url
    me = whoami(page, hub)
    assert (me["name"], me["admin"], me["groups"]) == (name, True, ["staff"])
    context.clear_cookies()
    answer = page.goto(link)
    assert answer.status == 410
    expect(page.get_by_role("heading", level=1)).to_have_text(words)
    assert page.locator("form").count() == 0
    context.close()


def test_a_copied_cookie_is_worth_nothing_after_signing_out(page: Page, chromium: Browser, hub: Any) -> None:
    sign_up(page, hub, "copied", fresh_number())
    cookies = page.context.cookies()
    thief = chromium.new_context()
    thief.add_cookies(cookies)
    stolen = thief.new_page()
    assert whoami(stolen, hub)["name"] == "copied"
    page.click("#logout")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert whoami(stolen, hub) is None
    stolen.goto(f"{hub.url}/hub/home")
    assert "/hub/login" in stolen.url
    thief.close()


def test_the_hubs_cookies_are_kept_from_scripts_and_other_sites(page: Page, hub: Any) -> None:
    sign_up(page, hub, "cookies", fresh_number())
    page.click("text=中文")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert {"jupyterhub-hub-login", "jupyterhub-session-id", "_xsrf", "reelwright-lang"} <= set(cookies)
    for name, cookie in cookies.items():
        assert (cookie["sameSite"], cookie["httpOnly"]) == ("Lax", True), name


def test_a_new_password_signs_other_browsers_out(page: Page, chromium: Browser, hub: Any) -> None:
    sign_up(page, hub, "changer", fresh_number())
    other = chromium.new_context(locale="en-US").new_page()
    sign_in(other, hub, "changer")
    assert whoami(other, hub)["name"] == "changer"
    page.goto(f"{hub.url}/hub/change-password")
    for old, new, again, wrong in [
        ("not the old one", "a newer sentence", "a newer sentence", "#old-wrong"),
        (PASSWORD, "a newer sentence", "a newer sentense", "#again-wrong"),
        (PASSWORD, "short", "short", "#password-wrong"),
        (PASSWORD, "a newer sentence", "a newer sentence", ""),
    ]:
        page.fill("#old", old)
        page.fill("#password", new)
        page.fill("#again", again)
        page.click("main button[type=submit]")
        if wrong:
            expect(page.locator(wrong)).to_be_visible()
    expect(page.locator(".note.good")).to_be_visible()
    assert whoami(page, hub)["name"] == "changer"
    assert whoami(other, hub) is None
    sign_in(other, hub, "changer")
    assert whoami(other, hub) is None
    sign_in(other, hub, "changer", "a newer sentence")
    assert whoami(other, hub)["name"] == "changer"
    other.context.close()


def test_an_administrator_helps_who_forgot_and_nobody_else_can(page: Page, chromium: Browser, hub: Any) -> None:
    sign_up(page, hub, "forgetful", fresh_number())
    assert page.goto(f"{hub.url}/hub/change-password/teacher").status == 403
    admin = chromium.new_context(locale="en-US").new_page()
    admin.goto(f"{hub.url}/hub/welcome?code={invitation(hub, 'admin')}")
    admin.fill("#full_name", "Boss")
    admin.fill("#username", "helper")
    admin.fill("#password", PASSWORD)
    admin.fill("#again", PASSWORD)
    admin.click("main button[type=submit]")
    assert admin.goto(f"{hub.url}/hub/change-password/nobody-of-this-name").status == 404
    admin.goto(f"{hub.url}/hub/change-password/forgetful")
    admin.fill("#password", "given by the boss")
    admin.fill("#again", "given by the boss")
    admin.click("main button[type=submit]")
    expect(admin.locator(".note.good")).to_be_visible()
    assert whoami(page, hub) is None
    sign_in(page, hub, "forgetful", "given by the boss")
    assert whoami(page, hub)["name"] == "forgetful"
    admin.goto(f"{hub.url}/hub/admin")
    expect(admin.locator("text=forgetful").first).to_be_visible()
    admin.context.close()


def test_a_refused_start_shows_reason_balance_and_remedy(page: Page, hub: Any) -> None:
    sign_up(page, hub, "poor.one", fresh_number())
    assert page.goto(f"{hub.url}/hub/spawn").status == 403
    main = page.locator("main")
    for words in ("Not enough compute allowance", "¥0.42 is left; this session needs ¥3.00", "wait until the 1st"):
        expect(main).to_contain_text(words)
    page.click("text=中文")
    expect(main).to_contain_text("算力额度不足")
    expect(main).to_contain_text("剩余 ¥0.42，本次需要 ¥3.00")
    assert "Not enough" not in main.inner_text()
    assert violations(page) == []


def test_the_waiting_page_reports_and_a_broken_start_hides_its_insides(page: Page, hub: Any) -> None:
    sign_up(page, hub, "broken.one", fresh_number())
    page.goto(f"{hub.url}/hub/spawn", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1)).to_have_text("Preparing your lab")
    expect(page.locator("#now")).to_have_text("Opening the lab")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your lab could not be started", timeout=30_000)
    assert "/srv/secret/path" not in page.content()


def test_a_start_can_be_cancelled(page: Page, hub: Any) -> None:
    sign_up(page, hub, "slow.one", fresh_number())
    page.goto(f"{hub.url}/hub/spawn", wait_until="domcontentloaded")
    assert violations(page) == []
    page.click("#stop")
    page.wait_for_url("**/services/portal/**")
    assert whoami(page, hub)["servers"] == {}


@pytest.mark.parametrize(
    "address", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_the_language_switch_leads_nowhere_else(page: Page, hub: Any, address: str) -> None:
    page.goto(f"{hub.url}/hub/login")
    answer = page.request.get(f"{hub.url}/hub/lang", params={"to": "en", "next": address}, max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (302, "/hub/")
    assert page.request.get(f"{hub.url}/hub/lang?to=xx").status == 400


def test_the_language_chosen_stays(page: Page, hub: Any) -> None:
    sign_up(page, hub, "bilingual", fresh_number())
    page.goto(f"{hub.url}/hub/nothing?a=1")
    page.click("text=中文")
    assert page.url == f"{hub.url}/hub/nothing?a=1"
    expect(page.get_by_role("heading", level=1)).to_have_text("没有这个页面")
    assert hub.people.person("bilingual").locale == "zh_CN"
    page.context.clear_cookies()
    sign_in(page, hub, "bilingual")
    expect(page.get_by_role("heading", level=1)).to_have_text("您的课程在门户里")


def test_nativeauthenticators_own_pages_are_gone(page: Page, hub: Any) -> None:
    for address in ("authorize", "discard/teacher", "confirm/x"):
        assert page.goto(f"{hub.url}/hub/{address}").status in (403, 404)


PAGES = ["login", "signup", "welcome?code=no", "logout", "nothing", "signed-in:home", "signed-in:change-password"]


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_fit_a_phone_and_ask_nothing_of_others(
    chromium: Browser, hub: Any, locale: str, scheme: Any
) -> None:
    context = chromium.new_context(locale=locale, color_scheme=scheme, viewport={"width": 360, "height": 700})
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.split("/hub/")[0]))
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    sign_up(page, hub, f"looker-{locale.lower()}-{scheme}", fresh_number())
    signed_in = context.cookies()
    for name in PAGES:
        context.clear_cookies()
        if name.startswith("signed-in:"):
            context.add_cookies(signed_in)
        page.goto(f"{hub.url}/hub/{name.removeprefix('signed-in:')}")
        assert page.locator("h1").count() == 1, name
        assert page.evaluate("document.documentElement.scrollWidth") == 360, name
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", name
        assert violations(page) == [], name
    assert asked == {hub.url}
    assert faults == []
    context.close()
