"""What a funder sees: sums that cannot be traced to one person, files to keep, and whether the ledger holds."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import Any

import pytest
from sqlalchemy import text

from hub.portal.charges import pseudonym

PREFIX = "/services/portal"


def test_the_month_that_runs_is_summed_by_course(busy: Any) -> None:
    page = busy.client("fund").get(f"{PREFIX}/funding").text
    assert "¥3.67" in page
    assert "7 h 21 min" in page
    assert "Shanghai compute subsidy for AI micro-drama (example)" in page
    assert "City ¥2.20" in page


def test_a_row_about_few_people_says_no_figure(school: Any) -> None:
    school.worked("liming", "script-to-shots", 42)
    page = school.client("fund").get(f"{PREFIX}/funding").text
    assert "it would tell of fewer than five trainees" in page
    assert "¥0.35" not in page


def test_the_files_hold_what_the_page_shows(busy: Any) -> None:
    client = busy.client("fund")
    table = client.get(f"{PREFIX}/funding.csv?first=2026-11-01&last=2026-11-30&by=course")
    rows = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig"))))
    assert rows[0]["course"] == "micro-drama"
    assert rows[0]["learners"] == "7"
    assert table.headers["Content-Disposition"] == 'attachment; filename="compute-2026-11-01-2026-11-30.csv"'
    report = json.loads(client.get(f"{PREFIX}/funding.json?first=2026-11-01&last=2026-11-30&by=course").data)
    assert report["total"]["learners"] == 7
    assert report["until_day"] == "2026-12-01"


def test_a_period_without_use_is_empty_not_wrong(busy: Any) -> None:
    page = busy.client("fund").get(f"{PREFIX}/funding?first=2026-10-01&last=2026-10-31").text
    assert "No session ended in this period." in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("first=today&last=2026-11-30", "Got “today”, expected a day as YYYY-MM-DD."),
        ("first=2026-11-30&last=2026-11-01", "Expected a day after the first one"),
        ("first=0001-01-01&last=9999-12-31", "Expected a day after the first one"),
    ],
)
def test_a_period_that_is_none_is_refused(school: Any, query: str, words: str) -> None:
    client = school.client("fund")
    for form in ("", ".csv", ".json"):
        answer = client.get(f"{PREFIX}/funding{form}?{query}")
        assert answer.status_code == 422
        assert words in answer.text


def test_a_whole_ledger_is_said_to_be_whole(busy: Any, post: Any) -> None:
    assert "Yes. " in post(busy.client("fund"), "/funding", "/funding", {}).text


def test_an_edited_ledger_is_not(busy: Any, post: Any) -> None:
    with busy.engine.begin() as connection:
        done = connection.execute(text("update hub_event set body = replace(body, 'liming', 'liminG') where seq = 1"))
        assert done.rowcount == 1
    page = post(busy.client("fund"), "/funding", "/funding", {}).text
    assert "No. Entry 1 is bad:" in page


LINES = f"{PREFIX}/funding/lines?first=2026-11-01&last=2026-11-30"
ROW = f"{LINES}&by=course&programme=sh-ai-micro-drama-2026&course=micro-drama"


def _trainees(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="code">([A-Z2-7]{6})</th>', page)


def test_a_row_leads_to_the_lines_it_is_summed_from(busy: Any) -> None:
    client = busy.client("fund")
    link = re.search(r'href="([^"]*/funding/lines[^"]*)"', client.get(f"{PREFIX}/funding").text)
    assert link
    page = client.get(html.unescape(link[1])).text
    assert "14 lines, ¥3.67 in all" in page
    assert len(set(_trainees(page))) == 7
    assert "City" in page
    assert "District" in page


def test_lines_name_nobody_and_say_no_time_of_day(busy: Any) -> None:
    page = busy.client("fund").get(ROW).text
    people = {member.learner or "-" * 9: member.full_name for member in busy.people.members(busy.the_class.id)}
    main = page.split("<main", 1)[1]
    for name, full_name in people.items():
        assert name not in main
        assert full_name not in main
    assert "Script to shots" not in main
    assert not re.search(r"\d\d:\d\d", main)


def test_a_pseudonym_is_the_same_in_every_report_and_another_with_another_key(busy: Any) -> None:
    client = busy.client("fund")
    by_course = set(_trainees(client.get(ROW).text))
    by_site = f"{LINES}&by=site&programme=sh-ai-micro-drama-2026&site=main"
    assert set(_trainees(client.get(by_site).text)) == by_course
    assert pseudonym(busy.sign_in.key, "liming") in by_course
    assert pseudonym(b"other", "liming") not in by_course


def test_a_row_about_few_people_has_no_lines_either(school: Any) -> None:
    school.worked("liming", "script-to-shots", 42)
    answer = school.client("fund").get(ROW)
    assert answer.status_code == 403
    assert "Fewer than five trainees" in answer.text
    assert "¥" not in answer.text


@pytest.mark.parametrize(
    "query",
    ["", "&by=course&programme=none&course=micro-drama", "&by=course&programme=sh-ai-micro-drama-2026", "&by=learner"],
)
def test_lines_of_no_row_are_not_there(busy: Any, query: str) -> None:
    assert busy.client("fund").get(LINES + query).status_code == 404


def test_what_narrows_a_row_beyond_the_report_is_ignored(busy: Any) -> None:
    page = busy.client("fund").get(f"{ROW}&learner=liming&day=2026-11-05&lab=first-take").text
    assert "14 lines" in page


@pytest.mark.parametrize("name", ["liming", "wang"])
def test_lines_are_for_funders(busy: Any, name: str) -> None:
    assert busy.client(name).get(ROW).status_code == 403


def test_many_lines_come_in_pages(busy: Any) -> None:
    for number in range(100):
        busy.worked("liming", "script-to-shots", 3, number=1000 + number)
    client = busy.client("fund")
    assert "Page 1 of 2" in client.get(ROW).text
    last = client.get(f"{ROW}&page=2").text
    assert len(_trainees(last)) == 14
    for typed in ("9", "0", "-1", "x", "²", "9" * 5000):
        assert client.get(f"{ROW}&page={typed}").status_code == 200, typed
