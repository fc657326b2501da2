"""While a lab runs: what it costs so far, which other labs open beside it, and stopping it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from hub.portal.session import StopError

PREFIX = "/services/portal"
FIRST, SECOND = "script-to-shots", "first-take"
LAB = f"/course/micro-drama/lab/{SECOND}"
MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US


def _notebook(lab: str) -> str:
    return f"/user/liming/lab/tree/micro-drama/{lab}/{lab}.ipynb"


def _page(school: Any, path: str = "/") -> str:
    return school.client("liming").get(PREFIX + path).text


def _on_gpu(school: Any) -> None:
    """The second lab on another machine than the first."""
    labs = school.course.model_dump()["labs"]
    school.teach({"labs": [labs[0], {**labs[1], "profile": "gpu-slice"}]})


@pytest.fixture
def stop(post: Any) -> Any:
    def press(school: Any, page: str = "/", lease: int = 1, **more: Any) -> Any:
        return post(school.client("liming"), page, page, {"lease": str(UUID(int=lease))}, **more)

    return press


@pytest.mark.parametrize("path", ["/", "/compute", LAB])
def test_what_runs_says_for_how_long_at_what_cost_and_what_it_holds(school: Any, path: str) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    page = _page(school, path)
    assert "running for 30 min, ¥0.25 so far; holds ¥2.00" in page
    assert _notebook(FIRST) in page
    assert "Stop the lab" in page
    assert "/hub/home" not in page


def test_another_lab_of_the_course_on_the_same_machine_opens_in_the_running_session(school: Any) -> None:
    school.now_us -= 60 * MINUTE_US
    school.release(SECOND)
    school.now_us += 60 * MINUTE_US
    school.worked("liming", FIRST, 20, ended=False)
    for path in ("/", LAB):
        page = _page(school, path)
        assert f'href="{_notebook(SECOND)}"' in page
        assert "/hub/spawn/" not in page


def test_a_lab_released_after_the_start_is_not_promised_in_that_session(school: Any) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    school.release(SECOND)
    page = _page(school, LAB)
    assert _notebook(SECOND) not in page
    assert "came out after “Script to shots” was started" in page
    assert "Stop the lab<span" in page


def test_a_lab_that_was_closed_at_the_start_is_there_only_if_it_was_begun_before(school: Any) -> None:
    school.release(SECOND)
    school.now_us += 40 * DAY_US
    school.worked("liming", FIRST, 20, ended=False)
    assert "Closed since Sat 21 Nov 2026, 23:59; it can no longer be begun." in _page(school, LAB)
    assert _notebook(SECOND) not in _page(school, LAB)
    school.worked("liming", SECOND, 20, 2)
    assert f'href="{_notebook(SECOND)}"' in _page(school, LAB)


def test_a_lab_on_another_machine_says_why_and_offers_the_stop(school: Any, stop: Any) -> None:
    _on_gpu(school)
    school.now_us -= 60 * MINUTE_US
    school.release(SECOND)
    school.now_us += 60 * MINUTE_US
    school.worked("liming", FIRST, 20, ended=False)
    for path, stops in (("/", 2), (LAB, 1)):
        page = _page(school, path)
        assert "“Script to shots” runs now on another machine (CPU lab). Stop it to start this lab." in page
        assert _notebook(SECOND) not in page
        assert page.count("Stop the lab<span") == stops
    after = stop(school, LAB, follow_redirects=True).text
    assert f"opt-lab={SECOND}" in after
    assert "opt-profile=gpu-slice" in after


def test_a_lab_of_another_course_is_not_worked_on_at_this_courses_cost(school: Any) -> None:
    school.teach({"id": "sound", "title": {"zh": "声音", "en": "Sound"}})
    cohort = school.people.create_cohort("sound", "main", "S", school.the_class.starts, school.the_class.ends, "wang")
    school.people.import_roster(cohort.id, "number,name\n1,李明\n".encode())
    school.people.claim_seat(cohort.class_code, "1", "liming")
    school.worked("liming", FIRST, 20, ended=False)
    page = _page(school, "/course/sound/lab/first-take")
    assert "belongs to another course, which counts its lab time by itself" in page
    assert "/user/liming/lab/tree/sound/" not in page


@pytest.mark.parametrize("path", ["/", "/compute", LAB])
def test_stopping_leads_back_to_the_page_with_what_it_came_to(school: Any, stop: Any, path: str) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    answer = stop(school, path)
    assert answer.status_code == 303
    assert school.sign_in.asked == ["liming"]
    page = school.client("liming").get(answer.location).text
    assert "The lab has stopped." in page
    assert "Script to shots ran for 30 min. Charged:" in page
    assert "¥0.25, all of it paid by the subsidy." in page
    assert "Stop the lab" not in page
    assert "holds" not in page


def test_a_slow_stop_is_waited_for_by_the_page(school: Any, stop: Any) -> None:
    school.sign_in.on_stop = lambda _name: None
    school.worked("liming", FIRST, 20, ended=False)
    page = stop(school, follow_redirects=True).text
    part = f"/session?stopped={UUID(int=1)}"
    assert f'data-refresh="{PREFIX}{part}"' in page
    assert "The lab is being stopped." in page
    assert "Stop the lab" not in page
    assert "data-refresh" in _page(school, part)
    school.end("liming")
    assert "data-reload" in _page(school, part)
    assert "ran for 30 min" in _page(school, part)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "This sign-in may not stop labs. Sign out, sign in again"),
        (404, "This sign-in may not stop labs."),
        (500, "the hub gave no usable answer (500). The lab still runs and is still charged."),
        (None, "the hub gave no usable answer (none)."),
    ],
)
def test_a_stop_that_fails_says_so_and_the_lab_goes_on(school: Any, stop: Any, status: int | None, words: str) -> None:
    def refuse(_name: str) -> None:
        raise StopError(status, "no")

    school.sign_in.on_stop = refuse
    school.worked("liming", FIRST, 20, ended=False)
    page = stop(school, follow_redirects=True).text
    assert words in page
    assert "Stop the lab" in page
    assert "The lab has stopped." not in page


def test_a_page_left_open_does_not_stop_the_next_session(school: Any, stop: Any) -> None:
    school.worked("liming", FIRST, 20)
    school.worked("liming", FIRST, 0, 2, ended=False)
    page = stop(school, lease=1, follow_redirects=True).text
    assert school.sign_in.asked == []
    assert "running for 10 min" in page


def test_nobody_reads_or_stops_the_session_of_another(school: Any, stop: Any) -> None:
    school.trainee(school.the_class, "A02", "zhanghua")
    school.worked("zhanghua", FIRST, 20, ended=False)
    assert "The lab that runs now" not in _page(school)
    school.worked("liming", FIRST, 0, 2, ended=False)
    stop(school, lease=1)
    assert school.sign_in.asked == []
    school.end("zhanghua")
    assert "The lab has stopped" not in _page(school, f"/?stopped={UUID(int=1)}")


@pytest.mark.parametrize("typed", ["", "x", "1" * 400, str(UUID(int=9)), "%00", "../.."])
def test_an_id_of_no_session_says_nothing(school: Any, typed: str) -> None:
    page = _page(school, f"/?stopped={typed}")
    assert not re.search("has stopped|is being stopped", page)


def test_a_lab_that_is_still_starting_cannot_be_stopped_yet(school: Any) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    with school.engine.begin() as connection:
        connection.exec_driver_sql("update hub_lease set state = 'opened', started_us = null")
    page = _page(school)
    assert "starting" in page
    assert "Stop the lab" not in page


def test_a_stop_needs_the_token_of_this_browser(school: Any) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    answer = school.client("liming").post(PREFIX + "/", data={"lease": str(UUID(int=1)), "form_token": "x"})
    assert answer.status_code == 400
    assert school.sign_in.asked == []


def test_a_running_lab_says_when_it_stops_by_itself(school: Any) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    assert re.search(r"Stops by itself at [^<]+ if nobody uses it until then\.", _page(school))


def test_a_lab_that_is_about_to_stop_says_so_and_why(school: Any) -> None:
    school.worked("liming", FIRST, 20, ended=False)
    lease = school.ledger.open_leases()[0]
    school.sessions.told(lease, 0)
    school.now_us += 56 * MINUTE_US
    school.sessions.told(lease, 56 * MINUTE_US)
    page = _page(school)
    assert "This lab stops at" in page
    assert "Nobody has used it for a while" in page
    assert "已有一段时间无人使用" in school.client("liming", "zh-CN").get(PREFIX + "/").text
