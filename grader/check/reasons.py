"""Why a cell scored what it did, in both languages, without a word of what learners may not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grader.check.outputs import clean_text

_MAX_REASON = 1500


@dataclass(frozen=True)
class Reason:
    """The same sentence twice."""

    zh: str
    en: str


HELD = Reason("检查全部通过。", "All checks held.")
PARTIAL = Reason("部分检查通过，得部分分。", "Part of the checks held: partial credit.")
HIDDEN = Reason(
    "这一题有一项隐藏检查没有通过。请对照题目要求，用其他输入再试一试你的代码。",
    "A hidden check of this task did not hold. Read the task again and try your code on other inputs.",
)
MANUAL = Reason("等待老师人工评分。", "Waits for a person to grade it.")
MISSING = Reason(
    "提交的笔记本里没有这个计分单元格，因此得 0 分。",
    "This graded cell is missing from the submitted notebook, so it scores 0.",
)
OUT_OF_RANGE = Reason(
    "检查给出的分数不在 0 和本题满分之间，因此得 0 分。请告诉老师。",
    "The check gave points that are not between 0 and the maximum, so it scores 0. Please tell your instructor.",
)
ENDED = {
    "died": Reason(
        "运行你的代码的进程中途退出了，因此后面的检查没有运行。",
        "The process that ran your code ended early, so the checks after that did not run.",
    ),
    "time": Reason(
        "你的代码超过了本实验的时间限制，因此后面的检查没有运行。",
        "Your code took longer than this lab allows, so the checks after that did not run.",
    ),
    "cpu": Reason(
        "你的代码用完了本实验允许的处理器（CPU）时间，因此后面的检查没有运行。",
        "Your code used more processor (CPU) time than this lab allows, so the checks after that did not run.",
    ),
    "memory": Reason(
        "你的代码用完了本实验允许的内存，因此后面的检查没有运行。",
        "Your code used more memory than this lab allows, so the checks after that did not run.",
    ),
    "output": Reason(
        "你的代码输出的数据过大，因此后面的检查没有运行。",
        "Your code put out more data than this lab allows, so the checks after that did not run.",
    ),
}
LIMITS = {
    "disk": Reason(
        "你的代码用完了本实验允许的磁盘空间，或写了过大的文件。",
        "Your code used up the disk space that this lab allows, or wrote too large a file.",
    ),
    "memory": Reason("你的代码用完了本实验允许的内存。", "Your code used more memory than this lab allows."),
    "processes": Reason(
        "你的代码启动的进程或线程超过了本实验允许的数量。",
        "Your code started more processes or threads than this lab allows.",
    ),
}
"""What a cell met and went on from."""
CHECKER_ENDED = Reason(
    "检查程序在处理你的代码返回的内容时超出了时间或内存限制，因此这里和后面的检查没有得分。",
    "The checker ran out of time or memory on what your code returned, so this check and those after it score 0.",
)


def why_failed(outcome: dict[str, Any]) -> Reason:
    """The reason for a failed test from what the checker said of it."""
    if outcome["hidden"]:
        return HIDDEN
    line, text = clean_text(outcome["line"], _MAX_REASON), clean_text(outcome["text"], _MAX_REASON)
    if outcome["refused"]:
        return Reason(
            f"无法检查：{clean_text(outcome['zh'], _MAX_REASON)}\n    {line}",
            f"Could not be checked: {text}\n    {line}",
        )
    kind = clean_text(outcome["kind"], 100)
    trace = clean_text(outcome["trace"], _MAX_REASON)
    zh, en = (
        "".join(f"\n    {part}" for part in (_said(kind, words), *trace.splitlines()) if part)
        for words in (clean_text(outcome["zh"], _MAX_REASON) or text, text)
    )
    return Reason(f"没有通过这项检查：\n    {line}{zh}", f"This check did not hold:\n    {line}{en}")


def _said(kind: str, words: str) -> str:
    if not words:
        return "" if kind == "AssertionError" else kind
    return f"{kind}: {words}"


def why_complained(text: str) -> Reason:
    """The reason for a test that wrote to its error stream, which nbgrader counts as failed."""
    shown = clean_text(text, _MAX_REASON)
    return Reason(f"检查报告了错误：\n    {shown}", f"The check reported an error:\n    {shown}")
