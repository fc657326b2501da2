"""What a funder sees: sums that cannot be traced to one person, files to keep, and whether the ledger holds."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import text

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
    assert "fewer than five trainees: not shown" in page
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
