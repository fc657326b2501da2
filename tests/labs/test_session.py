"""The lab's clock in a real JupyterLab: a learner sees when the lab ends, is told before, and the work is saved."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from labs.session.use import LastUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

expect.set_options(timeout=60_000)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BAR = "#reelwright-session"
NARROW_CELL = 290


def _kernel(state: str, minutes_ago: int) -> dict[str, Any]:
    return {"execution_state": state, "last_activity": (NOW - timedelta(minutes=minutes_ago)).isoformat()}


@pytest.mark.parametrize(
    ("kernels", "minutes"),
    [
        ([], 90),
        ([_kernel("idle", 40)], 40),
        ([_kernel("idle", 40), _kernel("busy", 60)], 0),
        ([_kernel("dead", 95)], 90),
    ],
)
def test_a_kernel_at_work_is_use_however_silent(kernels: list[dict[str, Any]], minutes: int) -> None:
    use = LastUse(NOW - timedelta(minutes=90))
    use.saw_kernels(kernels, NOW)
    assert use.seconds_ago(NOW) == minutes * 60


def _session(minutes_left: float, *, is_noticed: bool = False) -> dict[str, Any]:
    now = time.time_ns() // 1000
    return {
        "course": "micro-drama", "lab": "first-take", "now_us": now, "started_us": now - 600_000_000,
        "ends_us": now + int(minutes_left * 60_000_000), "why": "idle", "is_noticed": is_noticed,
        "cost_uy": 250_000, "left_uy": 59_000_000,
    }  # fmt: skip


@pytest.fixture
def page(intake: Any, lab_server: httpx.Client, tmp_path: Path) -> Iterator[Page]:
    cells = [nbformat.v4.new_code_cell("import time\ntime.sleep(600)")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    (tmp_path / "home" / "work.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(60_000)
        yield opened
        browser.close()


@pytest.mark.slow
@pytest.mark.browser
def test_the_learner_sees_the_end_is_told_and_the_work_is_saved(
    intake: Any, lab_server: httpx.Client, page: Page, tmp_path: Path
) -> None:
    intake.session = _session(95)
    page.goto(f"{lab_server.base_url}/lab/tree/work.ipynb?token=t")
    bar = page.locator(BAR)
    expect(bar).to_have_text("1 h 34 min left · ¥0.25 so far", timeout=60_000)

    # The notice says why, and the end is told from the platform's clock.
    expect(page.get_by_text("| Idle").first).to_be_visible()
    page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell .cm-content").first.click()
    page.keyboard.type("# not saved yet ")
    intake.session = _session(4.5, is_noticed=True)
    _look_again(page)
    expect(bar).to_contain_text("⚠ 4 min left")
    told = page.get_by_text("nobody has used this lab for a while")
    expect(told).to_be_visible()
    intake.session = _session(60)
    page.get_by_role("button", name="Keep working").click()
    expect(bar).to_contain_text("59 min left")

    # A level of the allowance that is passed is told once.
    intake.session = {**_session(60), "alert": 70}
    _look_again(page)
    expect(page.get_by_text("70% of the compute allowance is used.")).to_have_count(1)
    _look_again(page)
    expect(page.get_by_text("70% of the compute allowance is used.")).to_have_count(1)

    # Just before the end, what is open is saved.
    intake.session = _session(1.2, is_noticed=True)
    _look_again(page)
    expect(bar).to_contain_text("⚠ 1 min left")
    file = tmp_path / "home" / "work.ipynb"
    while "not saved yet" not in file.read_text(encoding="utf-8"):
        page.wait_for_timeout(100)


@pytest.mark.slow
@pytest.mark.browser
def test_a_phone_s_screen_belongs_to_the_notebook(intake: Any, lab_server: httpx.Client, page: Page) -> None:
    intake.session = _session(95)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{lab_server.base_url}/lab/tree/work.ipynb?token=t")
    expect(page.locator(BAR)).to_be_in_viewport()
    expect(page.locator(".jp-SideBar.jp-mod-left")).to_be_hidden()
    width = "document.querySelector('.jp-Cell-inputArea')?.getBoundingClientRect().width"
    page.wait_for_function(f"{width} > {NARROW_CELL}")
    # What was put away comes back with the room for it.
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator(".jp-SideBar.jp-mod-left")).to_be_visible()
    expect(page.locator("#jp-main-statusbar")).to_be_visible()


@pytest.mark.slow
def test_a_lab_without_the_platform_says_what_is_wrong(intake: Any, lab_server: httpx.Client) -> None:
    answer = lab_server.post("/reelwright/session", json={"untouched_seconds": 5})
    assert answer.status_code == 404
    assert "no lab of yours is running" in answer.json()["message"] or "没有" in answer.json()["message"]
    assert lab_server.post("/reelwright/session", json={"untouched_seconds": -1}).status_code == 400


def _look_again(page: Page) -> None:
    """What a learner does who comes back to the window."""
    with page.expect_response("**/reelwright/session*"):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
