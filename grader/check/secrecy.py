"""Keep what hidden tests hand to a learner's code from coming back out where the learner can read it.

Values a hidden test computes or expects never enter the box. What it passes as an argument must, and code under test
could print it later, write it to a file or raise it. Whatever repeats a text of the hidden tests after they ran is
withheld. Only long texts count: covering short ones or numbers would tell a guesser that the guess was right.
"""

from __future__ import annotations

import ast
import contextlib
from typing import TYPE_CHECKING

from grader.check.names import without_magics
from grader.check.outputs import stream
from grader.check.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.check.outputs import Output
    from grader.check.rebuild import Step
    from grader.check.session import Record
    from grader.verdict import GradingJob

_LONG_ENOUGH = 8
WITHHELD = Reason(
    "（这里的内容不显示：它重复了隐藏检查使用的数据。）",
    "(Not shown: it repeats data that a hidden check uses.)",
)


def cover(steps: tuple[Step, ...], record: Record, job: GradingJob) -> None:
    """Withhold from ``record`` whatever repeats a hidden text after a hidden test first ran."""
    tested = [number for number, step in enumerate(steps) if step.check == "test" and step.hidden]
    secrets = _secrets(steps, job)
    if not tested or not secrets:
        return
    for number, outputs in record.outputs.items():
        if number > tested[0] and any(_tells(secrets, text) for output in outputs for text in _shown(output)):
            record.outputs[number] = [stream("stderr", f"{WITHHELD.zh}\n{WITHHELD.en}\n")]
    for number, outcome in record.outcomes.items():
        if number >= tested[0] and _tells(secrets, " ".join(str(value) for value in outcome.values())):
            record.outcomes[number] = {**outcome, "printed": "", "hidden": True}
    record.files = tuple(file for file in record.files if not _tells(secrets, file.content))


def _secrets(steps: tuple[Step, ...], job: GradingJob) -> frozenset[str]:
    """Long texts in hidden lines that nothing the learner was given or handed in contains."""
    found = {text for step in steps if step.check == "test" for text in _texts(step)}
    given = [job.lab_version.release, *job.lab_version.files.values(), *job.files.values()]
    known = "\n".join([*(step.shown.source for step in steps), *(data.decode("utf-8", "replace") for data in given)])
    return frozenset(text for text in found if len(text) >= _LONG_ENOUGH and text not in known)


def _tells(secrets: frozenset[str], text: str | bytes) -> bool:
    if isinstance(text, bytes):
        return any(secret.encode() in text for secret in secrets)
    return any(secret in text for secret in secrets)


def _shown(output: Output) -> Iterator[str]:
    yield str(output.get("text", ""))
    yield str(output.get("data", {}).get("text/plain", ""))


def _texts(step: Step) -> Iterator[str]:
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(without_magics(step.trusted))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno in step.hidden:
                yield node.value
