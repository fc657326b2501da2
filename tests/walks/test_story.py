"""The main job, end to end, in a real browser: the story of docs/architecture.md with one person of each kind.

The steps share one instance and run in order; each asserts what the person at the browser would notice.
"""

import datetime as dt
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
SOURCES = ROOT / "courses" / "micro-drama" / "source"
PASSWORD = "a long way to the sea"
CLASS = "Autumn class"
SCRIPT, TAKE = "script-to-shots", "first-take"
HUNGRY = """
import os, time
for pid in filter(str.isdigit, os.listdir("/proc")):  # the server, not this program, is what the kernel is to choose
    with open(f"/proc/{pid}/oom_score_adj", "w") as score:
        score.write("500" if int(pid) in (1, os.getpid()) else "1000")
for _ in range(16):  # many small ones: none of them is the largest
    if os.fork() == 0:
        held = b"x" * (256 << 20)
        time.sleep(60)
os.wait()
"""
story: dict[str, Any] = {}


def begin(page: Page, link: str, full_name: str, name: str) -> None:
    page.goto(link)
    for label, value in (("full_name", full_name), ("username", name), ("password", PASSWORD), ("again", PASSWORD)):
        page.fill(f"[name={label}]", value)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/services/portal/**")


def invite(page: Page, role: str) -> str:
    page.goto("/services/portal/admin")
    page.get_by_label("Role", exact=True).select_option(role)
    page.get_by_role("button", name="Make the link").click()
    link = re.search(r"http\S+/hub/welcome\?code=[\w-]+", page.inner_text("main"))
    assert link is not None
    return link.group()


def test_the_first_administrator_signs_in_once(instance: Any, people: Any) -> None:
    page = people["administrator"].page
    link = instance.first_administrators_link()
    begin(page, link, "Ada Admin", "ada")
    expect(page.get_by_role("heading", name="Administration")).to_be_visible()
    page.context.clear_cookies()
    page.goto(link)
    expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
    page.goto("/hub/login")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Administration")).to_be_visible()


def test_an_instructor_opens_a_class_and_imports_its_roster(people: Any) -> None:
    link = invite(people["administrator"].page, "instructor")
    page = people["instructor"].page
    begin(page, link, "Ines Instructor", "ines")
    page.goto("/services/portal/classes")
    page.get_by_label("Name of the class").fill(CLASS)
    today = dt.datetime.now(dt.UTC).date()
    page.get_by_label("First day").fill((today - dt.timedelta(days=1)).isoformat())
    page.get_by_label("Last day").fill((today + dt.timedelta(days=60)).isoformat())
    page.get_by_role("button", name="Create the class").click()
    expect(page.get_by_role("heading", name=CLASS)).to_be_visible()
    story["class_page"] = page.url
    roster = "number,name\n2026001,林晓雨\n2026002,\n2026001,王小明\n2026003,赵一\n"
    page.set_input_files("#roster-file", {"name": "r.csv", "mimeType": "text/csv", "buffer": roster.encode()})
    page.get_by_role("button", name="Import the roster").click()
    report = page.get_by_role("region", name="What became of the roster")
    expect(report.get_by_role("row")).to_have_count(5)
    expect(report).to_contain_text("林晓雨")
    assert report.inner_text().lower().count("refused") >= 2
    found = re.search(
        r"\b[A-HJKMNP-Z2-9]{4}[ -]?[A-HJKMNP-Z2-9]{4}\b", page.get_by_role("region", name="Class code").inner_text()
    )
    assert found is not None
    story["code"] = found.group()


def sign_up(page: Page, code: str, number: str, name: str) -> None:
    page.goto("/hub/signup")
    page.locator("[name=code], [name=class_code]").fill(code)
    page.fill("[name=number]", number)
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=again]", PASSWORD)
    page.get_by_role("button", name="Sign up").click()


def test_a_trainee_signs_up_with_the_class_code(people: Any) -> None:
    page = people["trainee"].page
    sign_up(page, "WRNGC2DE", "2026001", "xiaoyu")
    expect(page.get_by_role("heading", name="Sign up with a class code")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_visible()
    sign_up(page, story["code"], "2026001", "xiaoyu")
    page.goto("/services/portal/")
    if "login" in page.url:
        page.get_by_label("User name").fill("xiaoyu")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Compute allowance")
    expect(main.get_by_role("link", name=re.compile("Start the lab"))).not_to_have_count(0)
    page.goto("/services/portal/?lang=zh_CN")
    expect(page.get_by_role("main")).to_contain_text("算力")
    page.goto("/services/portal/?lang=en")


def open_lab(page: Page, lab: str) -> None:
    """From the course page to the open notebook, counting clicks."""
    page.goto("/services/portal/")
    title = {SCRIPT: "Script to shots", TAKE: "First take"}[lab]
    link = page.get_by_role(
        "link", name=re.compile(f"(Start|Continue) the lab *: {title}|Open the notebook *: {title}")
    )
    link.first.click()
    page.wait_for_url(f"**/lab/**/{lab}.ipynb", timeout=90_000)
    expect(page.locator(".jp-Notebook .jp-Cell:visible").first).to_be_visible(timeout=60_000)


