"""The public pages as people meet them: a real server and browser, every page in both languages, wide and narrow."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

from certs.app import create_app
from certs.certificate import ProgrammeClaim, Text
from certs.credential.identity import commit
from certs.forms.typeset import print_forms
from certs.issue import issue_pending, prepare, refresh_lists, sign
from certs.limit import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from certs.certificate import Claim, IssuerProfile
    from certs.keys import IssuerKey
    from certs.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = os.environ.get("CERTS_SCREENSHOTS")
DAY_US = 86_400_000_000
ADDRESS = "http://127.0.0.1:{}/certs"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def site(
    store: Store, claim: Claim, profile: IssuerProfile, key: IssuerKey, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """A served instance in which every kind of page there is can be seen, by name."""
    server = make_server("127.0.0.1", 0, lambda _environ, _start: [], threaded=True)
    base = ADDRESS.format(server.server_port)
    here = replace(profile, id=f"{base}/issuer", base_url=base)
    server.app = create_app(store, here, rate=Rate(1000, 10_000))
    store.register_key(key.multibase)
    sealed = commit("11010119900307123X")
    asked = [
        store.request(replace(claim, holder_ref=f"u{number}", course=f"c{number}", identity_sha256=sealed.sha256))
        for number in range(5)
    ]
    issue_pending(store, key, here)
    whole = store.request(_programme(tuple(asked[:2])))
    newer = store.reissue(asked[2], replace(store.claim_of(asked[2]), holder_name="陈晓宇"))  # type: ignore[arg-type]
    issue_pending(store, key, here)
    refresh_lists(store, key, here)
    store.revoke(asked[3], "评分有误 / graded by mistake")
    expired = _expired(store, replace(claim, holder_ref="u9"), key, here)
    store.pause(asked[4])
    token = store.share(asked[0], hide_name=True, hide_score=True)
    lines = "\n".join([*asked, newer, "0" * 32])
    (tmp_path / "many.csv").write_text(lines)
    (tmp_path / "one.pdf").write_bytes(store.form(asked[0], "pdf") or b"")
    forged = (store.by_id(asked[0]).document or b"").replace("陈晓雨".encode(), "李晓雨".encode())  # type: ignore[union-attr]
    (tmp_path / "forged.json").write_bytes(forged)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.write(tmp_path / "one.pdf", "one.pdf")
        archive.write(tmp_path / "forged.json", "forged.json")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield {
        "base": base,
        "folder": tmp_path,
        "opening": sealed.opening,
        "pages": {
            "home": "/",
            "valid": f"/{asked[0]}",
            "checked": f"/{asked[0]}/check",
            "programme": f"/{whole}",
            "expired": f"/{expired}",
            "superseded": f"/{asked[2]}",
            "revoked": f"/{asked[3]}",
            "paused": f"/{asked[4]}",
            "shared": f"/s/{token}",
            "missing": f"/{'0' * 32}",
            "misread": "/?id=nothing",
        },
    }
    server.shutdown()
    thread.join()


def _expired(store: Store, claim: Claim, key: IssuerKey, profile: IssuerProfile) -> str:
    """A certificate that was signed a year ago for a month."""
    begun_us = time.time_ns() // 1000 - 365 * DAY_US
    aged = replace(claim, completed_us=begun_us - DAY_US, valid_until_us=begun_us + 30 * DAY_US)
    asked = store.request(aged)
    kept = store.by_id(asked)
    assert kept is not None
    place = {"status_list": kept.status_list, "status_index": kept.status_index, "valid_from_us": begun_us}
    document = sign(prepare(aged, profile, certificate_id=asked, **place), key)
    store.record_signed(asked, document, print_forms(document))
    return asked


def _programme(members: tuple[str, ...]) -> ProgrammeClaim:
    return ProgrammeClaim(
        holder_name="陈晓雨",
        holder_ref="programme:u0",
        course="film-with-ai",
        course_version="2026",
        title=Text("AI 影视制作", "Film production with AI"),
        summary=Text("两门课程。", "Two courses."),
        criteria=Text("完成两门课程。", "Both courses completed."),
        members=members,
        completed_us=1_795_305_600_000_000,
    )


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(
        "axe.run().then(done => done.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))"
    )
    return found


def _is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def _shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("lang", ["zh_CN", "en"])
def test_every_page_answers_axe_and_fits(browser: Browser, site: dict[str, Any], lang: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme="light" if lang == "en" else "dark")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    problems = {}
    for name, address in site["pages"].items():
        page.goto(f"{site['base']}{address}{'&' if '?' in address else '?'}lang={lang}")
        _shoot(page, f"{name}-{lang}-{width}")
        if found := violations(page) + (["wider than the screen"] if _is_too_wide(page) else []):
            problems[name] = found
    for name, form, file in (
        ("uploaded", "/verify", "one.pdf"),
        ("forged", "/verify", "forged.json"),
        ("numbers", "/batch", "many.csv"),
        ("files", "/batch", "many.zip"),
    ):
        page.goto(f"{site['base']}/?lang={lang}")
        page.set_input_files(f"form[action*='{form}'] input[type=file]", site["folder"] / file)
        page.click(f"form[action*='{form}'] button")
        _shoot(page, f"{name}-{lang}-{width}")
        if found := violations(page) + (["wider than the screen"] if _is_too_wide(page) else []):
            problems[name] = found
    page.close()
    assert problems == {}
    assert {url for url in asked if not url.startswith(site["base"])} == set()


def test_everything_works_without_javascript(browser: Browser, site: dict[str, Any]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site['base']}{site['pages']['valid']}?lang=en")
    page.fill("#number", "11010119900307123x")
    page.fill("#opening", site["opening"])
    page.click("form[action*='identity'] button")
    assert "Yes: this number and this code" in page.content()
    page.goto(f"{site['base']}/?lang=en")
    page.set_input_files("#many", site["folder"] / "many.csv")
    page.click("form[action*='batch'] button")
    assert "7 rows, of which valid: 3" in page.content()
    assert context.cookies() == []
    context.close()


def test_the_printed_page_shows_what_counts_and_no_form(browser: Browser, site: dict[str, Any]) -> None:
    page = browser.new_page()
    page.goto(f"{site['base']}{site['pages']['valid']}?lang=en")
    page.emulate_media(media="print")
    _shoot(page, "print-en")
    assert page.locator("h1").is_visible()
    assert page.locator(".verdict .word").is_visible()
    assert page.get_by_text("Certificate address").is_visible()
    for hidden in ("form", ".actions", ".holders", "nav", "#h-identity"):
        assert not any(found.is_visible() for found in page.locator(hidden).all()), hidden
    page.close()


def test_each_page_carries_the_word_and_the_mark_of_its_own_standing(browser: Browser, site: dict[str, Any]) -> None:
    """Valid, expired, revoked, superseded, paused and unknown: no two share a word or a shape."""
    page, words, shapes = browser.new_page(), [], []
    for name in ("valid", "expired", "revoked", "superseded", "paused"):
        page.goto(f"{site['base']}{site['pages'][name]}?lang=en")
        words.append(page.locator(".verdict .word").inner_text())
        shapes.append(page.locator(".verdict .mark").first.inner_html())
    page.goto(f"{site['base']}{site['pages']['missing']}?lang=en")
    words.append(page.locator("h1").inner_text())
    assert page.locator(".verdict").count() == 0
    assert words == [
        "Valid", "Expired", "Revoked", "Superseded", "Paused by the holder", "No certificate at this address",
    ]  # fmt: skip
    assert len(set(shapes)) == 5
    page.close()


def test_the_standings_look_different_without_colour(browser: Browser, site: dict[str, Any]) -> None:
    """The marks themselves, drawn in one ink on white, are not the same picture twice."""
    page = browser.new_page()
    page.goto(f"{site['base']}/?lang=en")
    shapes = page.eval_on_selector_all(".legend .mark", "marks => marks.map(mark => mark.innerHTML)")
    words = page.eval_on_selector_all(".legend strong", "all => all.map(one => one.textContent)")
    assert len(shapes) == len(words) == 7
    assert len(set(shapes)) == 7
    assert len(set(words)) == 7
    page.close()
