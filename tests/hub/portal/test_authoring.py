"""An instructor begins a lab and looks at it; what is typed is hostile until parsed, and only instructors come in."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub.authoring.draft import Outcome
from hub.course import Text

PREFIX = "/services/portal"
LABS = "/courses/micro-drama/labs"
NEW = {
    "starter": "code", "id": "night-scene", "title_zh": "夜戏", "title_en": "Night scene", "summary_zh": "学会打光",
    "summary_en": "Learn to light", "minutes": "40", "weight": "2", "due_after_days": "9", "attempts": "5",
    "time_limit_seconds": "60", "profile": "cpu", "skills": ["shot-list"],
}  # fmt: skip


@pytest.fixture
def begun(school: Any, post: Any) -> Any:
    assert post(school.client("wang"), f"{LABS}/new", f"{LABS}/new", NEW).status_code == 303
    return school


def test_a_lab_is_begun_from_a_template_and_trainees_see_nothing_of_it(begun: Any) -> None:
    page = begun.client("wang").get(f"{PREFIX}{LABS}/night-scene").text
    assert "Draft, trainees do not see it" in page
    assert "night-scene.ipynb" in page
    assert re.search(r'href="/hub/spawn/wang\?opt-lab=night-scene&amp;[^"]*reelwright%2Fdraft', page)
    assert "Night scene" in begun.client("wang").get(PREFIX + LABS).text
    trainee = begun.client("liming")
    assert "Night scene" not in trainee.get(f"{PREFIX}/").text
    assert trainee.get(f"{PREFIX}/course/micro-drama/lab/night-scene").status_code == 404
    lab = begun.app_shelf.draft("micro-drama", "night-scene").lab
    assert (lab.weight, lab.minutes, lab.skills) == (2, 40, ("shot-list",))


@pytest.mark.parametrize("name", ["liming", "root", "fund", None])
@pytest.mark.parametrize("page", ["", "/new", "/night-scene", "/night-scene/preview", "/night-scene/progress"])
def test_nobody_but_the_courses_instructors_comes_near_a_lab_in_the_making(begun: Any, name: str, page: str) -> None:
    answer = begun.client(name).get(f"{PREFIX}{LABS}{page}")
    assert answer.status_code == (403 if name else 302)
    assert "running_time" not in answer.text


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("id", "../../etc", "expected small letters, digits and hyphens"),
        ("id", "Night Scene", "expected small letters, digits and hyphens"),
        ("id", "<b>x</b>", "expected small letters, digits and hyphens"),
        ("id", "script-to-shots", "This course has, or had, a lab of this id."),
        ("id", "night-scene", "This course has, or had, a lab of this id."),
        ("id", "an-old-one", "This course has, or had, a lab of this id."),
        ("starter", "../code", "Choose one from the list."),
        ("title_en", "", "Expected 1 to 60 characters, got 0."),
        ("title_en", "x" * 61, "Expected 1 to 60 characters, got 61."),
        ("title_zh", "夜\n戏", "It holds characters that cannot be shown on one line."),
        ("summary_en", "a\x00b", "It holds characters that cannot be shown on one line."),
        ("minutes", "0", "expected a whole number from 1 to 600"),
        ("weight", "1e9", "expected a whole number from 1 to 100"),
        ("time_limit_seconds", "-1", "expected a whole number from 5 to 3600"),
        ("profile", "gpu-farm", "Choose one from the list."),
        ("skills", ["shot-list", "flying"], "Choose among the skills of this course."),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_begun(
    begun: Any, post: Any, field: str, typed: Any, words: str
) -> None:  # fmt: skip
    begun.release("an-old-one")
    begun.submissions.withdraw("micro-drama", "an-old-one")
    answer = post(begun.client("wang"), f"{LABS}/new", f"{LABS}/new", {**NEW, "id": "another", field: typed})
    assert answer.status_code == 422
    assert words in answer.text
    assert "<b>x</b>" not in answer.text
    assert [draft.lab.id for draft in begun.app_shelf.drafts("micro-drama")] == ["night-scene"]


def test_markup_in_a_title_is_text_everywhere(school: Any, post: Any) -> None:
    evil = "<script>alert(1)</script>"
    typed = {
        **NEW,
        "title_en": evil,
        "title_zh": "# [x](javascript:1) | `y`",
        "summary_en": f"<img src=x onerror=1>{evil}",
    }
    client = school.client("wang")
    post(client, f"{LABS}/new", f"{LABS}/new", typed)
    for page in (LABS, f"{LABS}/night-scene", f"{LABS}/night-scene?lang=zh_CN"):
        text = client.get(PREFIX + page).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    notebook = school.app_shelf.files("micro-drama", "night-scene")["night-scene.ipynb"].decode()
    assert "<script>" not in notebook
    assert r"\\[x\\]\\(javascript:1\\) \\| \\`y\\`" in notebook


def test_settings_change_and_keep_what_the_form_does_not_say(begun: Any, post: Any) -> None:
    page = f"{LABS}/night-scene"
    answer = post(begun.client("wang"), page, f"{page}/settings", {**NEW, "minutes": "75", "title_en": "Night, again"})
    assert answer.status_code == 303
    lab = begun.app_shelf.draft("micro-drama", "night-scene").lab
    assert (lab.id, lab.minutes, lab.title.en, lab.counts) == ("night-scene", 75, "Night, again", "best")
    wrong = post(begun.client("wang"), page, f"{page}/settings", {**NEW, "minutes": "many"})
    assert wrong.status_code == 422
    assert begun.app_shelf.draft("micro-drama", "night-scene").lab.minutes == 75


def _passed(school: Any, **change: Any) -> None:
    content = school.app_shelf.content("micro-drama", "night-scene")
    values = {"what": "check", "state": "passed", "content": content, "asked_by": "wang", "began_us": school.now_us}
    school.app_shelf.note("micro-drama", "night-scene", Outcome(**{**values, "done": 4, **change}))


def test_reasons_are_listed_in_both_languages_and_there_is_nothing_to_press_but_check(begun: Any) -> None:
    said = (Text(zh="参考答案没有得满分", en="the reference <falls> short"), Text(zh="没有分值", en="no points"))
    _passed(begun, state="refused", findings=said)
    client = begun.client("wang")
    page = client.get(f"{PREFIX}{LABS}/night-scene").text
    assert "<li>the reference &lt;falls&gt; short</li>" in page
    assert "<li>no points</li>" in page
    assert "Release to trainees" not in page
    assert "<li>参考答案没有得满分</li>" in client.get(f"{PREFIX}{LABS}/night-scene?lang=zh_CN").text


def test_what_changed_since_its_check_is_not_released(begun: Any, post: Any) -> None:
    _passed(begun)
    page = f"{LABS}/night-scene"
    shown = begun.client("wang").get(PREFIX + page).text
    assert "Release to trainees" in shown
    assert "2026 秋季一班: due Tue 10 Nov 2026, 23:59" in shown
    files = begun.app_shelf.files("micro-drama", "night-scene")
    begun.app_shelf.send("micro-drama", "night-scene", {**files, "a.txt": b"a"}, by="wang", at_us=1, base=None)
    shown = begun.client("wang").get(PREFIX + page).text
    assert "The lab was changed since. Check it again." in shown
    assert "Release to trainees" not in shown
    answer = post(begun.client("wang"), page, f"{page}/release", {}, follow_redirects=True)
    assert "Check it first" in answer.text


def test_a_check_that_died_with_the_server_says_so(begun: Any) -> None:
    _passed(begun, state="running", done=2)
    page = begun.client("wang").get(f"{PREFIX}{LABS}/night-scene").text
    assert "It was broken off" in page
    assert "data-refresh=" not in page


def test_a_released_lab_stands_on_the_trainees_page_at_once_and_leaves_it_when_taken_back(
    begun: Any, post: Any
) -> None:
    begun.release("night-scene")
    revision = begun.app_shelf.revision("micro-drama", "night-scene")
    begun.app_shelf.released("micro-drama", "night-scene", revision=revision, rubric=None)
    assert "Night scene" in begun.client("liming").get(f"{PREFIX}/").text
    page = f"{LABS}/night-scene"
    post(begun.client("wang"), page, f"{page}/take-back", {})
    assert "Night scene" not in begun.client("liming").get(f"{PREFIX}/").text
    assert begun.submissions.current_lab_version("micro-drama", "night-scene") is None


def test_a_lab_that_nobody_had_is_deleted_and_its_id_is_free_again(begun: Any, post: Any) -> None:
    page, client = f"{LABS}/night-scene", begun.client("wang")
    unsure = post(client, page, f"{page}/delete", {}, follow_redirects=True)
    assert "Tick the box first" in unsure.text
    answer = post(client, page, f"{page}/delete", {"sure": "on"}, follow_redirects=True)
    assert "“Night scene” is deleted." in answer.text
    assert client.get(PREFIX + page).status_code == 404
    kept = list((begun.app_shelf.root / "micro-drama" / "earlier" / "night-scene").glob("*.zip"))
    assert len(kept) == 1, "what was sent last can be brought back"
    assert post(client, f"{LABS}/new", f"{LABS}/new", NEW).status_code == 303


def test_a_lab_that_trainees_had_is_not_deleted(begun: Any, post: Any) -> None:
    page, client = f"{LABS}/night-scene", begun.client("wang")
    begun.app_shelf.released("micro-drama", "night-scene", revision="0" * 64, rubric=None)
    begun.app_shelf.change("micro-drama", "night-scene", is_released=False)
    shown = client.get(PREFIX + page).text
    assert "Delete the lab" not in shown
    answer = post(client, page, f"{page}/delete", {"sure": "on"}, follow_redirects=True)
    assert "it can be taken back, not deleted" in answer.text
    assert begun.app_shelf.files("micro-drama", "night-scene")
