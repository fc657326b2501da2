"""Drafts on disk: nothing is lost, nothing leaves its folder, and every process sees a change at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.authoring.draft import Outcome
from hub.authoring.live import LiveCourses
from hub.authoring.shelf import Moved, Shelf, Taken, UnknownDraft
from hub.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.platform import Platform


def test_an_id_is_given_once(platform: Platform, begin: Callable[..., Any]) -> None:
    begin("code", "twice")
    with pytest.raises(Taken):
        begin("written", "twice")
    assert platform.shelf.draft("small", "twice").starter == "code"


@pytest.mark.parametrize("name", ["..", "../small", "a/b", "", ".hidden", "A", "a" * 64, "a\n", "a\0"])
def test_a_name_that_is_no_slug_is_no_folder(platform: Platform, begin: Callable[..., Any], name: str) -> None:
    begin("code", "real")
    for course, lab in ((name, "real"), ("small", name)):
        with pytest.raises(UnknownDraft):
            platform.shelf.draft(course, lab)
        with pytest.raises(UnknownDraft):
            platform.shelf.files(course, lab)


def test_what_somebody_else_sent_meanwhile_is_not_overwritten_and_what_was_replaced_is_kept(
    platform: Platform, begin: Callable[..., Any]
) -> None:
    begin("code", "shared")
    shelf = platform.shelf
    base, first = shelf.revision("small", "shared"), shelf.files("small", "shared")
    theirs = {**first, "notes.txt": b"theirs"}
    shelf.send("small", "shared", theirs, by="otto", at_us=2_000_000_000_000_000, base=base)
    with pytest.raises(Moved) as moved:
        shelf.send("small", "shared", {**first, "notes.txt": b"mine"}, by="ines", at_us=3, base=base)
    assert moved.value.draft.sent_by == "otto"
    assert shelf.files("small", "shared") == theirs
    shelf.send("small", "shared", first, by="ines", at_us=3, base=None)
    assert shelf.files("small", "shared") == first
    assert len(list((shelf.root / "small" / "earlier" / "shared").glob("*.zip"))) == 2


def test_a_damaged_entry_takes_no_course_away(platform: Platform, begin: Callable[..., Any]) -> None:
    begin("code", "good")
    platform.shelf.released("small", "good", revision="r", rubric=None)
    live = LiveCourses(platform.shipped_courses, platform.shelf)
    assert [lab.id for lab in live.now()[0].labs] == ["one", "good"]
    (platform.shelf.root / "small" / "labs" / "good.json").write_text("{")
    assert [lab.id for lab in live.now()[0].labs] == ["one", "good"]
    with pytest.raises(CourseError, match=r"good\.json"):
        LiveCourses(platform.shipped_courses, platform.shelf)


def test_a_lab_that_is_taken_back_leaves_the_course_and_a_shipped_one_goes_before_its_namesake(
    platform: Platform, begin: Callable[..., Any]
) -> None:
    begin("code", "mine")
    begin("code", "one")
    for lab in ("mine", "one"):
        platform.shelf.released("small", lab, revision="r", rubric=None)
    assert [(lab.id, lab.title.en) for lab in platform.course("small").labs] == [("one", "One"), ("mine", "My lab")]
    platform.shelf.change("small", "mine", is_released=False)
    assert [lab.id for lab in platform.course("small").labs] == ["one"]
    assert platform.lab_or_draft("small", "mine").id == "mine", "its instructors still have it"


def test_an_outcome_that_cannot_be_read_is_none(tmp_path: Any) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.outcome("small", "lab") is None
    shelf.note("small", "lab", Outcome(what="check", state="passed", content="c", asked_by="ines", began_us=1))
    assert shelf.outcome("small", "lab").state == "passed"
    (tmp_path / "small" / "outcomes" / "lab.json").write_text("nonsense")
    assert shelf.outcome("small", "lab") is None
