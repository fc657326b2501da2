"""A starter passes the gate as it is; what is broken in it is refused with reasons, and what passed is released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.authoring import work
from hub.authoring.draft import RUBRIC
from hub.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "points", "by_hand"), [("code", 4, 0), ("film", 6, 0), ("written", 0, 6)])
def test_every_starter_passes_the_gate_as_it_is(
    platform: Platform, begin: Callable[..., Any], kind: str, points: float, by_hand: float
) -> None:
    begin(kind)
    said = work.check(platform, "small", f"my-{kind}", "ines")
    assert [one.en for one in said.findings] == []
    assert (said.state, said.points, said.hand_points) == ("passed", points, by_hand)
    assert (said.reference_score, said.blank_score) == (points, 0)
    assert platform.submissions.current_lab_version("small", f"my-{kind}") is None, "a check releases nothing"
    assert [lab.id for lab in platform.course("small").labs] == ["one"]


def test_what_passed_is_released_and_every_process_has_it_at_once(platform: Platform, begin: Any) -> None:
    other = Platform(platform.config)
    assert [lab.id for lab in other.course("small").labs] == ["one"]
    begin("written", weight=2)
    work.check(platform, "small", "my-written", "ines")
    assert work.release(platform, "small", "my-written", "ines").state == "passed"
    lab = other.course("small").lab("my-written")
    assert lab.weight == 2
    version = platform.submissions.current_lab_version("small", "my-written")
    assert version
    release = platform.submissions.lab_version("small", "my-written", version)
    assert release
    assert "电梯" in release.source.decode()
    assert "电梯" not in release.release.decode()
    assert (platform.gradebooks / "small" / "source" / "my-written" / "my-written.ipynb").is_file()
    # 2. A later change is a draft until it is released: learners and graders keep what was released.
    files = platform.shelf.files("small", "my-written")
    files[RUBRIC] = files[RUBRIC].replace(b"points = 3", b"points = 2")
    platform.shelf.send("small", "my-written", files, by="otto", at_us=1, base=None)
    refused = work.check(platform, "small", "my-written", "otto")
    assert refused.state == "refused"
    assert "adds up to 4 points" in refused.findings[0].en
    assert "points = 3" in (platform.shelf.root / "small" / "rubrics" / "my-written.toml").read_text(encoding="utf-8")
    assert platform.submissions.current_lab_version("small", "my-written") == version


def test_a_lab_that_misgrades_is_refused_with_every_reason_and_nothing_changes(platform: Platform, begin: Any) -> None:
    begin("code")
    files = platform.shelf.files("small", "my-code")
    text = files["my-code.ipynb"].decode()
    text = text.replace("assert running_time([2.0, 1.5]) == 3.5", "assert running_time([2.0, 1.5]) == 4")
    files["my-code.ipynb"] = text.encode()
    platform.shelf.send("small", "my-code", files, by="ines", at_us=1, base=None)
    refused = work.release(platform, "small", "my-code", "ines")
    assert refused.state == "refused"
    assert "the reference does not get full marks: running-time-test 0/4" in refused.findings[0].en
    assert "参考答案没有得满分" in refused.findings[0].zh
    assert platform.submissions.current_lab_version("small", "my-code") is None
    assert not platform.shelf.draft("small", "my-code").is_released
