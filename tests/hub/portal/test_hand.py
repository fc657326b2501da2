"""Answers read on the portal's pages: one question at a time, blind, moderated, appealed; the trainee's side too."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from grader.store.hand import Given
from hub.people.person import Person

PREFIX = "/services/portal"
LAB = "script-to-shots"
HOOK = {"cell": "essay", "criterion": "hook"}
QUERY = "?cell=essay&criterion=hook"


@pytest.fixture
def readers(school: Any, cells: Any) -> Any:
    """A lab that two people read, three answers, and three more instructors."""
    school.rules = replace(school.rules, graders=2)
    school.people.import_roster(school.the_class.id, "number,name\nA03,王芳\n".encode())
    for number, name in (("A02", "zhanghua"), ("A03", "wangfang")):
        school.trainee(school.the_class, number, name)
    for name in ("zhao", "qian", "sun"):
        school.people.put_person(Person(name, f"{name} 老师", frozenset({"instructor"}), "main"))
        school.people.add_instructor("micro-drama", name)
    for name in ("liming", "zhanghua", "wangfang"):
        school.now_us += 1
        school.hand_in(name, LAB, name.encode())
        school.grade(cells.auto(4), cells.essay())
    return school


def _desk(school: Any) -> str:
    return f"/classes/{school.the_class.id}/hand/{LAB}"


def _next(school: Any, reader: str, role: str = "reading") -> str | None:
    """Where the queue leads; None when nothing is left."""
    answer = school.client(reader).get(f"{PREFIX}{_desk(school)}/next/{role}{QUERY}")
    found = re.search(rf"{_desk(school)}/([0-9a-f-]{{36}})/{role}", answer.headers["Location"])
    return found[1] if found else None


def _give(school: Any, post: Any, reader: str, score: float, role: str = "reading", **more: Any) -> Any:
    paper = _next(school, reader, role)
    page = f"{_desk(school)}/{paper}/{role}{QUERY}"
    return post(school.client(reader), page, page, {"score": str(score), "comment": "", **more})


def _paper(school: Any, learner: str) -> str:
    (sheet,) = school.submissions.hand.sheets("micro-drama", LAB, {learner})
    return str(sheet.id)


def test_a_reader_goes_from_answer_to_answer_without_names(readers: Any, post: Any) -> None:
    seen = []
    client = readers.client("wang")
    page = client.get(f"{PREFIX}{_desk(readers)}/next/reading{QUERY}", follow_redirects=True)
    for _ in range(3):
        assert "Take 17" in page.text
        for name in ("李明", "liming", "张华", "zhanghua", "王芳", "wangfang"):
            assert name not in page.text
        seen.append(page.request.path)
        to = page.request.path.removeprefix(PREFIX) + QUERY
        page = post(client, to, to, {"score": "4.0", "comment": "停得住"}, follow_redirects=True)
    assert len(set(seen)) == 3
    assert "Nothing is left for you at “The hook”." in page.text
    assert "Read 3 answers" in readers.client("zhao").get(PREFIX + _desk(readers)).text


def test_neither_reader_sees_the_others_mark_and_two_that_agree_make_the_final_one(readers: Any, post: Any) -> None:
    assert _give(readers, post, "wang", 4, comment="wang's own words").status_code == 303
    paper = min(_paper(readers, one) for one in ("liming", "zhanghua", "wangfang"))
    assert _next(readers, "zhao") == paper
    page = readers.client("zhao").get(f"{PREFIX}{_desk(readers)}/{paper}/reading{QUERY}").text
    assert "wang's own words" not in page
    assert "checked" not in page
    assert readers.client("zhao").get(f"{PREFIX}{_desk(readers)}/{paper}/moderation{QUERY}").status_code == 403
    assert readers.submissions.hand.undelivered() == ()
    assert _give(readers, post, "zhao", 4).status_code == 303
    (final,) = readers.submissions.hand.undelivered()
    assert (final.score, final.comment) == (4, "wang's own words")
    late = f"{_desk(readers)}/{paper}/reading{QUERY}"
    answer = post(readers.client("qian"), _desk(readers), late, {"score": "0.0", "comment": ""})
    assert answer.status_code == 422
    assert "has its readers" in answer.text


def test_readers_who_differ_go_to_a_third_who_sees_both_marks(readers: Any, post: Any) -> None:
    _give(readers, post, "wang", 4, comment="停得住")
    _give(readers, post, "zhao", 0, comment="没有钩子")
    for reader in ("wang", "zhao"):
        assert _next(readers, reader, "moderation") is None
        assert readers.client(reader).get(PREFIX + _desk(readers)).text.count("Moderate 1 answers") == 0
    paper = _next(readers, "qian", "moderation")
    page = readers.client("qian").get(f"{PREFIX}{_desk(readers)}/{paper}/moderation{QUERY}").text
    assert "停得住" in page
    assert "没有钩子" in page
    assert "wang" not in page
    assert "zhao" not in page
    assert readers.client("wang").get(f"{PREFIX}{_desk(readers)}/{paper}/moderation{QUERY}").status_code == 403
    assert _give(readers, post, "qian", 4, role="moderation").status_code == 303
    (final,) = readers.submissions.hand.undelivered()
    assert final.score == 4


def test_agreement_is_shown_by_question_and_for_the_lab(readers: Any, post: Any) -> None:
    for reader, marks in (("wang", (4, 0, 4)), ("zhao", (4, 0, 0))):
        for mark in marks:
            _give(readers, post, reader, mark)
    page = readers.client("wang").get(PREFIX + _desk(readers)).text
    figures = "".join(f'<td class="num">{one}</td>' for one in ("3", "67%", "67%", "0.40"))
    assert page.count(figures) == 2


@pytest.mark.parametrize(
    ("typed", "words"),
    [("", "Choose one of the levels."), ("nan", "Choose one of the levels."), ("2", "Choose one of the levels.")],
)
def test_points_that_no_level_has_are_refused_and_the_comment_stays(
    readers: Any, post: Any, typed: str, words: str
) -> None:
    page = f"{_desk(readers)}/{_next(readers, 'wang')}/reading{QUERY}"
    answer = post(readers.client("wang"), page, page, {"score": typed, "comment": "看得见的画面"})
    assert answer.status_code == 422
    assert words in answer.text
    assert "看得见的画面</textarea>" in answer.text


def test_comments_are_kept_for_the_course_and_used_again(readers: Any, post: Any) -> None:
    _give(readers, post, "wang", 4, comment="少用形容词", keep="1")
    (phrase,) = readers.submissions.hand.phrases("micro-drama")
    assert "少用形容词" in readers.client("zhao").get(PREFIX + _desk(readers)).text
    _give(readers, post, "zhao", 4, phrase=str(phrase.id), comment="第二句可以再短")
    (final,) = readers.submissions.hand.undelivered()
    assert final.comment == "少用形容词\n第二句可以再短"
    post(readers.client("zhao"), _desk(readers), f"{_desk(readers)}/comments", {"drop": str(phrase.id)})
    post(readers.client("zhao"), _desk(readers), f"{_desk(readers)}/comments", {"text": "先写画面"})
    assert [one.text for one in readers.submissions.hand.phrases("micro-drama")] == ["先写画面"]
    empty = post(readers.client("zhao"), _desk(readers), f"{_desk(readers)}/comments", {"text": " "})
    assert empty.status_code == 422


def test_a_trainee_appeals_and_somebody_who_has_not_marked_it_decides(readers: Any, post: Any) -> None:
    paper, home = _paper(readers, "liming"), f"/course/micro-drama/lab/{LAB}"
    hook = readers.questions(LAB, paper)[0]
    for reader in ("wang", "zhao"):
        readers.submissions.hand.give(paper, "reading", reader, Given(hook, 0, "没有钩子"), [hook])
    for final in readers.submissions.hand.undelivered():
        readers.submissions.hand.settle(final)
    client = readers.client("liming")
    assert "Appeal against this mark" not in client.get(PREFIX + home).text
    readers.submissions.release_feedback("micro-drama", LAB, None, released_by="wang")
    page = client.get(PREFIX + home).text
    assert "没有钩子" in page
    assert "Appeal against this mark" in page
    assert "wang" not in page
    to = re.search(r'action="/services/portal(/course/[^"]+/appeal/[^"]+)"', page)
    assert to
    said = {"cell": "essay", "reason": "第一句就是钩子。"}
    assert post(client, home, to[1], said, follow_redirects=True).text.count("Appeal waits for a third person") == 1
    again = post(client, "/join", to[1], said)
    assert again.status_code == 422
    assert "It was appealed before." in again.text
    assert "第一句就是钩子。" in again.text
    assert post(readers.client("zhanghua"), "/join", to[1], said).status_code == 404

    assert "1 appeals wait for somebody" in readers.client("wang").get(PREFIX + _desk(readers)).text
    appeal = f"{_desk(readers)}/{paper}/appeal"
    assert readers.client("wang").get(PREFIX + appeal).status_code == 404
    read = readers.client("qian").get(PREFIX + appeal).text
    assert "第一句就是钩子。" in read
    assert "liming" not in read
    short = post(readers.client("qian"), appeal, appeal, {"score-0": "4.0", "answer": ""})
    assert short.status_code == 422
    done = post(readers.client("qian"), appeal, appeal, {"score-0": "4.0", "answer": "说得对。"}, follow_redirects=True)
    assert "The appeal is decided" in done.text
    for final in readers.submissions.hand.undelivered():
        readers.submissions.hand.settle(final)
    page = client.get(PREFIX + home).text
    assert "Appeal decided" in page
    assert "说得对。" in page


def test_an_appeal_is_offered_as_long_as_the_course_says(readers: Any, post: Any) -> None:
    paper, home = _paper(readers, "liming"), f"/course/micro-drama/lab/{LAB}"
    hook = readers.questions(LAB, paper)[0]
    for reader in ("wang", "zhao"):
        readers.submissions.hand.give(paper, "reading", reader, Given(hook, 4), [hook])
    for final in readers.submissions.hand.undelivered():
        readers.submissions.hand.settle(final)
    readers.submissions.release_feedback("micro-drama", LAB, None, released_by="wang")
    page = readers.client("liming").get(PREFIX + home).text
    assert "You may appeal for 7 days after the marks are released" in page
    to = re.search(r'action="/services/portal(/course/[^"]+/appeal/[^"]+)"', page)
    assert to
    readers.now_us += 7 * 86_400_000_000 + 1
    assert "Appeal against this mark" not in readers.client("liming").get(PREFIX + home).text
    late = post(readers.client("liming"), "/join", to[1], {"cell": "essay", "reason": "x"})
    assert "The time for an appeal is over." in late.text


def test_only_who_leads_the_course_reads_and_only_this_class(readers: Any, post: Any) -> None:
    paper = _paper(readers, "liming")
    readers.people.put_person(Person("li", "李老师", frozenset({"instructor"}), "main"))
    pages = [_desk(readers), f"{_desk(readers)}/{paper}/reading{QUERY}", f"{_desk(readers)}/{paper}/file/0"]
    for name in ("liming", "fund", "li"):
        assert {readers.client(name).get(PREFIX + page).status_code for page in pages} == {403}
        answer = post(readers.client(name), "/join", pages[1], {"score": "4.0", "comment": ""})
        assert answer.status_code == 403
    other = readers.cohort("number,name\nZ1,外班\n")
    elsewhere = f"/classes/{other.id}/hand/{LAB}"
    assert readers.client("wang").get(f"{PREFIX}{elsewhere}/{paper}/reading{QUERY}").status_code == 404
    assert "No answer of this lab waits" in readers.client("wang").get(PREFIX + elsewhere).text
    assert readers.client("wang").get(f"{PREFIX}{_desk(readers)}/{paper}/reading?cell=x&criterion=y").status_code == 404
    bare = readers.client("wang").post(PREFIX + pages[1], data={"score": "4.0"})
    assert bare.status_code == 400


def test_what_the_notebook_made_is_shown_and_never_as_a_page(school: Any, cells: Any) -> None:
    clip, page = b"\x00\x00\x00\x18ftypmp42" + b"x" * 100, b"<script>alert(1)</script>"
    school.hand_in("liming", LAB, b"film")
    school.grade(cells.auto(4), cells.essay(), files={"take.mp4": clip, "evil.html": page, "notes.txt": page})
    paper = _paper(school, "liming")
    answer = school.client("wang").get(f"{PREFIX}{_desk(school)}/{paper}/reading{QUERY}")
    assert "media-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.text.count("<video") == 1
    assert "take.mp4" not in answer.text
    got = {
        n: school.client("wang").get(f"{PREFIX}{_desk(school)}/{paper}/file/{n}", headers={"Range": "bytes=4-11"})
        for n in range(4)
    }
    assert [got[n].status_code for n in range(4)] == [206, 404, 206, 404]
    assert got[0].data == clip[4:12]
    assert got[2].mimetype == "text/plain"
    for n in (0, 2):
        assert got[n].headers["Content-Security-Policy"].startswith("sandbox;")
        assert got[n].headers["X-Content-Type-Options"] == "nosniff"