def write_answers(page: Page, lab: str) -> None:
    """Put the reference answers into the learner's own notebook, as saving it in the editor would."""
    source = nbformat.read(SOURCES / lab / f"{lab}.ipynb", as_version=4)
    answers = {
        cell.metadata.nbgrader.grade_id: re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        for cell in source.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    saved = page.evaluate(
        """async ({path, answers}) => {
            const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
            const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
            const headers = {'Content-Type': 'application/json', 'X-XSRFToken': xsrf};
            const url = `${base}api/contents/${path}?content=1&_=${Date.now()}`;
            const model = await (await fetch(url, {headers})).json();
            for (const cell of model.content.cells) {
                const id = cell.metadata.nbgrader && cell.metadata.nbgrader.grade_id;
                if (answers[id]) cell.source = answers[id];
            }
            const put = await fetch(`${base}api/contents/${path}`, {
                method: 'PUT', headers,
                body: JSON.stringify({type: 'notebook', format: 'json', content: model.content})});
            return put.status;
        }""",
        {"path": f"micro-drama/{lab}/{lab}.ipynb", "answers": answers},
    )
    assert saved == 200
    page.reload()
    expect(page.locator(".jp-Notebook .jp-Cell:visible").first).to_be_visible(timeout=60_000)


def listed(page: Page, folder: str) -> str:
    """The names in a folder of the learner's home, as the file browser would list them."""
    names: str = page.evaluate(
        """async (folder) => {
            const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
            const headers = {'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)[1]};
            const answer = await fetch(`${base}api/contents/${folder}?content=1&_=${Date.now()}`, {headers});
            return answer.ok ? (await answer.json()).content.map((entry) => entry.name).join(' ') : '';
        }""",
        folder,
    )
    return names


def assignment_list(page: Page) -> Any:
    page.locator(".lm-MenuBar-itemLabel", has_text="Nbgrader").click()
    page.locator(".lm-Menu-itemLabel", has_text="Assignment List").click()
    downloaded = page.locator("#fetched_assignments_list")
    expect(downloaded.locator(".list_item").first).to_be_visible()
    return downloaded


def submit(page: Page, lab: str) -> None:
    row = assignment_list(page).locator(".list_item", has_text=lab).first
    submitted = page.locator("#submitted_assignments_list .list_item", has_text=lab)
    with page.expect_response(re.compile("assignments/submit")) as answer:
        row.get_by_role("button", name="Submit").click()
    assert answer.value.json()["success"], answer.value.text()
    expect(submitted.first).to_be_visible()


def see_score(page: Page, lab: str, attempt: int) -> Any:
    """Wait on the lab's page, which refreshes by itself, until this attempt is scored; returns its card."""
    page.goto(f"/services/portal/course/micro-drama/lab/{lab}")
    card = page.get_by_role("article", name=f"Attempt {attempt}")
    expect(card).to_be_visible()
    expect(card.get_by_role("list").first).to_be_visible(timeout=240_000)
    return card


def test_five_clicks_lead_from_sign_in_to_the_open_notebook(instance: Any, people: Any) -> None:
    page = people["trainee"].page
    open_lab(page, SCRIPT)
    expect(page.locator(".jp-Notebook")).to_contain_text("Script to shots")
    expect(page.locator("#reelwright-session")).to_contain_text(re.compile(r"\d+ min left · ¥\d"))
    told = instance.command("ledger", "verify", "--json")
    assert told.returncode == 0, told.stdout
    assert '"first_bad": null' in told.stdout


def test_a_blank_attempt_scores_nothing_and_says_why(people: Any) -> None:
    page = people["trainee"].page
    submit(page, SCRIPT)
    card = see_score(page, SCRIPT, 1)
    expect(card).to_contain_text(re.compile(r"0 / 3"))
    expect(card).to_contain_text("SHA-256")


def test_a_second_attempt_is_validated_submitted_and_scored(people: Any) -> None:
    page = people["trainee"].page
    open_lab(page, SCRIPT)
    write_answers(page, SCRIPT)
    page.get_by_role("button", name="Validate").first.click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text(re.compile("Success|passes all"), timeout=90_000)
    dialog.get_by_role("button").first.click()
    submit(page, SCRIPT)
    card = see_score(page, SCRIPT, 2)
    expect(card).to_contain_text("3 / 3")
    expect(page.get_by_role("article", name="Attempt 1")).to_be_visible()


def answers(page: Page, path: str) -> int:
    """The status that the browser gets there; 0 when nobody answers."""
    try:
        return page.request.get(path, timeout=10_000).status
    except PlaywrightError:
        return 0


def read(page: Page, path: str) -> str:
    page.goto(path)
    return page.get_by_role("main").inner_text()


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_a_take_is_generated_and_scored(people: Any) -> None:
    page = people["trainee"].page
    open_lab(page, TAKE)
    write_answers(page, TAKE)
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()
    page.wait_for_timeout(2000)  # JupyterLab is still taking up its sessions after a reload; a person reads meanwhile
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()
    deadline = time.monotonic() + 180
    while "steps-8.mp4" not in listed(page, f"micro-drama/{TAKE}/takes"):
        assert time.monotonic() < deadline, "no film was made"
        page.wait_for_timeout(1000)
    page.keyboard.press("Control+s")
    submit(page, TAKE)
    card = see_score(page, TAKE, 1)
    expect(card).to_contain_text("4 / 4")


def test_the_instructor_grades_the_script_by_hand_and_releases_the_feedback(people: Any) -> None:
    page = people["instructor"].page
    page.goto(story["class_page"])
    standing = page.get_by_role("region", name="Where everybody stands")
    expect(standing).to_contain_text("林晓雨")
    standing.get_by_role("link", name=re.compile("grade by hand")).first.click()
    page.get_by_role("link", name=SCRIPT).last.click()
    page.get_by_role("link", name="Submission #1").click()
    page.wait_for_load_state("networkidle")  # formgrader's fields save only once its own data has arrived
    mark, comment = page.locator("#hook-and-cliffhanger"), page.locator("#hook-and-cliffhanger-comment")
    with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
        mark.fill("8")
        mark.blur()
    with page.expect_response(lambda answer: "/api/comment/" in answer.url and answer.request.method == "PUT"):
        comment.fill("The hook works; the cliffhanger comes a beat late.")
        comment.blur()
    deadline = time.monotonic() + 60
    while "31 / 33" not in standing_text(page):
        assert time.monotonic() < deadline, "the mark did not reach the class page"
        page.wait_for_timeout(1000)
    page.get_by_role("button", name="Release the feedback").click()
    expect(page.get_by_role("status")).to_contain_text("1 released")


def standing_text(page: Page) -> str:
    page.goto(story["class_page"])
    return page.get_by_role("region", name="Where everybody stands").inner_text()


def test_the_trainee_reads_the_feedback(people: Any) -> None:
    page = people["trainee"].page
    card = see_score(page, SCRIPT, 2)
    expect(card).to_contain_text("8 / 10")
    card.get_by_role("link", name=re.compile("Feedback with the notebook")).click()
    page.wait_for_load_state()
    seen = page.locator("body").inner_text() + "".join(frame.locator("body").inner_text() for frame in page.frames[1:])
    assert "the cliffhanger comes a beat late" in seen
    assert "HIDDEN TESTS" not in seen


@pytest.mark.parametrize("part", ["jupyterhub_config.py", "configurable-http-proxy"])
def test_a_killed_hub_or_proxy_comes_back_and_the_session_lives_on(instance: Any, people: Any, part: str) -> None:
    page = people["trainee"].page
    lab = f"/user/xiaoyu/api/contents/micro-drama/{SCRIPT}"
    open_lab(page, SCRIPT)
    killed = instance.pid_of(part)
    os.kill(killed, signal.SIGKILL)
    if part == "jupyterhub_config.py":
        assert answers(page, lab) == 200, "without its hub the session goes on"
    until(lambda: answers(page, "/hub/health") == 200 and answers(page, lab) == 200, f"{part} did not come back")
    assert instance.pid_of(part) != killed
    open_lab(page, SCRIPT)
    assert '"first_bad": null' in instance.command("ledger", "verify", "--json").stdout


def test_the_session_is_stopped_charged_and_subsidised(instance: Any, people: Any) -> None:
    page = people["trainee"].page
    page.goto("/services/portal/compute")
    page.get_by_role("button", name="Stop the lab").first.click()
    deadline = time.monotonic() + 120
    running = page.get_by_role("button", name="Stop the lab").or_(page.get_by_text("charged when it ends"))
    while running.count():
        assert time.monotonic() < deadline, "the lab did not stop"
        page.wait_for_timeout(1000)
        page.reload()
    sessions = page.get_by_role("main").inner_text()
    charges = re.findall(r"\t¥(\d+\.\d+)\t¥\d+\.\d+\t¥", sessions)  # of each session: its charge, the subsidy, the rest
    assert charges, sessions
    assert float(charges[0]) > 0, sessions
    assert "subsid" in sessions.lower()
    told = instance.command("ledger", "verify")
    assert told.returncode == 0, told.stdout


def test_a_lab_that_used_up_its_memory_says_so_and_opens_again(instance: Any, people: Any, request: Any) -> None:
    if instance.engine != "docker":
        pytest.skip("the local engine sets no limit on memory")
    page, client = people["trainee"].page, request.getfixturevalue("daemon").client
    open_lab(page, SCRIPT)
    (container,) = client.containers(filters={"label": "reelwright.learner=xiaoyu"})
    made = client.exec_create(container["Id"], ["python", "-c", HUNGRY])
    client.exec_start(made["Id"], detach=True)
    until(lambda: not client.containers(filters={"id": container["Id"]}), "the server was not ended")
    # The hub looks every ten seconds; until then the proxy only knows that nobody answers.
    for lang, words in (("en", "used up its memory"), ("zh_CN", "用尽了内存")):
        until(
            lambda lang=lang, words=words: words in read(page, f"/user/xiaoyu/lab?lang={lang}"), "no reason was given"
        )
    page.goto("/services/portal/?lang=en")
    until(lambda: not instance.command("ledger", "verify").returncode, "the ledger does not hold")


def test_while_the_engine_is_down_a_start_is_refused_with_the_reason(instance: Any, people: Any, request: Any) -> None:
    if instance.engine != "docker":
        pytest.skip("the local engine is no process of its own")
    page, daemon = people["trainee"].page, request.getfixturevalue("daemon")
    daemon.kill()
    try:
        page.goto("/services/portal/")
        page.get_by_role("link", name=re.compile("(Start|Continue) the lab *: Script to shots")).first.click()
        expect(page.get_by_role("alert").first).to_contain_text("The lab engine does not answer", timeout=90_000)
        expect(page.get_by_role("main")).to_contain_text("has been given back")
    finally:
        daemon.start()


def test_a_certificate_is_issued_and_the_employer_believes_it(instance: Any, people: Any, tmp_path: Path) -> None:
    page = people["trainee"].page
    deadline = time.monotonic() + 60
    link = page.get_by_role("region", name="Certificate").get_by_role("link", name="Page")
    while not link.count():
        assert time.monotonic() < deadline, page.get_by_role("main").inner_text()
        page.goto("/services/portal/")
        page.wait_for_timeout(1000)
    address = link.get_attribute("href")
    employer = people["employer"].page
    employer.goto(address)
    facts = employer.get_by_role("main").inner_text()
    for fact in ("林晓雨", "Making an AI micro-drama", "Script to shots", "First take"):
        assert fact in facts
    assert employer.context.cookies() == []
    for form in ("json", "pdf", "png"):
        answer = employer.request.get(f"{address}.{form}")
        assert answer.ok
        file = tmp_path / f"certificate.{form}"
        file.write_bytes(answer.body())
        told = instance.command("verify", str(file))
        assert told.returncode == 0, told.stdout + told.stderr
    forged = tmp_path / "forged.json"
    forged.write_bytes((tmp_path / "certificate.json").read_bytes().replace("林晓雨".encode(), "林晓雪".encode()))
    told = instance.command("verify", str(forged))
    assert told.returncode == 1, told.stdout


def test_the_funder_sees_the_sessions(people: Any) -> None:
    link = invite(people["administrator"].page, "funder")
    page = people["funder"].page
    begin(page, link, "Fu Funder", "fufu")
    page.goto("/services/portal/funding")
    report = page.get_by_role("main")
    expect(report).to_contain_text("Making an AI micro-drama")
    # One trainee is too few to be shown to a funder; the row says so instead of a figure.
    expect(report).to_contain_text("fewer than five trainees")
    csv = page.request.get("/services/portal/funding.csv")
    assert csv.ok
    assert "micro-drama" in csv.text()
    page.get_by_role("button", name="Check every entry now").click()
    expect(report).to_contain_text(re.compile("whole|holds", re.IGNORECASE))


def test_ctrl_c_stops_everything_and_the_next_start_finds_it_again(instance: Any, people: Any) -> None:
    assert "stopping" in instance.stop()
    began = time.monotonic()
    instance.start()
    assert not any("code=" in line for line in instance.printed[-3:])
    assert time.monotonic() - began < 120
    page = people["trainee"].page
    page.goto("/services/portal/")
    expect(page.get_by_role("main")).to_contain_text("Making an AI micro-drama")
