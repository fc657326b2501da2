"""The examples of docs/tests-for-instructors.md do what the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from grader.grade import grade
from grader.sandbox.box import open_sandbox

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import Lab, check, solution

PAGE = Path(__file__).parents[2] / "docs" / "tests-for-instructors.md"
BLOCK = re.compile(r"^```python (solution|passes|refused)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_every_example_ends_as_the_page_says() -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    body = "\n".join(text for kind, text in blocks if kind == "solution")
    tests = [(f"{kind}-{number}", text) for number, (kind, text) in enumerate(blocks) if kind != "solution"]
    assert len(tests) >= 7
    lab = Lab(
        solution("s", f"### BEGIN SOLUTION\n{body}\n### END SOLUTION"), *(check(name, text) for name, text in tests)
    )
    verdict = grade(lab.job(lab.submission(s=body)), open_sandbox(warm=False))
    for cell in verdict.cells:
        if cell.grade_id.startswith("passes"):
            assert cell.score == cell.max_score, cell
        else:
            assert cell.score == 0, cell
            assert cell.reason_en.startswith("Could not be checked"), cell
