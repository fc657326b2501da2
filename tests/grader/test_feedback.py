import base64
import json
from collections.abc import Callable

import pytest
from lxml import html

from grader.feedback import SHOWN_CHARS, render_feedback
from grader.submission import Item, LabResult, Submission
from grader.verdict import Failure, Verdict

SUBMISSION = Submission("i", "ada", "film", "squares", 2, "", 1, 1_795_000_000_000_000, 0, 0, "v", "graded")
ITEMS = (
    Item("Squares", 1.5, 2.0, "差一点 <b>", "near <b>", "auto", "test-square"),
    Item("Essay", None, 5.0, "等待教师评分。", "Waits for a person to grade it.", "manual", "essay"),
)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()


@pytest.fixture
def page_of() -> Callable[..., html.HtmlElement]:
    def render(cells: list[dict], failure: Failure | None = None, late: float = 0.0) -> html.HtmlElement:
        result = LabResult(
            "ada", "film", "squares", "i", 2, "", "v", "r", 1.5, 2.0, 0.0, 5.0, awaiting_hand=True,
            late_percent=late, graded_us=0, items=ITEMS,
        )  # fmt: skip
        verdict = Verdict((), json.dumps({"cells": cells}).encode(), failure)
        return html.document_fromstring(render_feedback(SUBMISSION, result, ITEMS, verdict).decode())

    return render


def code(source: str, *outputs: dict, grade_id: str = "") -> dict:
    metadata = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": metadata}


def test_every_item_has_its_points_and_reason_in_both_languages(page_of: Callable[..., html.HtmlElement]) -> None:
    page = page_of([code("x = 1", grade_id="test-square")])
    rows = [" ".join(row.text_content().split()) for row in page.xpath("//tbody/tr")]
    assert rows == [
        "Squares 1.5 / 2 差一点 <b> near <b>",
        "Essay – / 5 等待教师评分。 Waits for a person to grade it.",
    ]
    assert "1.5 / 7" in page.xpath("//p[@class='score']")[0].text_content()
    assert page.get("lang") == "zh-CN"
    assert {node.get("lang") for node in page.xpath("//*[@class='en']")} == {"en"}
    assert page.xpath("//section//p[@class='given']")


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "markdown", "source": "<script>alert(1)</script><img src=x onerror=alert(1)>"},
        {"cell_type": "markdown", "source": "[x](javascript:alert(1)) ![p](http://spy.example/p.png)"},
        {"cell_type": "raw", "source": "<script>alert(1)</script>"},
        code("print('</pre><script>alert(1)</script>')"),
        code("1", {"output_type": "stream", "text": "<script>alert(1)</script>"}),
        code("1", {"output_type": "error", "ename": "<script>", "evalue": "<script>alert(1)</script>"}),
        code("1", {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>"}}),
        code("1", {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload=alert(1)>"}}),
        code("1", {"output_type": "display_data", "data": {"image/png": "PHNjcmlwdD4="}}),
        code("1", {"output_type": "display_data", "data": {"image/png": '"><script>alert(1)</script>'}}),
    ],
)
def test_nothing_a_learner_writes_or_prints_becomes_markup(
    page_of: Callable[..., html.HtmlElement], cell: dict
) -> None:
    page = page_of([cell])
    assert page.xpath("//script | //img | //svg | //a | //iframe | //@onerror | //@onload") == []
    assert page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0].startswith("default-src 'none'")


def test_pictures_text_and_errors_are_shown(page_of: Callable[..., html.HtmlElement]) -> None:
    page = page_of(
        [
            code(
                "show()",
                {"output_type": "display_data", "data": {"image/png": [PNG, "\n"], "text/plain": "<Figure>"}},
                {"output_type": "stream", "text": ["one\n", "two\n"]},
                {"output_type": "error", "traceback": ["\x1b[0;31mZeroDivisionError\x1b[0m: by zero"]},
                {"output_type": "stream", "text": "y" * (SHOWN_CHARS + 5)},
            )
        ]
    )
    (image,) = page.xpath("//img")
    assert image.get("src") == f"data:image/png;base64,{PNG}"
    assert image.get("alt")
    shown = [node.text for node in page.xpath("//section/pre[not(code)]")]
    assert shown[:2] == ["one\ntwo\n", "ZeroDivisionError: by zero"]
    assert len(shown[2]) == SHOWN_CHARS + 2


def test_comment_on_a_cell_without_points_is_shown() -> None:
    result = LabResult(
        "ada", "film", "squares", "i", 2, "", "v", "r", 1.5, 2.0, 0.0, 5.0, awaiting_hand=True,
        late_percent=0, graded_us=0, items=ITEMS,
    )  # fmt: skip
    verdict = Verdict((), json.dumps({"cells": [code("x", grade_id="square")]}).encode())
    page = render_feedback(SUBMISSION, result, ITEMS, verdict, comments={"square": "Neat <b>"})
    assert b"Neat &lt;b&gt;" in page


def test_failure_and_lateness_are_explained(page_of: Callable[..., html.HtmlElement]) -> None:
    page = page_of([], Failure("learner", "运行超时", "It ran too long"), late=20.0)
    assert "It ran too long" in page.xpath("//p[@class='failure']")[0].text_content()
    assert "20%" in page.text_content()
    assert "1.2 / 7" in page.xpath("//p[@class='score']")[0].text_content()


@pytest.mark.parametrize("notebook", [b"", b"{}", b'{"cells": [1, null, {"source": 5, "outputs": 3}]}', b"[]"])
def test_unusable_notebook_still_gives_the_scores(notebook: bytes) -> None:
    result = LabResult(
        "ada", "film", "squares", "i", 2, "", "v", "r", 1.5, 2.0, 0.0, 5.0, awaiting_hand=True,
        late_percent=0, graded_us=0, items=ITEMS,
    )  # fmt: skip
    assert b"Squares" in render_feedback(SUBMISSION, result, ITEMS, Verdict((), notebook))
